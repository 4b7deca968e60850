from pathlib import Path

import pytest

from conspect.core.codes import CODES

from .golden import FOLDER, inputs, report


@pytest.mark.parametrize("path", inputs(), ids=lambda path: path.stem)
def test_every_example_gives_its_golden_report(path: Path) -> None:
    text = report(path)
    assert f"{path.stem}: " in text
    assert text == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_code_of_the_language_has_an_example_and_every_example_a_code() -> None:
    assert {path.stem for path in inputs()} == {code for code in CODES if code.startswith("SPEC")}
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in inputs()}
