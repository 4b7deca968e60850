"""Asks a service for /healthz, in a process of its own: `python -m conspect.bench.service.health PORT SECONDS`.

Beside the clients of a load it would measure them: their threads share one interpreter, and each answer would wait for its turn
there. Prints one JSON object: milliseconds of every answer, and what was wrong.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PAUSE_SECONDS, ANSWER_SECONDS = 0.1, 60.0


@dataclass
class Health:
    """`seconds` from the connection's beginning to the answer, of every request; `wrong`: what was not the answer 200."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@contextmanager
def watched_health(port: int, seconds: float) -> Iterator[Health]:
    """Asks for so many `seconds`, beside what happens in the block; the record is filled when the block is left."""
    health = Health()
    command = [sys.executable, "-m", "conspect.bench.service.health", str(port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield health
            answer = json.loads(process.communicate(timeout=seconds + ANSWER_SECONDS)[0])
        finally:
            process.kill()
    health.seconds, health.wrong = answer["seconds"], answer["wrong"]


def asked(port: int, seconds: float) -> Health:
    """/healthz ten times a second for so many `seconds`, each on a connection of its own."""
    health, end = Health(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
            connection.close()
        except (http.client.HTTPException, OSError) as error:
            health.wrong.append(f"healthz: {type(error).__name__}")
            continue
        health.seconds.append(time.perf_counter() - start)
        if status != 200:
            health.wrong.append(f"healthz: {status}")
        time.sleep(PAUSE_SECONDS)
    return health


if __name__ == "__main__":
    health = asked(int(sys.argv[1]), float(sys.argv[2]))
    print(json.dumps({"seconds": health.seconds, "wrong": health.wrong}))
