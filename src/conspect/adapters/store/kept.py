"""Arrays that were computed once and are asked for again, by the name of what they follow from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from conspect.adapters.store.places import Place
from conspect.core.diagnostics import ConspectError
from conspect.core.digests import digest_arrays

DIGEST = "sha256"


def kept_arrays(place: Place, name: str, make: Callable[[], dict[str, NDArray[np.generic]]]) -> dict[str, NDArray[Any]]:
    """The arrays in file `name`, or those that `make` gives, which are kept there for the next time.

    A file that is damaged counts as none: what it held follows from what its name stands for. A store that cannot be written
    costs time, not the answer.
    """
    kept = _read(place, name)
    if kept is not None:
        return kept
    arrays = {key: np.ascontiguousarray(value) for key, value in make().items()}
    with suppress(ConspectError):
        place.write(name, save(arrays, {DIGEST: digest_arrays(arrays)}))
    return arrays


def _read(place: Place, name: str) -> dict[str, NDArray[Any]] | None:
    try:
        if not place.has(name):
            return None
        with place.opened(name) as path, safe_open(path, framework="numpy") as stored:
            arrays = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (no mapping)
            declared = (stored.metadata() or {}).get(DIGEST)
    except (ConspectError, SafetensorError, OSError, ValueError, TypeError):
        return None
    return arrays if declared == digest_arrays(arrays) else None
