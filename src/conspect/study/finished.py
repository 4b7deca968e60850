"""Results of a finished study, wherever they lie: a study's folder, a copy of one, or its results.json alone."""

from __future__ import annotations

from pathlib import Path

from conspect.core.diagnostics import user_error
from conspect.results.files import decoded
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
        return decoded(path.read_bytes(), Results)
    except FileNotFoundError as error:
        raise user_error("STUDY003", f"there is no {path}", "name a study's folder, or a results.json") from error
    except (OSError, ValueError) as error:
        fix = "run the study again with this version: conspect run DIR"
        raise user_error("STUDY003", f"{path} cannot be read: {error}", fix) from error
