"""Opening a finished study for questions: its results, its embeddings in the store, its notes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.texts import cached_text_encoder
from conspect.core.capabilities import metadata_of
from conspect.core.diagnostics import ConspectError
from conspect.core.digests import digest_file
from conspect.core.protocols import ImageDataset, ProgressBar, VisionLanguageModel, silent
from conspect.report.wording import findings
from conspect.study.exploration.exploration import Exploration
from conspect.study.exploration.findings import findings_of
from conspect.study.exploration.folders import Folders
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.notes import Notes
from conspect.study.exploration.phrases import Phrases, TextEncoder
from conspect.study.exploration.proving import Proving
from conspect.study.exploration.views import Views
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.study import RESULTS_FILE, Study

# Any words do: what counts is that the tower is loaded.
FIRST_TEXT = "a photograph"


@dataclass(frozen=True, eq=False)
class OpenedStudy:
    """A study ready for questions; `images` are those of the test split, `rows` the ones that the explorer's rows stand for."""

    exploration: Exploration
    images: ImageDataset
    rows: tuple[int, ...]
    folder: Path


def index_of(inputs: StudyInputs, measured: Measurements) -> StudyIndex:
    """What questions are answered from, of a study that was measured."""
    return StudyIndex(
        ids=measured.ids,
        labels=measured.labels,
        facts=measured.facts,
        refit=lambda: measured.refitted,
        class_names=tuple(inputs.model.class_names),
        head=inputs.model.head,
        lens=measured.lens,
        class_directions=measured.class_directions,
        model_space=measured.test.model_space,
        vlm_space=measured.test.vlm_space,
    )


def opened(
    folder: Path, bar: ProgressBar = silent, *, before: Path | None = None, texts_soon: bool = False
) -> OpenedStudy:
    """Opens the study in `folder`; `before`: an earlier one, its folder or its results.json, to compare it with.

    `texts_soon`: words will be asked for, so the text tower, which takes seconds to load, is loaded beside the measuring.

    Raises UserError STUDY003 when it was not run to its end, STUDY004 when its inputs changed since, EXPLORE004 for tables of
    notes that are none, and the errors of the adapters.
    """
    return opened_study(Study.open(folder), bar, before=before, texts_soon=texts_soon)


def opened_study(
    study: Study, bar: ProgressBar = silent, *, before: Path | None = None, texts_soon: bool = False
) -> OpenedStudy:
    """As `opened`, of a study whose inputs may be objects of the caller's own. Raises as it does."""
    inputs = study.inputs
    encode = cached_text_encoder(inputs.vlm, study.store)
    if texts_soon:
        encode = _loaded_beside(inputs.vlm, encode)
    results = study.results()  # after the inputs are open, so that results of others are told, not measured anew
    measured = study.measurements(bar, counted=False)
    index = index_of(inputs, measured)
    concepts = inputs.concepts
    exploration = Exploration(
        study.folder.absolute().name,
        results,
        findings_of(results, tuple(findings(results))),
        index,
        phrases=Phrases(concepts.concepts, measured.lens.directions, concepts.concept_templates, encode),
        notes=Notes(study.folder),
        proving=Proving(study),
        metadata={
            column: [values[row] for row in measured.test.rows] for column, values in metadata_of(inputs.test).items()
        },
        digest=digest_file(study.folder / RESULTS_FILE)[:32],
        views=Views(study, results, index, before),
        folders=Folders(inputs.test, measured.test.rows.tolist()),
    )
    if before is not None:
        _ = exploration.views.compared  # what is wrong with it is said now
    return OpenedStudy(exploration, inputs.test, tuple(int(row) for row in measured.test.rows), study.folder)


def _loaded_beside(vlm: VisionLanguageModel, encode: TextEncoder) -> TextEncoder:
    """`encode`, once a thread of its own has loaded the text tower; what is wrong with that is said to whoever asks."""

    def load() -> None:
        with suppress(ConspectError):
            vlm.embed_texts([FIRST_TEXT])

    loading = Thread(target=load, daemon=True)
    loading.start()

    def encode_loaded(texts: list[str]) -> NDArray[np.float32]:
        loading.join()
        return encode(texts)

    return encode_loaded
