"""What `monitor.json` says, as records: read and written by `storage`, and put into an exported graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from conspect.core.json_value import JsonObject, JsonValue
from conspect.monitor.runtime.decisions import Thresholds
from conspect.monitor.runtime.guarantee import Guarantee, TargetRates

FORMAT, VERSION = "conspect monitor", 2


@dataclass(frozen=True, slots=True)
class StoredThresholds:
    """JSON has no infinities: None stands for a threshold that nothing passes."""

    accept: float | None
    suspect: float | None

    @classmethod
    def of(cls, thresholds: Thresholds) -> StoredThresholds:
        """The thresholds of a monitor, in nats."""
        return cls(_finite(thresholds.accept), _finite(thresholds.suspect))

    def thresholds(self) -> Thresholds:
        """As the monitor uses them. Raises ValueError when `accept` is above `suspect`."""
        accept, suspect = self.accept, self.suspect
        return Thresholds(-math.inf if accept is None else accept, math.inf if suspect is None else suspect)


@dataclass(frozen=True, slots=True)
class StoredLooks:
    """The second look: how many looks, the further ones as (mirrored, down, right), and its own thresholds."""

    looks: int
    further: tuple[tuple[bool, int, int], ...]
    features: tuple[str, ...]
    thresholds: StoredThresholds


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """Names and digests of the model and the lens; the shape of one probe."""

    model_name: str
    model_digest: str
    lens_digest: str
    probe_shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MonitorHeader:
    """The whole file. `arrays`: name of the file beside it, whose digest is `sha256`. `silent`, `own`: see `MonitorRecord`."""

    format: str
    version: int
    arrays: str
    sha256: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    concepts: tuple[str, ...]
    thresholds: StoredThresholds
    second_look: StoredLooks | None = None
    identity: StoredIdentity | None = None
    guarantee: Guarantee | None = None
    silent: tuple[str, ...] = ()
    own: tuple[tuple[str, ...], ...] = ()


def header_of(content: JsonValue) -> MonitorHeader:
    """The header that parsed JSON is. Raises ValueError naming the first thing in it that is not as a header has it.

    Read by hand: where a monitor is in use there is no other package than NumPy and the one that reads its arrays.
    """
    table = _table(content, "it")
    if table.get("format") != FORMAT:
        raise ValueError("it does not describe a monitor")
    if table.get("version") != VERSION:
        raise ValueError(f"it is of version {table.get('version')!r}; this Conspect reads version {VERSION}")
    looks, identity, guarantee = (table.get(key) for key in ("second_look", "identity", "guarantee"))
    header = MonitorHeader(
        FORMAT,
        VERSION,
        _text(table, "arrays"),
        _text(table, "sha256"),
        _texts(table, "features"),
        _texts(table, "classes"),
        _texts(table, "concepts"),
        _thresholds(table),
        None if looks is None else _looks(_table(looks, "second_look")),
        None if identity is None else _identity(_table(identity, "identity")),
        None if guarantee is None else _guarantee(_table(guarantee, "guarantee")),
        # Older monitors do not say which concepts are not seen, nor which a class shows.
        () if table.get("silent") is None else _texts(table, "silent"),
        () if table.get("own") is None else tuple(_texts_of(names, "own") for names in _list(table.get("own"), "own")),
    )
    if not (header.classes and header.concepts):
        raise ValueError("classes and concepts are lists of names")
    if header.own and len(header.own) != len(header.classes):
        raise ValueError("own has not one list for each class")
    return header


def _looks(table: JsonObject) -> StoredLooks:
    further = tuple(_look(step) for step in _list(table.get("further"), "further"))
    return StoredLooks(_whole(table, "looks"), further, _texts(table, "features"), _thresholds(table))


def _look(step: JsonValue) -> tuple[bool, int, int]:
    match step:
        case [bool(mirrored), int(down), int(right)]:
            return mirrored, down, right
    raise ValueError("a look is mirrored or not, and moved by two whole numbers")


def _identity(table: JsonObject) -> StoredIdentity:
    names = _text(table, "model_name"), _text(table, "model_digest"), _text(table, "lens_digest")
    shape = _list(table.get("probe_shape"), "probe_shape")
    sides = tuple(side for side in shape if isinstance(side, int))
    if len(sides) < len(shape):
        raise ValueError("probe_shape is no list of whole numbers")
    return StoredIdentity(*names, sides)


def _guarantee(table: JsonObject) -> Guarantee:
    rates = _table(table.get("wanted"), "wanted")
    wanted = TargetRates(
        _number(rates, "false_alarms"),
        _number(rates, "accepted_errors"),
        _number(rates, "confidence"),
        None if rates.get("errors_of_all") is None else _number(rates, "errors_of_all"),
    )
    # Older monitors do not say how many inputs are needed.
    needed = None if table.get("needed") is None else _whole(table, "needed")
    return Guarantee(wanted, _whole(table, "images"), _whole(table, "wrong"), table.get("accepts") is True, needed)


def _thresholds(table: JsonObject) -> StoredThresholds:
    stored = _table(table.get("thresholds"), "thresholds")
    accept, suspect = (None if stored[key] is None else _number(stored, key) for key in ("accept", "suspect"))
    return StoredThresholds(accept, suspect)


def _table(value: JsonValue, name: str) -> JsonObject:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no table")
    return value


def _list(value: JsonValue, name: str) -> list[JsonValue]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is no list")
    return value


def _text(table: JsonObject, name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _texts(table: JsonObject, name: str) -> tuple[str, ...]:
    return _texts_of(table.get(name), name)


def _texts_of(value: JsonValue, name: str) -> tuple[str, ...]:
    values = _list(value, name)
    texts = tuple(value for value in values if isinstance(value, str))
    if len(texts) < len(values):
        raise ValueError(f"{name} is no list of texts")
    return texts


def _whole(table: JsonObject, name: str) -> int:
    value = table.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is no whole number")
    return value


def _number(table: JsonObject, name: str) -> float:
    value = table.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name} is no number")
    return float(value)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
