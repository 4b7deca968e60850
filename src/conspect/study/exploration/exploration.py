"""A study opened for questions: the one object that the explorer's pages and `conspect explore --ask` ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import ConspectError, user_error
from conspect.core.spaces import Float64
from conspect.results.additions import ConceptAddition
from conspect.results.explanations import ConceptMaps, ImageExplanation
from conspect.results.exploration import (
    Confusion,
    Decision,
    Done,
    HeatmapView,
    ImageList,
    ImagePage,
    LabelDecision,
    LensAnswer,
    Order,
    Recount,
    ShownFiles,
    StudyOverview,
    StudyState,
    SuspectQueue,
)
from conspect.results.results import Results
from conspect.study.concept_additions import Shares
from conspect.study.exploration.asking import answer
from conspect.study.exploration.filters import Annotations, ImageFilter, Selection, select
from conspect.study.exploration.findings import Findings
from conspect.study.exploration.folders import Desktop, Folders, printable
from conspect.study.exploration.image_page import image_page, row_of
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.lists import as_csv, confusion, heatmap, image_list, image_row, ordered
from conspect.study.exploration.notes import Notes
from conspect.study.exploration.overview import overview
from conspect.study.exploration.phrases import Phrases
from conspect.study.exploration.proving import Proving
from conspect.study.exploration.suspects import recount, suspect_queue
from conspect.study.exploration.views import Views

MOST_CONCEPTS = 1000
MOST_MAPS = 60


class Exploration:
    """Questions to one finished study, from several threads. Only `decide`, `tag` and `add_concepts` change anything."""

    def __init__(
        self,
        name: str,
        results: Results,
        findings: Findings,
        index: StudyIndex,
        *,
        phrases: Phrases,
        notes: Notes,
        proving: Proving,
        metadata: Mapping[str, Sequence[str | None]],
        digest: str,
        views: Views,
        folders: Folders,
    ) -> None:
        """`digest`: of the results, for addresses of pictures and for telling that a study was run again."""
        self.index, self.notes, self.proving, self.digest, self.views = index, notes, proving, digest, views
        self.state = StudyState.FINISHED
        self._name, self._results, self._findings, self._phrases = name, results, findings, phrases
        self._metadata = metadata
        self._diagnoses = {
            index.row_of[image]: finding.diagnosis
            for image, finding in findings.images.items()
            if image in index.row_of
        }
        self._broken = {
            pair: frozenset(index.row_of[name] for name in names if name in index.row_of)
            for pair, names in findings.broken.items()
        }
        self._folders = folders
        self._encoding, self._explaining, self._adding = Lock(), Lock(), Lock()

    @property
    def annotations(self) -> Annotations:
        """Diagnoses, tags, metadata and verdicts as they are now."""
        return Annotations(
            self._diagnoses,
            self.notes.tags,
            self._metadata,
            broken=self._broken,
            verdicts=self._verdicts,
            accepted=None if self._verdicts is None else self.views.watched.accepted,
            changed=None if self.views.before is None else self.views.compared.sides,
        )

    @cached_property
    def _verdicts(self) -> NDArray[np.int8] | None:
        try:
            return self.views.watched.verdicts
        except ConspectError:
            return None

    def overview(self) -> StudyOverview:
        """The first screen."""
        findings = self._findings
        return overview(
            self._name,
            self._results,
            self.index,
            self.annotations,
            state=self.state,
            concepts=findings.concepts,
            sentences=findings.sentences,
            digest=self.digest,
            compared=self.views.before,
            has_files=self._folders.any,
        )

    def images(self, asked: ImageFilter, *, order: Order, offset: int, limit: int) -> ImageList:
        """A range of the images that pass. Raises UserError EXPLORE001 or EXPLORE002."""
        return image_list(self.index, self.annotations, self._selection(asked), order=order, offset=offset, limit=limit)

    def csv(self, asked: ImageFilter, order: Order) -> str:
        """All images that pass, as a table for a spreadsheet. Raises UserError EXPLORE001 or EXPLORE002."""
        selection, annotations = self._selection(asked), self.annotations
        rows = ordered(self.index, selection, order)
        return as_csv(image_row(self.index, annotations, int(row), selection.margin) for row in rows)

    def confusion(self, asked: ImageFilter) -> Confusion:
        """True classes against outputs. Raises UserError EXPLORE001 or EXPLORE002."""
        return confusion(self.index, self._selection(asked))

    def heatmap(self, asked: ImageFilter) -> HeatmapView:
        """How often one concept is stronger than another. Raises UserError EXPLORE001 or EXPLORE002."""
        names, directions = self._concepts()
        unseen = tuple(entry.name for entry in self._findings.concepts if entry.grade == "not seen")
        confidence = self._results.asked.confidence
        return heatmap(self.index, self._selection(asked), names, directions, unseen, confidence=confidence)

    def ask(self, text: str) -> LensAnswer:
        """A concept or pair in plain words. Raises UserError EXPLORE002."""
        grades = {e.name: (e.grade, e.reasons) for e in self._findings.concepts if e.grade is not None}
        with self._encoding:  # one text encoder, which need not be safe to share
            self._phrases.directions([n for n in self._names_in(text) if n is not None])
        return answer(self.index, self._phrases, self.annotations, text, grades)

    def image(self, name: str) -> ImagePage:
        """All that is known of one image. Raises UserError EXPLORE003."""
        grades = {entry.name: entry.grade for entry in self._findings.concepts if entry.grade is not None}
        monitor = self.views.opinion(self.index.embedding(row_of(self.index, name)))
        finding = self._findings.images.get(name)
        path = self._folders.file(row_of(self.index, name))
        file = None if path is None else printable(path)
        return image_page(
            self.index, self.annotations, name, grades=grades, finding=finding, monitor=monitor, file=file
        )

    def show(self, names: Sequence[str]) -> ShownFiles:
        """Files of images in the file manager. Raises UserError EXPLORE002 for too many, EXPLORE003 for one that is no file."""
        return self._folders.show([row_of(self.index, name) for name in names], Desktop.own())

    def add_concepts(self, words: Sequence[str], shares: Shares, *, write: bool) -> ConceptAddition:
        """What makes words concepts; with `write` it is written. Raises UserError STUDY009, OutsideError STORE001."""
        with self._adding:
            return self.views.add_concepts(words, shares, write=write)

    def explanation(self, name: str) -> ImageExplanation:
        """One image in concepts: minimal sets, the smallest change that helps, maps. Raises UserError EXPLORE003."""
        row = row_of(self.index, name)
        with self._explaining:  # maps take the model, which need not be safe to share
            return self.views.explainer.image(row)

    def maps(self, name: str, concept: str | None) -> ConceptMaps:
        """Where on an image a concept is, or each of the first `MOST_MAPS`. Raises UserError EXPLORE001, EXPLORE003."""
        row, names = row_of(self.index, name), self.index.lens.concept_names
        if concept is not None and concept not in names:
            raise user_error(
                "EXPLORE001", f"the study has no concept {concept[:100]!r}", f"concepts: {', '.join(names[:20])}"
            )
        with self._explaining:
            maps = self.views.explainer.maps(row, names[:MOST_MAPS] if concept is None else [concept])
        return ConceptMaps(maps or (), "" if maps else self.views.explainer.without_maps)

    def suspects(self, *, offset: int, limit: int) -> SuspectQueue:
        """Suspect labels, most suspect first."""
        scores = {
            self.index.row_of[name]: suspect
            for name, suspect in self._findings.suspects.items()
            if name in self.index.row_of
        }
        return suspect_queue(self.index, self.annotations, scores, self.notes.decisions, offset=offset, limit=limit)

    def decide(self, decision: LabelDecision) -> Recount:
        """Keeps a decision. Raises UserError EXPLORE001 for a label, EXPLORE003 for an image that the study does not have."""
        row_of(self.index, decision.id)
        if decision.decision is Decision.RELABEL and decision.label is None:
            raise user_error("EXPLORE002", "a relabelling without a label", "say which class it is instead")
        if decision.decision is Decision.RELABEL and decision.label not in self.index.class_names:
            fix = f"classes: {', '.join(self.index.class_names[:20])}"
            raise user_error("EXPLORE001", f"the model has no class {str(decision.label)[:100]!r}", fix)
        self.notes.decide(decision)
        return recount(self.index, self.notes.decisions)

    def undecide(self, name: str) -> Recount:
        """Forgets a decision. Raises UserError EXPLORE003."""
        row_of(self.index, name)
        self.notes.undecide(name)
        return recount(self.index, self.notes.decisions)

    def tag(self, names: Sequence[str], tag: str, *, remove: bool) -> Done:
        """Tags images. Raises UserError EXPLORE002 for what is no tag, EXPLORE003 for an image that is not there."""
        for name in names:
            row_of(self.index, name)
        self.notes.tag(names, tag, remove=remove)
        return Done(len(names))

    def warm(self) -> None:
        """Loads what the first question would wait for."""
        with self._encoding:
            self._phrases.directions(["something"])
        # Every shard is read, compared with its digest and mapped: a scan that is asked for does not wait for that.
        self.index.products(np.zeros((1, self.index.model_space.size), np.float32))
        self.heatmap(ImageFilter())
        _ = self.index.refitted, self.index.by_confidence, self.index.folded_names, self.index.row_of, self.index.seen
        _ = self.views.reality.usual, self._verdicts
        self.proving.check("")
        if self.views.before is not None:
            self.views.compared.page()
        if len(self.index):
            self.views.sliders.page(self.annotations, self.index.ids[0], {})
            self.image(self.index.ids[0])
            self.explanation(self.index.ids[0])

    def _names_in(self, text: str) -> tuple[str, str | None]:
        reading = self._phrases.read(text)
        return reading.first, reading.second

    def _selection(self, asked: ImageFilter) -> Selection:
        if asked.pair is not None:
            with self._encoding:
                self._phrases.directions([n for n in self._names_in(asked.pair) if n is not None])
        return select(self.index, self._phrases, self.annotations, asked)

    def _concepts(self) -> tuple[tuple[str, ...], Float64]:
        lens = self.index.lens
        return lens.concept_names[:MOST_CONCEPTS], lens.directions[:MOST_CONCEPTS]
