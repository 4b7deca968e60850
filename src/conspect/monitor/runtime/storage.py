"""A monitor on disk: `monitor.safetensors` with the arrays, `monitor.json` with everything else. Never a pickle.

Needs NumPy and safetensors. The JSON names the format's version and the digest of the arrays' file; whatever does not
fit is refused before anything is computed with it.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from conspect.core.diagnostics import ConspectError, OutsideError, SourceLocation, outside_error
from conspect.core.digests import digest_bytes
from conspect.core.files import read_content, read_text, write_atomically, write_json
from conspect.monitor.runtime.detector import Detector
from conspect.monitor.runtime.guarantee import Guarantee
from conspect.monitor.runtime.header import (
    FORMAT,
    VERSION,
    MonitorHeader,
    StoredIdentity,
    StoredLooks,
    StoredThresholds,
    header_of,
)
from conspect.monitor.runtime.identity import PROBES, Identity
from conspect.monitor.runtime.looks import Look
from conspect.monitor.runtime.parameters import Float32, FoldedReadings
from conspect.monitor.runtime.record import MonitorRecord
from conspect.monitor.runtime.second_look import LOOK_FEATURES, SecondLook
from conspect.monitor.runtime.suspicion import FEATURES

ARRAYS_FILE, JSON_FILE = "monitor.safetensors", "monitor.json"
LARGEST_JSON, LARGEST_PROBE = 16 << 20, 1 << 26


def save(monitor: MonitorRecord, folder: Path, *, guarantee: Guarantee | None = None) -> None:
    """Writes both files into `folder`, arrays first; each appears whole or not at all. `guarantee`: kept beside them.

    Raises OutsideError MONITOR004 when the folder cannot be written.
    """
    content, header = contents(monitor, guarantee=guarantee)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / ARRAYS_FILE, content)
        write_json(folder / JSON_FILE, asdict(header))
    except OSError as error:
        fix = "free space there, or choose another folder"
        raise outside_error(
            "MONITOR004", f"cannot write the monitor: {error.strerror}", fix, SourceLocation(str(folder))
        ) from error


def contents(monitor: MonitorRecord, *, guarantee: Guarantee | None = None) -> tuple[bytes, MonitorHeader]:
    """The two files: the arrays as safetensors, and what the JSON says of them."""
    from safetensors.numpy import save as to_bytes

    # safetensors writes the memory as it lies, so an array in another order would come back transposed.
    content = to_bytes({name: np.ascontiguousarray(array) for name, array in _arrays(monitor).items()})
    header = MonitorHeader(
        format=FORMAT,
        version=VERSION,
        arrays=ARRAYS_FILE,
        sha256=digest_bytes(content),
        features=FEATURES,
        classes=tuple(monitor.class_names),
        concepts=tuple(monitor.concept_names),
        thresholds=StoredThresholds.of(monitor.thresholds),
        second_look=_stored_looks(monitor),
        identity=_stored_identity(monitor.identity),
        guarantee=guarantee,
        silent=tuple(monitor.silent),
        own=tuple(map(tuple, monitor.own)),
    )
    return content, header


def load(folder: Path) -> MonitorRecord:
    """Reads a monitor that `save` wrote. Raises OutsideError MONITOR004 for anything missing, damaged or of another version."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    header = _read_header(folder)
    path = folder / ARRAYS_FILE
    try:
        content = read_content(path)
    except OSError as error:
        raise _damaged(path, str(error)) from error
    if digest_bytes(content) != header.sha256:
        raise _damaged(path, f"its digest is not the one in {JSON_FILE}")
    try:
        return _assembled(from_bytes(content), header)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, IndexError, ConspectError) as error:
        raise _damaged(path, f"its arrays do not fit: {error}") from error


def read_guarantee(folder: Path) -> Guarantee | None:
    """The guarantee that was saved with a monitor. Raises OutsideError MONITOR004."""
    return _read_header(folder).guarantee


def _stored_looks(monitor: MonitorRecord) -> StoredLooks | None:
    look, limits = monitor.second_look, monitor.second_thresholds
    if look is None or limits is None:
        return None
    further = tuple((step.mirrored, step.down, step.right) for step in look.further)
    return StoredLooks(look.looks, further, LOOK_FEATURES, StoredThresholds.of(limits))


