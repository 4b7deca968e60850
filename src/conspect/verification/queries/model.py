"""What is verified, as plain arrays, and the choices of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.regions import Shape
from conspect.core.spaces import Floats, Head, Lens
from conspect.verification.queries.changed import ChangedPictures


@dataclass(frozen=True, eq=False)
class EmbeddingSplit:
    """Embeddings of one split: `embeddings [image, D]`, `labels [image]` (true class index), `ids` of the images."""

    embeddings: Floats
    labels: NDArray[np.integer]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.embeddings) == len(self.labels) == len(self.ids):
            raise ValueError("embeddings, labels and ids of a split differ in length")


@dataclass(frozen=True, eq=False)
class VerificationModel:
    """One vision model read through one lens, with its embeddings: all that verification takes from a study.

    `thresholds`: concept name to the strength (a cosine) that `hasCon` asks for; those that are not finite are left
    out. Regions are estimated on `fit_split`;
    a size that covers a wanted share is chosen on `size_split`; coverage and satisfaction are measured on
    `measure_split`, and witnesses look for their nearest images there. `digests` are the study's own (model, data,
    preprocessing); they are copied into certificates unread. `changed`: pictures after ordinary changes, which
    neighbourhoods are learned from; made when a property asks for them.
    """

    head: Head
    lens: Lens
    class_names: tuple[str, ...]
    splits: Mapping[str, EmbeddingSplit]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    fit_split: str = "train"
    size_split: str = "val"
    measure_split: str = "test"
    digests: Mapping[str, str] = field(default_factory=dict)
    changed: ChangedPictures | None = None

    def __post_init__(self) -> None:
        if len(self.class_names) != self.head.classes:
            raise ValueError(f"{len(self.class_names)} class names for {self.head.classes} logits")
        if len(self.lens.concept_names) != len(self.lens.directions):
            raise ValueError("concept names and directions differ in number")
        known = {name: float(value) for name, value in self.thresholds.items() if np.isfinite(value)}
        object.__setattr__(self, "thresholds", known)
        for role in (self.fit_split, self.size_split, self.measure_split):
            if role not in self.splits:
                raise ValueError(f"the split {role!r} is not among {sorted(self.splits)}")

    @property
    def concept_names(self) -> tuple[str, ...]:
        """Names of the lens's concepts."""
        return self.lens.concept_names

    @property
    def dimension(self) -> int:
        """D, the number of entries of an embedding."""
        return int(self.lens.alignment.weight.shape[1])


# Of the shapes in the space of the numbers that a property reads, which are sized by coverage: without a size of its own, such a
# region covers this share of real images.
READOUT_SHAPES = ("span", "band")
COVERAGE = Fraction(9, 10)


# The size of regions where nobody says one.
DEFAULT_GAMMA = Fraction(2, 5)


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The caller's choices. A property's own region settings come first; these fill what it leaves open.

    `gamma`: size in standard deviations (Mahalanobis distance for ellipsoids), used when neither the property nor
    `coverage` says otherwise; None: `DEFAULT_GAMMA`, and for regions of readouts the size that covers 90 % of images.
    `estimate_from`: embeddings of the class that the model gets right, or all of the class.
    `node_budget`: conjuncts examined for one property before it is unknown. `seconds_budget`: the same in seconds.
    `float32`: a property holds only where its margin exceeds what float32 inference can be off by.
    `confidence`: of every interval and statistical verdict, over the whole file.
    `patience`: share of the usual time that an attempt of the search over sizes gets before the search goes no further.
    """

    gamma: Fraction | None = None
    coverage: Fraction | None = None
    shape: Shape = "box"
    estimate_from: Literal["correct", "all"] = "correct"
    confidence: float = 0.95
    node_budget: int = 4096
    seconds_budget: float = 60.0
    search_gamma: bool = True
    curve_gammas: tuple[Fraction, ...] = tuple(Fraction(k, 10) for k in range(1, 11))
    nearest: int = 3
    cross_check: Literal["none", "scip"] = "none"
    float32: bool = False
    patience: float = 1.0

    def __post_init__(self) -> None:
        if self.gamma is not None:
            object.__setattr__(self, "gamma", _exact(self.gamma, "gamma"))
        object.__setattr__(self, "curve_gammas", tuple(_exact(g, "a size of the curve") for g in self.curve_gammas))
        if self.coverage is not None:
            object.__setattr__(self, "coverage", _exact(self.coverage, "coverage"))
            if not 0 < self.coverage <= 1:
                raise user_error("VERIFY010", f"a coverage of {self.coverage} is out of range", "write 0.9 or 9/10")
        if not self.seconds_budget >= 0:
            raise user_error("VERIFY010", f"a budget of {self.seconds_budget} s is out of range", "write 60")
        if not 0 < self.confidence < 1:
            raise user_error("VERIFY010", f"a confidence of {self.confidence} is out of range", "write 0.95")


def _exact(value: object, what: str) -> Fraction:
    """The exact number; a float counts as the decimal that Python prints for it. VERIFY010 for none, or one below 0."""
    try:
        number = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        number = Fraction(-1)
    if number < 0:
        raise user_error("VERIFY010", f"{what} {value!r} is no number of at least 0", 'write 0.4, "2/5" or a Fraction')
    return number
