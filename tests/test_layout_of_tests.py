"""What the tests share lies in modules that are not tests, so that each can be run, moved or deleted alone."""

import ast
from pathlib import Path

import pytest

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
