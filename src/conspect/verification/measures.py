"""What is measured of a property beside its verdict: shares of images, margins over sizes, the largest size."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.core.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of n held-out images with its exact (Clopper-Pearson) interval at the stated confidence."""

    rate: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of the curve over gamma: the size, the margin's certified lower end or None, and the verdict there."""

    gamma: float
    margin: float | None
    verdict: Verdict
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class GammaMax:
    """The largest size at which the property still holds lies in [`low`, `high`].

    `low` is proved; at `high` a witness stands (None: none found up to `searched`). A property that fails at the
    centre itself has low = None.
    """

    low: float | None
    high: float | None
    searched: float
