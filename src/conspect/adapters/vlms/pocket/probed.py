"""What the pocket VLM makes of probe images and sentences, measured once for each state of its files, code and libraries.

Its digest holds it, as that of every other VLM does; but to know it both towers must be loaded, which takes seconds, and most
commands need neither. So it is kept in the user's cache under a digest of all that could change it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from conspect.core.digests import digest_file, digest_json
from conspect.core.files import read_text, write_atomically

PACKAGES = ("numpy", "onnx", "onnxruntime", "pillow", "safetensors", "tokenizers", "torch", "transformers")
# Code outside this folder on which the numbers depend.
BESIDE = ("runtimes/probes.py", "preprocessing/known_images.py")


def probed(files: list[str], cache: Path, measure: Callable[[], list[list[list[int]]]]) -> list[list[list[int]]]:
    """What `measure` gives, or gave for the same `files` (digests), code and versions before."""
    place = cache / f"pocket-probes-{state(files)[:32]}.json"
    with suppress(OSError, ValueError):  # not measured yet, or a damaged file
        values = json.loads(read_text(place))
        if isinstance(values, list) and len(values) == 2:
            return values
    values = measure()
    with suppress(OSError):  # a cache that cannot be written costs these seconds again
        cache.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(values).encode())
    return values


def state(files: list[str]) -> str:
    """SHA-256 over files, the source of this package, and the versions of the libraries that run it."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), *(here.parent.parent / name for name in BESIDE)]
    return digest_json([files, [digest_file(source) for source in sources], [_version(name) for name in PACKAGES]])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
