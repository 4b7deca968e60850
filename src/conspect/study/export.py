"""A finished study, image by image, for other tools: what the model said, who is to blame, how strong each concept is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.exports.arrow import read_stream
from conspect.adapters.exports.tables import CellType, Row
from conspect.core.capabilities import file_of, metadata_of
from conspect.core.protocols import ProgressBar, silent
from conspect.study.measuring.details import image_details
from conspect.study.recording.failures import FAILURES_FILE, verdicts_of
from conspect.study.study import Study

ExportFormat = Literal["csv", "fiftyone", "parquet"]
# Columns of the table of failures that stand beside the verdicts.
DIAGNOSED = ("cause", "label_wrong", "label_instead")


def export(study: Study, to: ExportFormat, out: Path, *, bar: ProgressBar = silent) -> int:
    """Writes every readable test image of a finished study to `out`; returns how many. docs/export.md has the fields.

    Raises UserError STUDY003 or STUDY004 when the study has no results of today, OutsideError STORE001.
    """
    columns, rows = export_columns(study), stream_rows(study, bar)
    if to == "csv":
        from conspect.adapters.exports.tables import write_csv

        return write_csv(rows, tuple(columns), out)
    if to == "parquet":
        from conspect.adapters.exports.tables import write_parquet

        return write_parquet(rows, columns, out)
    from conspect.adapters.exports.fiftyone import write_fiftyone

    test, places = study.inputs.test, study.measurements(bar).test.rows

    def pixels(row: int) -> NDArray[np.uint8]:
        return test.image(int(places[row]))

    return write_fiftyone(rows, tuple(columns), out, name=f"conspect: {test.name}", pixels=pixels)


def export_columns(study: Study) -> dict[str, CellType]:
    """The fields of every row, in order, and what each holds."""
    concepts, metadata = study.inputs.concepts.names, metadata_of(study.inputs.test)
    return {
        "id": CellType.TEXT,
        "path": CellType.TEXT,
        "label": CellType.TEXT,
        "output": CellType.TEXT,
        "correct": CellType.TRUTH,
        "confidence": CellType.NUMBER,
        "cause": CellType.TEXT,
        "label_wrong": CellType.NUMBER,
        "label_instead": CellType.TEXT,
        "refitted_head_verdict": CellType.TEXT,
        "paper_verdict": CellType.TEXT,
        "vlm_says": CellType.TEXT,
        "vlm_says_through_lens": CellType.TEXT,
        "broken": CellType.TEXTS,
        **{f"slice {name}": _cell_type(metadata[name]) for name in study.config.data.slices or ()},
        **{f"strength {concept}": CellType.NUMBER for concept in concepts},
    }


def _cell_type(values: Sequence[object]) -> CellType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return CellType.TRUTH
    if kinds == {int}:
        return CellType.WHOLE
    return CellType.NUMBER if kinds and kinds <= {int, float} else CellType.TEXT


def export_rows(study: Study, bar: ProgressBar = silent) -> list[Row]:
    """All rows at once; see `stream_rows`."""
    return list(stream_rows(study, bar))


def stream_rows(study: Study, bar: ProgressBar = silent) -> Iterator[Row]:
    """One row for each readable test image, in the data set's order, all with the same fields, a part in memory at a time.

    Causes and verdicts are those of the last run; they are None for images that are classified right.
    """
    study.results()  # refused when they are stale
    measured, test = study.measurements(bar), study.inputs.test
    verdicts = verdicts_of(measured, study.inputs.model.head)
    # The table has the failures in the order of the images, as the verdicts are.
    table = read_stream(study.folder / FAILURES_FILE, DIAGNOSED)
    number = {verdict.row: k for k, verdict in enumerate(verdicts)}
    classes, concepts = study.inputs.model.class_names, study.inputs.concepts.names
    slices = {name: metadata_of(test)[name] for name in study.config.data.slices or ()}
    advance, head, answers = bar("rows", len(measured.test)), study.inputs.model.head, measured.answers
    images = np.arange(len(measured.test))
    for part in image_details(measured, head, images, study.store.engine, progress=advance):
        for k, row in enumerate(part.images.tolist()):
            place, failure = int(measured.test.rows[row]), number.get(row)
            path, verdict = file_of(test, place), None if failure is None else verdicts[failure]
            label, output = int(measured.labels[row]), int(measured.outputs[row])
            yield {
                "id": measured.ids[row],
                "path": None if path is None else str(path.resolve()),
                "label": classes[label],
                "output": classes[output],
                "correct": label == output,
                "confidence": float(part.confidence[k]),
                **{key: None if failure is None else table[key][failure] for key in DIAGNOSED},
                "refitted_head_verdict": None if verdict is None else verdict.by_refitted_head.value,
                "paper_verdict": None if verdict is None else verdict.by_vlm.value,
                "vlm_says": classes[int(answers.vlm_on_image[row])],
                "vlm_says_through_lens": classes[int(answers.vlm_on_mapped[row])],
                "broken": [f"{concepts[pair.stronger]} > {concepts[pair.weaker]}" for pair in part.broken[k]],
                **{f"slice {column}": values[place] for column, values in slices.items()},
                **{f"strength {concept}": float(part.strengths[k, c]) for c, concept in enumerate(concepts)},
            }
