"""`python -m tests.network_recorder OUT COMMAND...`: runs a command in a network of its own, and writes down what it asks for.

Needs `unshare -rnm` around it. Every address of the world leads back into this network, where nobody listens, and every name
is asked of a server here that knows one address. The kernel counts connections and datagrams in this network from zero, so
that nothing can be missed, whatever library or child process sends it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ANSWER = "198.51.100.7"  # of RFC 5737's addresses for examples


class Names:
    """A DNS server on 127.0.0.1 that gives every name the same address, and keeps the names in the order of asking."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(4096)
            labels, place = [], 12
            while length := query[place]:
                labels.append(query[place + 1 : place + 1 + length].decode("ascii", "replace"))
                place += 1 + length
            self.asked.append(".".join(labels))
            question, kind = query[12 : place + 5], query[place + 1 : place + 3]
            records = [b"\xc0\x0c" + kind + b"\0\1\0\0\0\1\0\4" + socket.inet_aton(ANSWER)] if kind == b"\0\1" else []
            head = query[:2] + b"\x81\x80\0\1" + len(records).to_bytes(2, "big") + bytes(4)
            self.answers += 1
            self._socket.sendto(head + question + b"".join(records), client)


def counted() -> dict[str, int]:
    """Connections begun and datagrams sent in this network, over IPv4 (where TCP of IPv6 is counted too) and IPv6."""
    lines = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines()]
    table = {names[0] + name: int(value) for names, values in zip(lines[::2], lines[1::2], strict=True)
             for name, value in zip(names[1:], values[1:], strict=True)}  # fmt: skip
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return {
        "connections": table["Tcp:ActiveOpens"],
        "datagrams": table["Udp:OutDatagrams"] + int(six["Udp6OutDatagrams"]),
        "unroutable": table["Ip:OutNoRoutes"] + int(six["Ip6OutNoRoutes"]),
    }


def main(out: Path, command: list[str]) -> None:
    """Runs `command` and writes its exit code, its outputs and what was counted into `out`."""
    for settings in ("link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo"):
        subprocess.run(["ip", *settings.split()], check=not settings.startswith("-6"), capture_output=True)
    with tempfile.NamedTemporaryFile("w", delete=False) as resolver:
        resolver.write("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", resolver.name, "/etc/resolv.conf"], check=True)
    names, before = Names(), counted()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = {what: count - before[what] for what, count in counted().items()}
    after["datagrams"] -= names.answers
    Path(resolver.name).unlink()
    record = {"exit_code": done.returncode, "stdout": done.stdout, "stderr": done.stderr, "names": names.asked, **after}
    out.write_text(json.dumps(record), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
