"""Named arrays with a few words about them, in one safetensors file that is written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from conspect.core.files import write_atomically

ABOUT = "about"


def write_named(path: Path, arrays: Mapping[str, NDArray[np.generic]], about: str) -> None:
    """`about` in the file's header."""
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    write_atomically(path, save(contiguous, {ABOUT: about}))


def read_named(path: Path, *, most_bytes: int) -> tuple[dict[str, NDArray[Any]], str]:
    """What `write_named` wrote. Raises ValueError, OSError or KeyError for another file, or one of more than `most_bytes`."""
    if path.stat().st_size > most_bytes:
        raise ValueError(f"it is larger than {most_bytes:,} bytes")
    try:
        with safe_open(path, framework="numpy") as stored:
            about: str = stored.metadata()[ABOUT]
            return {name: stored.get_tensor(name) for name in stored.keys()}, about  # noqa: SIM118
    except (SafetensorError, TypeError) as error:
        raise ValueError(str(error)) from error
