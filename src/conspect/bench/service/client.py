"""A load on the service from a process of its own: `python -m conspect.bench.service.client HOST PORT KIND CLIENTS SECONDS`."""

from __future__ import annotations

import http.client
import io
import json
import sys
import threading
import time
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save

BATCH = 64


def pixels(images: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random images `[image, 32, 32, 3]`: to time a network photographs are not needed."""
    return np.random.default_rng(seed).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    """One image as a file."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, format="PNG")
    return out.getvalue()


def requests(kind: str) -> tuple[str, list[bytes], int]:
    """Content type, bodies, and images in each. `kind`: "batch" (safetensors, `BATCH` images) or "single" (one PNG)."""
    images = pixels(4 * BATCH)
    if kind == "batch":
        return (
            "application/x-safetensors",
            [save({"images": images[k : k + BATCH]}) for k in range(0, len(images), BATCH)],
            BATCH,
        )
    return "image/png", [png(image) for image in images], 1


class ClientFigures(TypedDict):
    """What one process of clients measured: answers counted by status, latencies in milliseconds."""

    images_per_second: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]


def load(host: str, port: int, kind: str, clients: int, seconds: float) -> ClientFigures:
    """`clients` connections, each sending the next request when its answer is there, for `seconds`.

    Answers counted by status, images a second until the last answer, and latencies in milliseconds.
    """
    content_type, bodies, images = requests(kind)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    answered = [0] * clients
    start = threading.Barrier(clients + 1)
    end = [0.0]

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.connect()
        start.wait()
        k = number
        while (began := time.perf_counter()) < end[0]:
            connection.request(
                "POST", "/v1/check?reasons=none", bodies[k % len(bodies)], {"content-type": content_type}
            )
            response = connection.getresponse()
            response.read()
            done = time.perf_counter()
            statuses[response.status] = statuses.get(response.status, 0) + 1
            latencies.append(done - began)
            answered[number] += images if response.status == 200 else 0
            k += clients
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    began_all = time.perf_counter()
    end[0] = began_all + seconds
    start.wait()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began_all
    p50, p99 = np.percentile(latencies, [50, 99]) * 1000
    return {
        "images_per_second": sum(answered) / taken,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
    }


if __name__ == "__main__":
    host, port, kind, clients, seconds = sys.argv[1:]
    print(json.dumps(load(host, int(port), kind, int(clients), float(seconds))))
