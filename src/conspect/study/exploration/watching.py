"""The study's monitor, asked of its images, of moved embeddings and of pictures from outside; what a threshold costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import ConspectError, user_error
from conspect.core.protocols import VisionModel
from conspect.core.spaces import Floats
from conspect.monitor.runtime import ACCEPT, VERDICTS, Monitor
from conspect.monitor.runtime.guarantee import Guarantee
from conspect.monitor.runtime.storage import JSON_FILE, read_guarantee
from conspect.results.exploration import MonitorOpinion
from conspect.results.live import ThresholdCurve, ThresholdPoint
from conspect.statistics.intervals import clopper_pearson
from conspect.study.exploration.index import StudyIndex

POINTS, CONFIDENCE = 60, 0.95


@dataclass(frozen=True, eq=False)
class StudyMonitor:
    """The monitor in a study's folder and the images that it was neither fitted nor calibrated on, `reported [row]`."""

    monitor: Monitor
    guarantee: Guarantee | None
    index: StudyIndex
    reported: NDArray[np.int64]

    def opinion(self, embedding: Floats) -> MonitorOpinion:
        """What the monitor says of the output for one `embedding [D]`."""
        decided = self.monitor.check(embedding[None], self.index.head.logits(embedding[None]))
        verdict = int(decided.verdicts[0])
        reasons = () if verdict == ACCEPT else self.monitor.reasons(embedding, int(decided.outputs[0]))
        return MonitorOpinion(
            VERDICTS[verdict], round(float(decided.suspicion[0]), 4), tuple(str(reason) for reason in reasons)
        )

    @cached_property
    def suspicion(self) -> NDArray[np.float32]:
        """`[image]` in nats, higher = suspect, of the study's images by their stored embeddings."""
        suspicion = np.zeros(len(self.index), np.float32)

        def act(where: slice, z: NDArray[np.float32]) -> None:
            suspicion[where] = self.monitor.check(z, self.index.head.logits(z)).suspicion

        self.index.model_space.scanned(act)
        return suspicion

    @cached_property
    def verdicts(self) -> NDArray[np.int8]:
        """`[image]`, into VERDICTS."""
        return self.monitor.thresholds.verdicts(self.suspicion)

    def accepted(self, threshold: float) -> NDArray[np.bool_]:
        """Which images `[image]` have a suspicion of at most `threshold`, of those that the curve counts."""
        accepted = np.zeros(len(self.index), dtype=bool)
        accepted[self.reported] = self.suspicion[self.reported] <= np.float32(threshold)
        return accepted

    def curve(self) -> ThresholdCurve:
        """What accepting up to each suspicion costs and guarantees.

        The thresholds are quantiles of the suspicion on the calibration split, so they do not depend on the images that are
        counted; bounds are those of Clopper and Pearson at a confidence shared out over all points (Bonferroni), so that
        whoever picks a point after seeing the curve may still believe its bound.
        """
        limits = self.monitor.thresholds
        known = self.monitor.reference[:, -1].astype(np.float64)
        grid = np.unique(
            np.concatenate([np.quantile(known, np.linspace(0.01, 1, POINTS)), [limits.accept, limits.suspect]])
        )
        grid = grid[np.isfinite(grid)]
        suspicion, wrong = self.suspicion[self.reported], self.index.wrong[self.reported]
        accepted = np.searchsorted(np.sort(suspicion), grid.astype(np.float32), side="right")
        errors = np.searchsorted(np.sort(suspicion[wrong]), grid.astype(np.float32), side="right")
        # The upper end of a two-sided interval is a one-sided bound at half the error.
        high = clopper_pearson(errors, accepted, 1 - 2 * (1 - CONFIDENCE) / max(len(grid), 1))[1]
        return ThresholdCurve(
            images=len(self.reported),
            wrong=int(wrong.sum()),
            confidence=CONFIDENCE,
            points=tuple(
                ThresholdPoint(float(np.float32(t)), int(n), int(k), float(bound))
                for t, n, k, bound in zip(grid, accepted, errors, high, strict=True)
            ),
            accept=limits.accept,
            suspect=limits.suspect,
            sentences=self._sentences(),
            caveat=(
                f"Counted on {len(self.reported):,} test images that the monitor was neither fitted nor calibrated on. "
                f"Bounds hold for all thresholds at once with confidence {CONFIDENCE:.0%}, for inputs like these images."
            ),
        )

    def _sentences(self) -> tuple[str, ...]:
        return () if self.guarantee is None else tuple(self.guarantee.sentences())


def watched(folder: Path, model: VisionModel, index: StudyIndex, reported: NDArray[np.int64]) -> StudyMonitor:
    """The monitor in `folder`. Raises UserError EXPLORE008 where there is none, or it cannot serve."""
    fix = f"fit one: conspect monitor fit --study {folder.parent}"
    if not (folder / JSON_FILE).is_file():
        raise user_error("EXPLORE008", "the study has no monitor", fix)
    try:
        return StudyMonitor(Monitor.load(folder, model=model), read_guarantee(folder), index, reported)
    except ConspectError as error:
        raise user_error("EXPLORE008", error.diagnostics[0].problem, fix) from error
