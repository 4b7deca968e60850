"""A monitor on disk: `monitor.safetensors` with the arrays, `monitor.json` with everything else. Never a pickle.

Needs NumPy and safetensors. The JSON names the format's version and the digest of the arrays' file; whatever does not
fit is refused before anything is computed with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from conspect.core.diagnostics import ConspectError, OutsideError, SourceLocation, outside_error
from conspect.core.digests import digest_bytes
from conspect.core.files import read_content, write_atomically, write_json
from conspect.monitor.runtime.decisions import Thresholds
from conspect.monitor.runtime.detector import Detector, Float32, Folded
from conspect.monitor.runtime.identity import PROBES, Identity
from conspect.monitor.runtime.looks import Look
from conspect.monitor.runtime.record import MonitorRecord
from conspect.monitor.runtime.second_look import LOOK_FEATURES, SecondLook
from conspect.monitor.runtime.suspicion import FEATURES

FORMAT, VERSION = "conspect monitor", 2
ARRAYS_FILE, JSON_FILE = "monitor.safetensors", "monitor.json"
LARGEST_JSON, LARGEST_PROBE = 16 << 20, 1 << 26


def save(monitor: MonitorRecord, folder: Path, *, guarantee: dict[str, Any] | None = None) -> None:
    """Writes both files into `folder`, arrays first; each appears whole or not at all. `guarantee`: kept as it is.

    Raises OutsideError MONITOR004 when the folder cannot be written.
    """
    content, about = contents(monitor, guarantee=guarantee)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / ARRAYS_FILE, content)
        write_json(folder / JSON_FILE, about)
    except OSError as error:
        fix = "free space there, or choose another folder"
        raise outside_error(
            "MONITOR004", f"cannot write the monitor: {error.strerror}", fix, SourceLocation(str(folder))
        ) from error


def contents(monitor: MonitorRecord, *, guarantee: Mapping[str, Any] | None = None) -> tuple[bytes, dict[str, Any]]:
    """The two files: the arrays as safetensors, and what the JSON says of them."""
    from safetensors.numpy import save as to_bytes

    # safetensors writes the memory as it lies, so an array in another order would come back transposed.
    content = to_bytes({name: np.ascontiguousarray(array) for name, array in _arrays(monitor).items()})
    about = {
        "format": FORMAT,
        "version": VERSION,
        "arrays": ARRAYS_FILE,
        "sha256": digest_bytes(content),
        "features": list(FEATURES),
        "classes": list(monitor.class_names),
        "concepts": list(monitor.concept_names),
        # JSON has no infinities: null stands for a threshold that nothing passes.
        "thresholds": {
            "accept": _finite(monitor.thresholds.accept),
            "suspect": _finite(monitor.thresholds.suspect),
        },
        "second_look": _about_looks(monitor),
        "identity": _about_identity(monitor),
        "guarantee": guarantee,
    }
    return content, about


def load(folder: Path) -> MonitorRecord:
    """Reads a monitor that `save` wrote. Raises OutsideError MONITOR004 for anything missing, damaged or of another version."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    about = _read_header(folder)
    path = folder / ARRAYS_FILE
    try:
        content = read_content(path)
    except OSError as error:
        raise _damaged(path, str(error)) from error
    if digest_bytes(content) != about["sha256"]:
        raise _damaged(path, f"its digest is not the one in {JSON_FILE}")
    try:
        return _assembled(from_bytes(content), about)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, IndexError, ConspectError) as error:
        raise _damaged(path, f"its arrays do not fit: {error}") from error


def read_guarantee(folder: Path) -> dict[str, Any] | None:
    """The guarantee that was saved with a monitor, as it was given. Raises OutsideError MONITOR004."""
    guarantee: dict[str, Any] | None = _read_header(folder).get("guarantee")
    return guarantee


def _about_looks(monitor: MonitorRecord) -> dict[str, Any] | None:
    if monitor.second_look is None or monitor.second_thresholds is None:
        return None
    limits = monitor.second_thresholds
    return {
        "looks": monitor.second_look.looks,
        "further": [[look.mirrored, look.down, look.right] for look in monitor.second_look.further],
        "features": list(LOOK_FEATURES),
        "thresholds": {"accept": _finite(limits.accept), "suspect": _finite(limits.suspect)},
    }


def _about_identity(monitor: MonitorRecord) -> dict[str, Any] | None:
    one = monitor.identity
    if one is None:
        return None
    return {
        "model_name": one.model_name,
        "model_digest": one.model_digest,
        "lens_digest": one.lens_digest,
        "probe_shape": list(one.probe_shape),
    }


def _look_shapes(folded: Folded) -> dict[str, tuple[int, ...]]:
    """The arrays of a second look, without the "look_" that their names begin with in the file."""
    width = len(LOOK_FEATURES)
    return {
        "deviation": (folded.concepts,),
        "mean": (width,),
        "scale": (width,),
        "weights": (2, width),
        "bias": (folded.classes,),
    }


