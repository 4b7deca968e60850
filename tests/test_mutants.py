"""The driver of mutation testing: it makes the mistakes that it says, kills what a test sees, and finds what none does."""

import ast
from pathlib import Path

import pytest

from tests import mutants

SOURCE = '''"""Two numbers."""


def larger(a: int, b: int = -1) -> int:
    """The larger one."""
    if not isinstance(a, int) and b is None:
        raise TypeError(f"{a + 1}")
    return a if a > b else b
'''
TEST = """from toy.numbers import larger


def test_larger():
    assert larger(1, 2) == 2
    assert larger(2, 1) == 2
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "numbers.py").write_text(SOURCE)
    (tmp_path / "test_toy.py").write_text(TEST)
    monkeypatch.setattr(mutants, "SOURCES", package)
    monkeypatch.syspath_prepend(tmp_path)
    return package


def test_every_place_is_one_mistake_and_messages_and_annotations_are_none(toy: Path) -> None:
    found = mutants.mutants_of(toy / "numbers.py")
    assert {(one.line, one.what) for one in found} == {
        (4, "a sign lost"),
        (4, "1 for 2"),
        (6, "a condition turned round"),
        (6, "And for Or"),
        (6, "Is for IsNot"),
        (8, "a condition turned round"),
        (8, "Gt for GtE"),
    }
    codes = {ast.unparse(_changed(toy / "numbers.py", one.number)) for one in found}
    assert len(codes) == len(found)
    assert SOURCE not in codes


def _changed(path: Path, number: int) -> ast.Module:
    tree = ast.parse(path.read_text())
    list(mutants.places(tree))[number][2]()
    return ast.fix_missing_locations(tree)


@pytest.mark.slow
def test_a_mistake_that_a_test_sees_is_killed_and_another_survives(toy: Path) -> None:
    tests = [str(toy.parent / "test_toy.py")]
    by_name = {(one.line, one.what): one for one in mutants.mutants_of(toy / "numbers.py")}
    assert mutants.outcome(None, tests, 60) == "passed"
    assert mutants.outcome(by_name[8, "a condition turned round"], tests, 60) == "failed"
    assert mutants.outcome(by_name[8, "Gt for GtE"], tests, 60) == "passed"  # equal numbers are the same number
    assert mutants.outcome(by_name[6, "Is for IsNot"], tests, 0.0) == "late"


def test_a_sample_is_drawn_by_its_seed_and_leaves_out_what_is_justified(monkeypatch: pytest.MonkeyPatch) -> None:
    first = mutants.sample("statistics", 10, 0)
    assert first == mutants.sample("statistics", 10, 0)
    assert first != mutants.sample("statistics", 10, 1)
    known = {(one.file, mutants.text_of(one), one.what): "the same" for one in first}
    monkeypatch.setattr(mutants, "justified", lambda: known)
    left = mutants.sample("statistics", 10_000, 0)
    assert len(left) > 400
    assert not set(left) & set(first)


def test_what_is_justified_is_still_there() -> None:
    known = mutants.justified()
    assert len(known) >= 2
    for file, line, _ in known:
        assert line in (mutants.SOURCES / file).read_text(encoding="utf-8"), f"{file}: {line}"


@pytest.mark.parametrize("room", mutants.ROOMS)
def test_every_room_has_its_tests_and_those_that_name_a_module_come_first(room: str) -> None:
    tests = mutants.tests_for("none", room)
    assert len(tests) >= 3
    assert sorted(mutants.tests_for("statistics/intervals.py", "statistics")) == sorted(
        mutants.tests_for("none", "statistics")
    )
    assert mutants.tests_for("statistics/intervals.py", "statistics")[0].endswith("test_intervals.py")
