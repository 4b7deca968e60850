"""Answers that a test knows beforehand, for the pass that counts them."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.core.spaces import Floats
from conspect.study.measuring.streaming import Labels


@dataclass(frozen=True, eq=False)
class KnownAnswers:
    """Answers that are arrays `[image]` already, of the images from `start` on."""

    labels: Labels
    outputs: Labels
    refitted: Labels
    start: int = 0

    def part(self, rows: range) -> KnownAnswers:
        """Those of consecutive `rows`."""
        return KnownAnswers(*self._cut(rows), start=rows.start)

    def of(self, rows: range, z: Floats) -> tuple[Labels, Labels, Labels]:
        """Those of consecutive `rows`."""
        return self._cut(rows)

    def _cut(self, rows: range) -> tuple[Labels, Labels, Labels]:
        own = slice(rows.start - self.start, rows.stop - self.start)
        return self.labels[own], self.outputs[own], self.refitted[own]
