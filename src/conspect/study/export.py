"""A finished study, image by image, for other tools: what the model said, who is to blame, how strong each concept is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.evidence import broken_pairs
from conspect.analysis.heatmaps import by_group
from conspect.core.capabilities import file_of, metadata_of
from conspect.core.protocols import ProgressBar, silent
from conspect.study.recording.assembly import BROKEN_PAIRS
from conspect.study.study import Study

ExportFormat = Literal["csv", "fiftyone", "parquet"]
Cell: TypeAlias = str | int | float | bool | list[str] | None
Row: TypeAlias = dict[str, Cell]


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

        test, places = study.inputs.test, study.measurements().rows

        def pixels(row: int) -> NDArray[np.uint8]:
            return test.image(int(places[row]))

        write_fiftyone(rows, out, name=f"conspect: {test.name}", pixels=pixels, advance=bar("export", len(rows)))
    return len(rows)


def export_rows(study: Study, bar: ProgressBar = silent) -> list[Row]:
    """One row for each readable test image, in the data set's order, all with the same fields.

    Verdicts are those of the last run; they are None for images that are classified right.
    """
    results = study.results()
    measured, test = study.measurements(bar), study.inputs.test
    failures = {failure.id: failure for failure in results.localization.images}
    classes, concepts = study.inputs.model.class_names, study.inputs.concepts.names
    usual = by_group(measured.lens_numerators, measured.labels, len(classes))
    strengths = measured.lens.strengths(measured.embeddings)
    shifted = np.exp(measured.logits - measured.logits.max(1, keepdims=True))
    confidence = shifted.max(1) / shifted.sum(1)
    slices = {name: metadata_of(test)[name] for name in study.config.data.slices or ()}
    advance = bar("rows", len(measured.ids))
    rows = []
    for row, name in enumerate(measured.ids):
        place, failure = int(measured.rows[row]), failures.get(name)
        path = file_of(test, place)
        label, output = int(measured.labels[row]), int(measured.outputs[row])
        broken = broken_pairs(strengths[row], usual[label], limit=BROKEN_PAIRS)
        rows.append(
            {
                "id": name,
                "path": None if path is None else str(path.resolve()),
                "label": classes[label],
                "output": classes[output],
                "correct": label == output,
                "confidence": float(confidence[row]),
                "refitted_head_verdict": None if failure is None else failure.refitted_head_verdict,
                "verdict": None if failure is None else failure.verdict,
                "vlm_says": classes[int(measured.vlm_on_image[row])],
                "vlm_says_through_lens": classes[int(measured.vlm_on_mapped[row])],
                "broken": [f"{concepts[pair.stronger]} > {concepts[pair.weaker]}" for pair in broken],
                **{f"slice {column}": values[place] for column, values in slices.items()},
                **{f"strength {concept}": float(strengths[row, k]) for k, concept in enumerate(concepts)},
            }
        )
        advance(1)
    return rows