def _arrays(monitor: MonitorRecord) -> dict[str, Float32]:
    detector, second = monitor.detector, monitor.second_look
    looks = {} if second is None else {f"look_{name}": getattr(second, name) for name in _look_shapes(detector.folded)}
    return {
        "weight": detector.folded.weight,
        "offset": detector.folded.offset,
        "right_shares": monitor.right_shares,
        "wrong_shares": monitor.wrong_shares,
        "reference": monitor.reference,
        **looks,
        **({} if monitor.identity is None else {"probe_embeddings": monitor.identity.probe_embeddings}),
        **{name: getattr(detector, name) for name in _shapes(detector.folded, len(detector.whitening))},
    }


def _shapes(folded: Folded, directions: int) -> dict[str, tuple[int, ...]]:
    """The arrays of a detector besides the folded ones."""
    readings, width = folded.classes + folded.concepts, len(FEATURES)
    return {
        "present": (folded.concepts,),
        "failure": (folded.concepts,),
        "sharpness": (1,),
        "whitening": (directions, readings),
        "centres": (folded.classes, directions),
        "mean": (width,),
        "scale": (width,),
        "weights": (2, width),
        "bias": (folded.classes,),
    }


def _assembled(arrays: dict[str, Float32], about: dict[str, Any]) -> MonitorRecord:
    classes, concepts = tuple(about["classes"]), tuple(about["concepts"])
    folded = Folded(arrays["weight"], arrays["offset"], len(concepts), len(classes))
    expected = _shapes(folded, len(arrays["whitening"]))
    expected |= dict.fromkeys(("right_shares", "wrong_shares"), (len(classes), len(concepts) ** 2))
    expected["reference"] = (len(arrays["reference"]), len(concepts) + 1)
    if about.get("second_look") is not None:
        expected |= {f"look_{name}": shape for name, shape in _look_shapes(folded).items()}
    identity = None
    if about.get("identity") is not None:
        expected["probe_embeddings"] = (PROBES, folded.weight.shape[1])
        identity = _identity(about["identity"], arrays["probe_embeddings"])
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} is {arrays[name].shape}, not {shape}")
    unknown = sorted(set(arrays) - set(expected) - {"weight", "offset"})
    if unknown:
        raise ValueError(f"unknown arrays {', '.join(unknown)}")
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{name} is {array.dtype} or not finite")
    shares = arrays.pop("right_shares"), arrays.pop("wrong_shares"), arrays.pop("reference")
    second, second_thresholds = None, None
    if about.get("second_look") is not None:
        looks = about["second_look"]
        if looks["features"] != list(LOOK_FEATURES) or not isinstance(looks["looks"], int) or looks["looks"] < 1:
            raise ValueError("its second look is not of this version")
        further = tuple(Look(bool(mirrored), int(down), int(right)) for mirrored, down, right in looks["further"])
        own = {name: arrays[f"look_{name}"] for name in _look_shapes(folded)}
        second = SecondLook(looks["looks"], **own, further=further)
        second_thresholds = _limits(looks["thresholds"])
    return MonitorRecord(
        Detector(folded=folded, **{name: arrays[name] for name in _shapes(folded, len(arrays["whitening"]))}),
        _limits(about["thresholds"]),
        classes,
        concepts,
        *shares,
        second,
        second_thresholds,
        identity,
    )


def _identity(about: dict[str, Any], embeddings: Float32) -> Identity:
    name, model, lens = (about[key] for key in ("model_name", "model_digest", "lens_digest"))
    shape = tuple(about["probe_shape"])
    if not all(isinstance(one, str) for one in (name, model, lens)) or not all(
        type(n) is int and 0 < n < 1 << 16 for n in shape
    ):
        raise ValueError("its identity is not of this version")
    if math.prod(shape) > LARGEST_PROBE:
        raise ValueError(f"its probes of shape {list(shape)} are larger than any network's input")
    return Identity(name, model, lens, shape, embeddings)


def _limits(stored: dict[str, Any]) -> Thresholds:
    accept, suspect = stored["accept"], stored["suspect"]
    return Thresholds(-np.inf if accept is None else float(accept), np.inf if suspect is None else float(suspect))


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / JSON_FILE
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise _damaged(path, "it is larger than any monitor's")
        about = json.loads(path.read_text(encoding="utf-8"))
        _check_header(path, about)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    return dict(about)


def _check_header(path: Path, about: Any) -> None:
    """Raises unless the JSON is this version's."""
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise _damaged(path, "it does not describe a monitor")
    if about.get("version") != VERSION:
        raise _damaged(path, f"it is of version {about.get('version')!r}; this Conspect reads version {VERSION}")
    named = [about.get(key) for key in ("classes", "concepts")]
    if not all(isinstance(names, list) and names and all(isinstance(n, str) for n in names) for names in named):
        raise _damaged(path, "classes and concepts are lists of names")
    if about.get("features") != list(FEATURES) or not isinstance(about.get("thresholds"), dict):
        raise _damaged(path, "its features or thresholds are not those of this version")


def _damaged(path: Path, why: str) -> OutsideError:
    fix = "fit and save the monitor again"
    return outside_error("MONITOR004", f"cannot read the monitor: {why}", fix, SourceLocation(str(path)))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
