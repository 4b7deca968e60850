"""Counterexamples that are no image's: from an image deep inside a region towards others, as far as the region goes.

Regions of readouts have no corners to walk to: which readouts an embedding can have together nobody knows. But every
point between two embeddings is an embedding. Where the line from an image inside to another one, or to an embedding aimed
at (`regions.aimed`), leaves the region, the formula is often false already; what is said to refute is then checked exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64
from conspect.language.syntax.tree import Formula
from conspect.statistics.threads import one_thread
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.regions.aimed import AimedEmbeddings
from conspect.verification.regions.membership import Membership
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions

STEPS = 24  # halvings of the line: the place where it leaves the region is then known to a ten millionth
STARTS = 3  # images inside from which lines begin
TRIED = 12  # exact checks for each start, which are dear
ROOM = 1e-7


@dataclass(frozen=True, eq=False)
class BetweenImages:
    """Looks for embeddings inside one region that make a formula false."""

    readouts: ReadoutRegions
    place: ClassRegion
    class_name: str
    truth: ExactTruth

    def refuting(self, formula: Formula, members: NDArray[np.intp], split: str) -> Float64 | None:
        """An embedding `[D]` inside at which the formula is false, both exactly; None where none was met.

        `members`: rows of the class's images in the split; lines go towards embeddings aimed at, then all images of the split.
        """
        data = np.asarray(self.readouts.model.splits[split].embeddings, dtype=np.float64)
        order = members[np.argsort(self.place.measured, kind="stable")]
        inside = order[: int((self.place.measured < float(self.place.region.size)).sum())]
        exactly = Membership(self.readouts.model)
        aimed = AimedEmbeddings(self.readouts, self.place)
        starts = (
            data[inside[np.linspace(0, len(inside) - 1, min(STARTS, len(inside))).astype(int)]]
            if len(inside)
            else data[:0]
        )
        for start in (self._middle(), *starts):
            with one_thread():
                ends = np.vstack([start, self._ends(start, np.vstack([aimed.against(formula, start), data]))])
                bounds = self.truth.bounds(formula, self.truth.readouts(ends))
            for row in np.flatnonzero(~bounds.maybe)[:TRIED].tolist():
                if exactly.holds(self.place, self.readouts, ends[row]) and not self.truth.at(formula, ends[row]):
                    return np.asarray(ends[row], dtype=np.float64)
        return None

    def _middle(self) -> Float64:
        """The mean `[D]` of the images that the region was estimated on: its linear readouts are those of the centre."""
        rows, _ = self.readouts.focus.estimation_rows(self.class_name)
        split = self.readouts.model.splits[self.readouts.model.fit_split]
        return np.asarray(np.asarray(split.embeddings, dtype=np.float64)[rows].mean(axis=0), dtype=np.float64)

    def _ends(self, start: Float64, towards: Float64) -> Float64:
        """Where the lines from `start [D]` towards `[image, D]` leave the region, or the images themselves."""
        low, high = np.zeros(len(towards)), np.ones(len(towards))
        sizes = self._sizes()
        size = float(self.place.region.size) * (1 - ROOM)
        whole = sizes(towards) <= size
        for _ in range(STEPS):
            middle = (low + high) / 2
            within = sizes(start + middle[:, None] * (towards - start)) <= size
            low, high = np.where(within, middle, low), np.where(within, high, middle)
        return np.asarray(start + np.where(whole, 1.0, low)[:, None] * (towards - start), dtype=np.float64)

    def _sizes(self) -> Callable[[Float64], Float64]:
        kinds, region = self.place.kinds, self.place.region
        if region.shape == "band":
            return lambda embeddings: region.sizes(self.readouts.differences(kinds, embeddings))
        return lambda embeddings: region.sizes(self.readouts.space(kinds).readouts(embeddings))
