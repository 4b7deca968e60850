"""Whether an image pipeline is broken: does the model become right when its input is changed in one of the usual ways?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.exchange import Exchange, exchange
from conspect.core.percentages import percent
from conspect.statistics.testing import holm

# A mending is named when it gains this much accuracy, and its corrected p-value is below the error.
LEAST_GAIN, ERROR = 0.02, 0.01
# One that gains anything, and by chance in fewer than this share of cases before correction, is worth trying on further images.
PROMISING = 0.25
# The change that puts a plain preparation in place of the model's own: whatever the own one loses, it does not.
PLAINLY = "prepared plainly"


@dataclass(frozen=True, slots=True)
class Mending:
    """What one change of the input does. `fix`: what to do about it, an imperative; `p_value` is Holm's over all changes;
    `off_record`: it puts the first norm off its record, which the input as it is does not.
    """

    name: str
    fix: str
    exchange: Exchange
    p_value: float
    accuracy: float
    chance: float = 0.0
    off_record: bool = False

    @property
    def is_named(self) -> bool:
        """Whether the pipeline is called broken for it: significantly better, by two points or more, and better than guessing."""
        gains = self.exchange.net >= LEAST_GAIN and self.p_value < ERROR
        return gains and self.accuracy + self.exchange.net > 2 * self.chance

    @property
    def most_gain(self) -> float:
        """The gain in accuracy that it may have, two standard errors up."""
        trade = self.exchange
        return trade.net + 2 * float(np.sqrt(trade.fixes + trade.breaks)) / max(trade.images, 1)

    @property
    def is_promising(self) -> bool:
        """Whether it may be one to name, where more images would tell."""
        return not self.is_named and self.exchange.net > 0 and self.exchange.p_value < PROMISING

    @property
    def sentence(self) -> str:
        """`feed RGB: 81.7 % becomes 91.5 %`."""
        return f"{self.fix}: {percent(self.accuracy)} becomes {percent(self.accuracy + self.exchange.net)}"


def judge_mendings(
    labels: NDArray[np.int64],
    outputs: NDArray[np.int64],
    mended: Mapping[tuple[str, str], NDArray[np.int64]],
    *,
    chance: float = 0.0,
) -> tuple[Mending, ...]:
    """Every change, the most gainful first.

    `mended`: (name, fix) to outputs `[image]` with the changed input; `chance`: accuracy of guessing.
    """
    exchanges = {key: exchange(labels, outputs, other) for key, other in mended.items()}
    corrected = holm([trade.p_value for trade in exchanges.values()])
    accuracy = float((outputs == labels).mean()) if len(labels) else 0.0
    judged = [
        Mending(name, fix, trade, float(p), accuracy, chance)
        for ((name, fix), trade), p in zip(exchanges.items(), corrected, strict=True)
    ]
    return tuple(sorted(judged, key=lambda mending: -mending.exchange.net))
