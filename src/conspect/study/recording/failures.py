"""Every misclassified image with its verdicts: the first thousand in results.json, all of them in a table beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from conspect.adapters.exports.arrow import Columns, ColumnType, write_stream
from conspect.analysis.diagnosis.images import ImageDiagnosis
from conspect.analysis.localization import Culprit, Localization, localize
from conspect.core.capabilities import metadata_of
from conspect.core.percentages import rounded_share
from conspect.core.protocols import Engine, ProgressBar
from conspect.core.spaces import Head
from conspect.results.localization import Failure, slice_column
from conspect.results.shares import BrokenPair
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.details import ImageDetails, image_details
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.concepts import Explainer

# So many failures stand in results.json and on the page.
KEPT = 1000
FAILURES_FILE = "failures.arrows"
TYPES: dict[str, ColumnType] = {
    "id": "text",
    "label": "text",
    "output": "text",
    "confidence": "number",
    "cause": "text",
    "label_wrong": "number",
    "label_instead": "text",
    "paper_verdict": "text",
    "refitted_head_verdict": "text",
    "vlm_says": "text",
    "vlm_says_through_lens": "text",
    "went_wrong": "text",
}


def verdicts_of(measured: Measurements, head: Head) -> list[Localization]:
    """The oracles' verdicts on every failure of the model with this head, in the order of the images; undecided where none was
    found in it, so that head and encoder are one.
    """
    answers = measured.answers
    verdicts = localize(
        measured.labels,
        answers.outputs,
        vlm_on_image=answers.vlm_on_image,
        vlm_on_mapped=answers.vlm_on_mapped,
        refitted=answers.refitted,
    )
    if not head.is_identity:
        return verdicts
    return [replace(verdict, by_vlm=Culprit.UNDECIDED, by_refitted_head=Culprit.UNDECIDED) for verdict in verdicts]


@dataclass(frozen=True, eq=False)
class FailureWriter:
    """Puts together what is known of every failure; `verdicts` and `diagnoses`, one each, in the order of the images.

    `slices`: columns of metadata whose values the table keeps, so that two studies can meet image by image in each slice.
    """

    inputs: StudyInputs
    measured: Measurements
    verdicts: Sequence[Localization]
    diagnoses: Sequence[ImageDiagnosis]
    explainer: Explainer
    slices: Sequence[str] = ()

    def write(self, path: Path, *, engine: Engine, bar: ProgressBar) -> tuple[Failure, ...]:
        """Writes all failures to `path` as an Arrow stream, a part at a time; returns the first `KEPT`.

        Raises OutsideError STORE001.
        """
        images = np.asarray([verdict.row for verdict in self.verdicts], dtype=np.int64)
        advance = bar("failures", len(images))
        details = image_details(self.measured, self.inputs.model.head, images, engine, progress=advance)
        kept: list[Failure] = []

        def batches() -> Iterator[Columns]:
            start = 0
            for part in details:
                stop = start + len(part.images)
                kept.extend(self._record(start + k, part, k) for k in range(min(len(part.images), KEPT - len(kept))))
                yield self._columns(range(start, stop), part)
                start = stop

        concepts: dict[str, ColumnType] = {f"strength {name}": "number" for name in self.inputs.concepts.names}
        slices: dict[str, ColumnType] = {slice_column(name): "text" for name in self.slices}
        write_stream(path, TYPES | slices | concepts, batches())
        return tuple(kept)

    def _record(self, number: int, part: ImageDetails, k: int) -> Failure:
        """Failure `number`, which is image `k` of the part."""
        verdict, diagnosis = self.verdicts[number], self.diagnoses[number]
        classes, concepts, answers = self.inputs.model.class_names, self.inputs.concepts.names, self.measured.answers
        return Failure(
            id=self.measured.ids[verdict.row],
            label=classes[verdict.label],
            output=classes[verdict.output],
            confidence=rounded_share(part.confidence[k]),
            cause=diagnosis.cause.value,
            label_wrong=round(diagnosis.label_wrong, 4),
            label_instead=classes[diagnosis.instead],
            paper_verdict=verdict.by_vlm.value,
            refitted_head_verdict=verdict.by_refitted_head.value,
            vlm_says=classes[int(answers.vlm_on_image[verdict.row])],
            vlm_says_through_lens=classes[int(answers.vlm_on_mapped[verdict.row])],
            explanation=self.explainer.explanation(part.strengths[k], verdict.label, verdict.output),
            went_wrong=tuple(
                BrokenPair(
                    stronger=concepts[pair.stronger], weaker=concepts[pair.weaker], usual=round(float(pair.usual), 4)
                )
                for pair in part.broken[k]
            ),
            strengths=tuple(round(float(v), 5) for v in part.strengths[k]),
        )

    def _columns(self, numbers: range, part: ImageDetails) -> Columns:
        """The table's columns for the failures `numbers`; broken pairs as text, such as "wings > wheels; beak > text"."""
        verdicts = self.verdicts[numbers.start : numbers.stop]
        diagnoses = self.diagnoses[numbers.start : numbers.stop]
        classes, concepts, answers = self.inputs.model.class_names, self.inputs.concepts.names, self.measured.answers
        columns: Columns = {
            "id": [self.measured.ids[verdict.row] for verdict in verdicts],
            "label": [classes[verdict.label] for verdict in verdicts],
            "output": [classes[verdict.output] for verdict in verdicts],
            "confidence": [rounded_share(value) for value in part.confidence],
            "cause": [diagnosis.cause.value for diagnosis in diagnoses],
            "label_wrong": [round(diagnosis.label_wrong, 4) for diagnosis in diagnoses],
            "label_instead": [classes[diagnosis.instead] for diagnosis in diagnoses],
            "paper_verdict": [verdict.by_vlm.value for verdict in verdicts],
            "refitted_head_verdict": [verdict.by_refitted_head.value for verdict in verdicts],
            "vlm_says": [classes[int(answers.vlm_on_image[verdict.row])] for verdict in verdicts],
            "vlm_says_through_lens": [classes[int(answers.vlm_on_mapped[verdict.row])] for verdict in verdicts],
            "went_wrong": [
                "; ".join(f"{concepts[pair.stronger]} > {concepts[pair.weaker]}" for pair in pairs)
                for pairs in part.broken
            ],
        }
        rounded, metadata = np.round(part.strengths, 5), metadata_of(self.inputs.test)
        rows = [self.measured.test.rows[verdict.row] for verdict in verdicts]
        columns |= {slice_column(name): [metadata[name][row] for row in rows] for name in self.slices}
        return columns | {f"strength {name}": rounded[:, k].tolist() for k, name in enumerate(concepts)}
