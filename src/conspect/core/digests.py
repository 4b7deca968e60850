"""Content digests: what an artifact is keyed by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def digest_bytes(*chunks: bytes) -> str:
    """SHA-256 of the concatenated chunks, as 64 hexadecimal digits."""
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def digest_file(path: Path, chunk_size: int = 1 << 20) -> str:
    """SHA-256 of a file's content, read in chunks."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(chunk_size):
            state.update(chunk)
    return state.hexdigest()


def digest_json(value: object) -> str:
    """SHA-256 of the canonical JSON form (sorted keys, no spaces) of a JSON-like value."""
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def digest_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """SHA-256 over names, dtypes, shapes and values of named arrays; independent of insertion order."""
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        state.update(array.tobytes())
    return state.hexdigest()
