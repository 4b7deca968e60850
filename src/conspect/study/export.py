"""A finished study, image by image, for other tools: what the model said, who is to blame, how strong each concept is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.exports.arrow import read_stream
from conspect.core.capabilities import file_of, metadata_of
from conspect.core.protocols import ProgressBar, silent
from conspect.study.measuring.details import image_details
from conspect.study.recording.failures import FAILURES_FILE, verdicts_of
from conspect.study.study import Study

ExportFormat = Literal["csv", "fiftyone", "parquet"]
Cell: TypeAlias = str | int | float | bool | list[str] | None
Row: TypeAlias = dict[str, Cell]
# Columns of the table of failures that stand beside the verdicts.
DIAGNOSED = ("cause", "label_wrong", "label_instead")


def export(study: Study, to: ExportFormat, out: Path, *, bar: ProgressBar = silent) -> int:
    """Writes every readable test image of a finished study to `out`; returns how many. docs/export.md has the fields.

    Raises UserError STUDY003 or STUDY004 when the study has no results of today, OutsideError STORE001.
    """
    rows = export_rows(study, bar)
    if to == "csv":
        from conspect.adapters.exports.tables import write_csv

        write_csv(rows, out)
    elif to == "parquet":
        from conspect.adapters.exports.tables import write_parquet

        write_parquet(rows, out)
    else:
        from conspect.adapters.exports.fiftyone import write_fiftyone

        test, places = study.inputs.test, study.measurements().test.rows

        def pixels(row: int) -> NDArray[np.uint8]:
            return test.image(int(places[row]))

        write_fiftyone(rows, out, name=f"conspect: {test.name}", pixels=pixels, advance=bar("export", len(rows)))
    return len(rows)


def export_rows(study: Study, bar: ProgressBar = silent) -> list[Row]:
    """One row for each readable test image, in the data set's order, all with the same fields.

    Causes and verdicts are those of the last run; they are None for images that are classified right.
    """
    study.results()  # refused when they are stale
    measured, test = study.measurements(bar), study.inputs.test
    verdicts = {verdict.row: verdict for verdict in verdicts_of(measured, study.inputs.model.head)}
    table = read_stream(study.folder / FAILURES_FILE)
    known = {str(name): k for k, name in enumerate(table["id"])}
    classes, concepts = study.inputs.model.class_names, study.inputs.concepts.names
    slices = {name: metadata_of(test)[name] for name in study.config.data.slices or ()}
    advance, head, answers = bar("rows", len(measured.test)), study.inputs.model.head, measured.answers
    rows: list[Row] = []
    images = np.arange(len(measured.test))
    for part in image_details(measured, head, images, study.store.engine, progress=advance):
        for k, row in enumerate(part.images.tolist()):
            place, verdict = int(measured.test.rows[row]), verdicts.get(row)
            path = file_of(test, place)
            label, output = int(measured.labels[row]), int(measured.outputs[row])
            failure = known.get(measured.ids[row])
            rows.append(
                {
                    "id": measured.ids[row],
                    "path": None if path is None else str(path.resolve()),
                    "label": classes[label],
                    "output": classes[output],
                    "correct": label == output,
                    "confidence": float(part.confidence[k]),
                    **{key: None if failure is None else table[key][failure] for key in DIAGNOSED},
                    "refitted_head_verdict": None if verdict is None else verdict.by_refitted_head.value,
                    "verdict": None if verdict is None else verdict.by_vlm.value,
                    "vlm_says": classes[int(answers.vlm_on_image[row])],
                    "vlm_says_through_lens": classes[int(answers.vlm_on_mapped[row])],
                    "broken": [f"{concepts[pair.stronger]} > {concepts[pair.weaker]}" for pair in part.broken[k]],
                    **{f"slice {column}": values[place] for column, values in slices.items()},
                    **{f"strength {concept}": float(part.strengths[k, c]) for c, concept in enumerate(concepts)},
                }
            )
    return rows
