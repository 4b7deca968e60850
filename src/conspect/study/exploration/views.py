"""What answers the larger questions to a study, each made when it is first asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from conspect.core.diagnostics import ConspectError, user_error
from conspect.core.spaces import Floats
from conspect.results.additions import ConceptAddition
from conspect.results.exploration import MonitorOpinion
from conspect.results.results import Results
from conspect.study.concept_additions import Shares, add_concepts
from conspect.study.explaining import ImageExplainer
from conspect.study.exploration.comparing import StudyPair
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.live import Live
from conspect.study.exploration.reality import Reality
from conspect.study.exploration.sliders import Sliders
from conspect.study.exploration.watching import StudyMonitor, watched
from conspect.study.exploration.witness import Witnesses
from conspect.study.finished import finished_study
from conspect.study.monitor.splits import reported
from conspect.study.study import Study

EXPLAINING_SECONDS = 0.1


class Views:
    """Of one finished study, against an earlier one where `before` names its folder or its results.json."""

    def __init__(self, study: Study, results: Results, index: StudyIndex, before: Path | None) -> None:
        self._study, self._results, self._index, self._before = study, results, index, before
        self.reality = Reality(index)

    @cached_property
    def watched(self) -> StudyMonitor:
        """The study's monitor. Raises UserError EXPLORE008."""
        inputs, measured = self._study.inputs, self._study.measurements(counted=False)
        rows = reported(measured.test, held_out=inputs.held_out is not None, seed=self._study.config.settings.seed)
        return watched(self._study.monitor_folder, inputs.model, self._index, rows)

    def opinion(self, embedding: Floats) -> MonitorOpinion | None:
        """What the monitor says of an embedding `[D]`; None where there is none."""
        try:
            return self.watched.opinion(embedding)
        except ConspectError:
            return None

    @cached_property
    def witnesses(self) -> Witnesses:
        """Properties looked at closely."""
        return Witnesses(self._study, self._results, self._index, self.reality)

    @cached_property
    def sliders(self) -> Sliders:
        """Embeddings moved along concepts."""
        grades = {concept.name: concept.grade for concept in self._results.concepts if concept.grade is not None}
        seen = [int(k) for k in self.explainer.taken] or range(len(self._index.lens.concept_names))
        return Sliders(self._index, self.reality, self.opinion, concepts=seen, grades=grades)

    @cached_property
    def live(self) -> Live:
        """Pictures from outside."""
        return Live(self._study.inputs.model, self._index, self.reality, self.opinion)

    @cached_property
    def explainer(self) -> ImageExplainer:
        """Single images explained in concepts."""
        return ImageExplainer(self._study.inputs, self._study.measurements(counted=False), EXPLAINING_SECONDS)

    def add_concepts(self, words: Sequence[str], shares: Shares, *, write: bool) -> ConceptAddition:
        """Words made concepts of the study, in its files. Raises UserError STUDY009, OutsideError STORE001."""
        return add_concepts(self._study, words, shares, write=write)

    @cached_property
    def compared(self) -> StudyPair:
        """The study against the one before it. Raises UserError EXPLORE010, STUDY003."""
        if self._before is None:
            fix = f"conspect explore BEFORE {self._study.folder}"
            raise user_error("EXPLORE010", "the explorer was opened on one study", fix)
        after, before = finished_study(self._study.folder), finished_study(self._before)
        return StudyPair(self._study, self._index, after, before, self._before)

    @property
    def before(self) -> str | None:
        """The name of the earlier study, if there is one."""
        return None if self._before is None else self._before.absolute().name
