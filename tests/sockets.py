"""Which addresses processes listen on, read from /proc."""

import ipaddress
import os
import re
from pathlib import Path

LISTENING = "0A"


def family(ancestor: int) -> set[int]:
    """The process and all that descend from it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    members = {ancestor}
    while more := {child for child, parent in parents.items() if parent in members} - members:
        members |= more
    return members


def listened_on(processes: set[int]) -> set[str]:
    """Addresses of all TCP sockets on which one of the processes waits for connections."""
    listening: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING:
                listening[fields[9]] = written(fields[1].partition(":")[0])
    addresses = set()
    for process in processes:
        try:
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                socket = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
                if socket and socket[1] in listening:
                    addresses.add(listening[socket[1]])
        except OSError:
            continue
    return addresses


def written(digits: str) -> str:
    """The address that /proc/net writes as words of four bytes, each in the machine's order."""
    words = [bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return str(getattr(address, "ipv4_mapped", None) or address)
