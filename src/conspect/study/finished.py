"""Results of a finished study, wherever they lie: a study's folder, a copy of one, or its results.json alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from conspect.adapters.exports.arrow import column_names, read_ranks, read_stream
from conspect.comparison.accuracy import Failures, listed_failures
from conspect.comparison.orders import Orders
from conspect.core.diagnostics import user_error
from conspect.core.files import read_content
from conspect.results.comparison import ChangedImage
from conspect.results.heatmaps import order_column
from conspect.results.localization import slice_column
from conspect.results.results import Results, decoded_results
from conspect.study.recording.orders import ORDERS_FILE
from conspect.study.study import CONFIG_FILE, RESULTS_FILE, Study


def finished_results(place: Path) -> Results:
    """A folder with study.toml is checked for being up to date; a baseline may be a folder without one, or the file.

    Raises UserError STUDY003 when there are no results, STUDY004 when they are older than what they were made of.
    """
    if (place / CONFIG_FILE).is_file():
        return Study.open(place).results()
    path = place / RESULTS_FILE if place.is_dir() else place
    try:
        return decoded_results(read_content(path))
    except FileNotFoundError as error:
        raise user_error("STUDY003", f"there is no {path}", "name a study's folder, or a results.json") from error
    except (OSError, ValueError) as error:
        fix = "run the study again with this version: conspect run DIR"
        raise user_error("STUDY003", f"{path} cannot be read: {error}", fix) from error


class FinishedStudy(NamedTuple):
    """Results with every failure and the order of concepts in every image; None where a table is not beside the file."""

    results: Results
    failures: Failures | None
    orders: Orders | None = None


def finished_study(place: Path) -> FinishedStudy:
    """The results at `place`, with the tables beside them. Raises UserError as `finished_results`, OutsideError STORE002."""
    results = finished_results(place)
    folder = place if place.is_dir() else place.parent
    return FinishedStudy(results, _failures(results, folder), _orders(results, folder))


def _orders(results: Results, folder: Path) -> Orders | None:
    name, concepts = results.heatmaps.orders, results.heatmaps.concepts
    table = folder / (name or ORDERS_FILE)
    if name is None or table.parent != folder or not table.is_file():
        return None
    wanted = [order_column(concept) for concept in concepts]
    if not {"id", "label", *wanted} <= set(column_names(table)):
        return None  # a table of another run
    columns = read_stream(table, ("id", "label"))
    ranks = read_ranks(table, wanted)
    return Orders(tuple(map(str, columns["id"])), tuple(map(str, columns["label"])), concepts, ranks)


def _failures(results: Results, folder: Path) -> Failures | None:
    table = folder / results.localization.table
    asked = () if results.slices is None else tuple(column.name for column in results.slices.columns)
    listed = listed_failures(results)
    if table.parent != folder or not table.is_file():
        return listed
    if listed is not None and not asked:
        return listed
    present = set(column_names(table))
    slices = {name: slice_column(name) for name in asked if slice_column(name) in present}
    columns = read_stream(table, ("id", "label", "output", *slices.values()))
    rows = zip(columns["id"], columns["label"], columns["output"], strict=True)
    images = tuple(ChangedImage(id=str(name), label=str(label), output=str(output)) for name, label, output in rows)
    if len(images) != results.localization.failures:
        return None
    values = {
        name: {
            str(image): None if value is None else str(value)
            for image, value in zip(columns["id"], columns[column], strict=True)
        }
        for name, column in slices.items()
    }
    return Failures(images, values)
