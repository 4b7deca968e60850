"""What `monitor.json` says, as records: read and written by `storage`, and put into an exported graph."""

from __future__ import annotations

import math
from dataclasses import dataclass

from conspect.monitor.runtime.decisions import Thresholds
from conspect.monitor.runtime.guarantee import Guarantee

FORMAT, VERSION = "conspect monitor", 2


@dataclass(frozen=True, slots=True)
class Kind:
    """What is read first: whether the rest can be."""

    format: str
    version: int


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
    """The whole file. `arrays`: name of the file beside it, whose digest is `sha256`."""

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


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
