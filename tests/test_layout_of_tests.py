"""What the tests share lies in modules that are not tests; no test passes because there was nothing to see."""

import ast
from pathlib import Path

import pytest

from tests.empty_tests import unseeing_tests

TESTS = Path(__file__).parent
MODULES = sorted(TESTS.rglob("*.py"))


def imported_tests(source: str, package: tuple[str, ...]) -> set[str]:
    """Dotted names of the test modules that `source` imports, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("tests.") and name.split(".")[-1].startswith("test_")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_module_imports_a_test_module(path: Path) -> None:
    package = ("tests", *path.relative_to(TESTS).parent.parts)
    assert imported_tests(path.read_text(encoding="utf-8"), package) == set()


@pytest.mark.parametrize(
    "source",
    [
        "from tests.study.test_slices import leaves",
        "def f():\n    import tests.study.test_slices",
        "from tests.study import test_slices",
        "from . import test_slices",
        "from .test_slices import leaves",
    ],
)
def test_the_check_can_fail(source: str) -> None:
    assert imported_tests(source, ("tests", "study")) == {"tests.study.test_slices"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_test_passes_because_there_was_nothing_to_see(path: Path) -> None:
    """Where a loop holds all assertions, the test asserts how often it was entered; where a branch does, both assert."""
    assert unseeing_tests(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("body", "may_see_nothing"),
    [
        ("for x in found(): assert x", True),
        ("if found(): assert True", True),
        ("for x in [y for y in found()]: assert x", True),
        ("for x in range(len(found())): assert x", True),
        ("if found():\n        assert True\n    else:\n        for x in found(): assert x", True),
        ("with suppress(OSError):\n        assert found()", False),
        ("assert len(found()) == 3\n    for x in found(): assert x", False),
        ("for x in (1, 2): assert x", False),
        ("rows = {1: 2}\n    for x in rows.items(): assert x", False),
        ("for x in zip(KNOWN, [1, 2], strict=True): assert x", False),
        ("if found():\n        assert True\n    else:\n        assert False", False),
        ("for x in found():\n        pass", True),
        ("found()", True),
        ("helper()", False),
        ("exec(found())", False),
        ("with pytest.raises(ValueError):\n        found()", False),
        ("assert all(x for x in found())", True),
        ("assert not any(x for x in found()) and all(found())", True),
        ("assert all(map(f, found()))", True),
        ("assert all(x for x in (1, 2) if x)", True),
        ("assert not any(x for x in (1, 2))", False),
        ("assert found()\n    assert all(found())", False),
    ],
)
def test_tests_that_may_see_nothing_are_told_from_others(body: str, may_see_nothing: bool) -> None:
    source = f"def helper():\n    assert found()\n\n\ndef test_it():\n    {body}\n"
    assert unseeing_tests(source) == ["test_it"] * may_see_nothing
