"""How often a method blames the part that was broken, how often it says nothing, and what its probabilities are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.localization import Blame, Culprit
from conspect.statistics.intervals import wilson

BINS, DRAWS = 10, 1000


@dataclass(frozen=True, eq=False)
class Judged:
    """Verdicts on the newly wrong images of one mutant. `head_broken`: the truth; pictures count to the encoder's side."""

    mutator: str
    head_broken: bool
    blames: Sequence[Blame]

    @property
    def right(self) -> int:
        """Images on which the broken part is blamed."""
        wanted = Culprit.HEAD if self.head_broken else Culprit.ENCODER
        return sum(blame.culprit is wanted for blame in self.blames)

    @property
    def decided(self) -> int:
        """Images with a verdict."""
        return sum(blame.culprit is not Culprit.UNDECIDED for blame in self.blames)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval; NaN when there is nothing to share."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """Of one method. `balanced_accuracy`: mean of the shares of decided images blamed right, of head and encoder faults.

    Its interval is a bootstrap over mutators, because images of one mutant stand and fall together. `undecided`: mean over both
    parts of the share without a verdict. `calibration_error` and `brier` None: the method gives no probability.
    """

    images: int
    balanced_accuracy: Share
    head: Share
    encoder: Share
    undecided: float
    calibration_error: float | None
    brier: float | None


def score(judged: Sequence[Judged], *, seed: int = 0) -> Score:
    """The score over all mutants given, images pooled within each part."""
    parts = {part: [one for one in judged if one.head_broken is part] for part in (True, False)}
    by_part = {part: _recall(found) for part, found in parts.items()}
    undecided = [
        1 - sum(one.decided for one in found) / max(sum(len(one.blames) for one in found), 1)
        for found in parts.values()
        if found
    ]
    truth = np.concatenate([np.full(len(one.blames), one.head_broken) for one in judged] or [np.zeros(0, bool)])
    chances = np.array([np.nan if blame.head is None else blame.head for one in judged for blame in one.blames])
    given = ~np.isnan(chances)
    probable = bool(given.any())
    return Score(
        images=len(truth),
        balanced_accuracy=_balanced(parts, by_part, seed),
        head=by_part[True],
        encoder=by_part[False],
        undecided=float(np.mean(undecided)) if undecided else float("nan"),
        calibration_error=calibration_error(chances[given], truth[given]) if probable else None,
        brier=float(np.mean((chances[given] - truth[given]) ** 2)) if probable else None,
    )


def calibration_error(head: NDArray[np.float64], head_broken: NDArray[np.bool_]) -> float:
    """Expected calibration error of the likelier part's probability, `head [image]` being the head's: ten bins of 0.5..1.

    The mean over bins, weighted by images, of |share blamed right - mean probability|.
    """
    confidence = np.maximum(head, 1 - head)
    right = (head > 0.5) == head_broken
    places = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    gaps = [
        abs(right[places == b].mean() - confidence[places == b].mean()) * (places == b).sum()
        for b in range(BINS)
        if (places == b).any()
    ]
    return float(sum(gaps) / len(head)) if len(head) else float("nan")


def _recall(found: Sequence[Judged]) -> Share:
    right, decided = sum(one.right for one in found), sum(one.decided for one in found)
    if not decided:
        return Share(float("nan"), float("nan"), float("nan"))
    low, high = wilson(right, decided)
    return Share(right / decided, float(low), float(high))


def _balanced(parts: dict[bool, list[Judged]], by_part: dict[bool, Share], seed: int) -> Share:
    value = (by_part[True].value + by_part[False].value) / 2
    rng = np.random.default_rng(seed)
    draws = []
    counts = {}
    for part, found in parts.items():
        names = sorted({one.mutator for one in found})
        counts[part] = np.array(
            [
                [sum(getattr(o, what) for o in found if o.mutator == name) for what in ("right", "decided")]
                for name in names
            ]
        ).reshape(-1, 2)
    if all(len(one) for one in counts.values()) and np.isfinite(value):
        for _ in range(DRAWS):
            drawn = [one[rng.integers(0, len(one), len(one))].sum(0) for one in counts.values()]
            if all(decided for _, decided in drawn):
                draws.append(np.mean([right / decided for right, decided in drawn]))
    if not draws:
        return Share(value, float("nan"), float("nan"))
    low, high = np.quantile(draws, [0.025, 0.975])
    return Share(value, float(low), float(high))