def _stored_identity(identity: Identity | None) -> StoredIdentity | None:
    if identity is None:
        return None
    digests = identity.model_digest, identity.lens_digest
    return StoredIdentity(identity.model_name, *digests, tuple(identity.probe_shape))


def _probe_arrays(identity: Identity | None) -> dict[str, Float32]:
    if identity is None:
        return {}
    logits = {} if identity.probe_logits is None else {"probe_logits": identity.probe_logits}
    return {"probe_embeddings": identity.probe_embeddings, **logits}


def _look_shapes(folded: FoldedReadings) -> dict[str, tuple[int, ...]]:
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
    detector = monitor.detector
    # A tier without thresholds decides nothing and is not said to be there, so its arrays are left out, too.
    second = None if monitor.second_thresholds is None else monitor.second_look
    looks = {} if second is None else {f"look_{name}": getattr(second, name) for name in _look_shapes(detector.folded)}
    return {
        "weight": detector.folded.weight,
        "offset": detector.folded.offset,
        "right_shares": monitor.right_shares,
        "wrong_shares": monitor.wrong_shares,
        "reference": monitor.reference,
        **looks,
        **_probe_arrays(monitor.identity),
        **{name: getattr(detector, name) for name in _shapes(detector.folded, len(detector.whitening))},
    }


def _shapes(folded: FoldedReadings, directions: int) -> dict[str, tuple[int, ...]]:
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


def _assembled(arrays: dict[str, Float32], header: MonitorHeader) -> MonitorRecord:
    classes, concepts = header.classes, header.concepts
    folded = FoldedReadings(arrays["weight"], arrays["offset"], len(concepts), len(classes))
    expected = _shapes(folded, len(arrays["whitening"]))
    expected |= dict.fromkeys(("right_shares", "wrong_shares"), (len(classes), len(concepts) ** 2))
    expected["reference"] = (len(arrays["reference"]), len(concepts) + 1)
    if header.second_look is not None:
        expected |= {f"look_{name}": shape for name, shape in _look_shapes(folded).items()}
    identity = None
    if header.identity is not None:
        expected["probe_embeddings"] = (PROBES, folded.weight.shape[1])
        if "probe_logits" in arrays:
            expected["probe_logits"] = (PROBES, len(classes))
        identity = _identity(header.identity, arrays["probe_embeddings"], arrays.get("probe_logits"))
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
    if (stored := header.second_look) is not None:
        if stored.features != LOOK_FEATURES or stored.looks < 1:
            raise ValueError("its second look is not of this version")
        own = {name: arrays[f"look_{name}"] for name in _look_shapes(folded)}
        second = SecondLook(stored.looks, **own, further=tuple(Look(*step) for step in stored.further))
        second_thresholds = stored.thresholds.thresholds()
    return MonitorRecord(
        Detector(folded=folded, **{name: arrays[name] for name in _shapes(folded, len(arrays["whitening"]))}),
        header.thresholds.thresholds(),
        classes,
        concepts,
        *shares,
        second,
        second_thresholds,
        identity,
        header.silent,
        header.own,
    )


def _identity(stored: StoredIdentity, embeddings: Float32, logits: Float32 | None) -> Identity:
    shape = stored.probe_shape
    if not all(0 < length < 1 << 16 for length in shape):
        raise ValueError("its identity is not of this version")
    if math.prod(shape) > LARGEST_PROBE:
        raise ValueError(f"its probes of shape {list(shape)} are larger than any network's input")
    return Identity(stored.model_name, stored.model_digest, stored.lens_digest, shape, embeddings, logits)


def _read_header(folder: Path) -> MonitorHeader:
    """Raises OutsideError MONITOR004 unless the JSON is this version's."""
    path = folder / JSON_FILE
    try:
        header = header_of(json.loads(read_text(path, most=LARGEST_JSON)))
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if header.features != FEATURES:
        raise _damaged(path, "its features are not those of this version")
    return header


def _damaged(path: Path, why: str) -> OutsideError:
    fix = "fit and save the monitor again"
    return outside_error("MONITOR004", f"cannot read the monitor: {why}", fix, SourceLocation(str(path)))
