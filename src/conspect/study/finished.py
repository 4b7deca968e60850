"""Results of a finished study, wherever they lie: a study's folder, a copy of one, or its results.json alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from conspect.adapters.exports.arrow import column_names, read_stream
from conspect.comparison.accuracy import Failures, listed_failures
from conspect.core.diagnostics import user_error
from conspect.core.files import read_content
from conspect.results.comparison import ChangedImage
from conspect.results.files import decoded
from conspect.results.localization import slice_column
from conspect.results.results import Results
from conspect.study.study import CONFIG_FILE, RESULTS_FILE, Study


def finished_results(place: Path) -> Results:
    """A folder with study.toml is checked for being up to date; a baseline may be a folder without one, or the file.

    Raises UserError STUDY003 when there are no results, STUDY004 when they are older than what they were made of.
    """
    if (place / CONFIG_FILE).is_file():
        return Study.open(place).results()
    path = place / RESULTS_FILE if place.is_dir() else place
    try:
        return decoded(read_content(path), Results)
    except FileNotFoundError as error:
        raise user_error("STUDY003", f"there is no {path}", "name a study's folder, or a results.json") from error
    except (OSError, ValueError) as error:
        fix = "run the study again with this version: conspect run DIR"
        raise user_error("STUDY003", f"{path} cannot be read: {error}", fix) from error


class FinishedStudy(NamedTuple):
    """Results with every failure; None where only the first are known, because the table is not beside the file."""

    results: Results
    failures: Failures | None


def finished_study(place: Path) -> FinishedStudy:
    """The results at `place`, with all failures from the table beside them. Raises UserError as `finished_results`."""
    results = finished_results(place)
    table = (place if place.is_dir() else place.parent) / results.localization.table
    asked = () if results.slices is None else tuple(column.name for column in results.slices.columns)
    listed = listed_failures(results)
    if table.parent != (place if place.is_dir() else place.parent) or not table.is_file():
        return FinishedStudy(results, listed)
    if listed is not None and not asked:
        return FinishedStudy(results, listed)
    present = set(column_names(table))
    slices = {name: slice_column(name) for name in asked if slice_column(name) in present}
    columns = read_stream(table, ("id", "label", "output", *slices.values()))
    rows = zip(columns["id"], columns["label"], columns["output"], strict=True)
    images = tuple(ChangedImage(id=str(name), label=str(label), output=str(output)) for name, label, output in rows)
    if len(images) != results.localization.failures:
        return FinishedStudy(results, None)
    values = {
        name: {
            str(image): None if value is None else str(value)
            for image, value in zip(columns["id"], columns[column], strict=True)
        }
        for name, column in slices.items()
    }
    return FinishedStudy(results, Failures(images, values))
