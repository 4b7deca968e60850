"""A name that a spreadsheet would compute is written so that it shows it."""

import csv
from pathlib import Path

import pytest

from conspect.adapters.exports.tables import write_csv


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\n=1"])
def test_a_cell_is_never_a_formula(name: str, tmp_path: Path) -> None:
    write_csv(
        [{"id": name, "words": [name, "b"], "number": -0.5, "plain": "a=b"}],
        ["id", "words", "number", "plain"],
        tmp_path / "t.csv",
    )
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["id"] == f"'{name}"
    assert row["words"] == f"'{name}; b"
    assert (row["number"], row["plain"]) == ("-0.5", "a=b")


def test_a_control_character_neither_ends_a_row_nor_reaches_a_terminal(tmp_path: Path) -> None:
    write_csv([{"id": "a\r=1\x1b[2J\u202e"}], ["id"], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "id\na\\u000d=1\\u001b[2J\\u202e\n"
