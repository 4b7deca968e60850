"""Mutation testing of the rooms whose errors would be believed: `python -m tests.mutants ROOM... [--count N] [--seed S]`.

A mutant is the project with one small mistake: another operator, a condition turned round, a number off by one. It is killed
when a test fails, or when the tests take much longer; one that survives shows a line that no test looks at. Mutants are drawn
by a seed, so that each night sees others. Each runs in a fork of a process that has imported the heavy libraries and none of
the project; nothing on disk is changed. Survivors that mean the same as the original are listed, with the reason, in
tests/mutants.toml, and do not count.

The tools for this (mutmut, cosmic-ray) write mutants to disk or into the sources, and run all of a module's mutants, where
here a sample of all rooms must fit into a night.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.util
import json
import os
import random
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[1]
SOURCES, JUSTIFIED = ROOT / "src" / "conspect", ROOT / "tests" / "mutants.toml"
# Room to the folders and files of its tests.
ROOMS = {
    "checker": ("tests/checker", "tests/verification"),
    "verification": ("tests/verification", "tests/checker"),
    "analysis": ("tests/analysis",),
    "monitor/runtime": ("tests/monitor", "tests/web"),
    "statistics": ("tests/statistics", "tests/analysis", "tests/monitor/test_detection.py"),
}
PRELOADED = ("numpy", "scipy.optimize", "scipy.stats", "pytest", "hypothesis", "msgspec", "PIL.Image")
LEAST_SECONDS, SLOWER = 60.0, 4.0
TARGET = 0.85

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Mod: ast.FloorDiv,
}  # fmt: skip
NAMED = {"min": "max", "max": "min", "all": "any", "any": "all", "minimum": "maximum", "maximum": "minimum"}
Change = Callable[[], None]


@dataclass(frozen=True)
class Mutant:
    """One mistake: in a file under src/conspect, on a line, the `number`th place of the file; `what` says it in words."""

    file: str
    line: int
    number: int
    what: str


def places(tree: ast.Module) -> Iterator[tuple[int, str, Change]]:
    """Every place where one mistake can be made: its line, the mistake, and what makes it in the tree."""
    messages = {id(node) for raised in ast.walk(tree) if isinstance(raised, ast.Raise) for node in ast.walk(raised)}
    for node in _code(tree):
        if id(node) not in messages:
            yield from _mistakes(node)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """All that is run: no annotations, docstrings or decorators."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (
                isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            ):
                yield child
                yield from _code(child)


def _mistakes(node: ast.AST) -> Iterator[tuple[int, str, Change]]:
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARED:
            other = COMPARED[type(op)]
            yield node.lineno, f"{_name(op)} for {other.__name__}", _setting(node, "ops", [other(), *node.ops[1:]])
        case ast.BinOp(op=sign) if type(sign) in COMPUTED and not _text(node):
            yield (
                node.lineno,
                f"{_name(sign)} for {COMPUTED[type(sign)].__name__}",
                _setting(node, "op", COMPUTED[type(sign)]()),
            )
        case ast.BoolOp(op=word):
            swapped = ast.Or() if isinstance(word, ast.And) else ast.And()
            yield node.lineno, f"{_name(word)} for {_name(swapped)}", _setting(node, "op", swapped)
        case ast.UnaryOp(op=ast.USub()):
            yield node.lineno, "a sign lost", _setting(node, "op", ast.UAdd())
        case ast.If() | ast.IfExp() | ast.While():
            turned = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
            yield node.test.lineno, "a condition turned round", _setting(node, "test", turned)
        case ast.Constant(value=bool(value)):
            yield node.lineno, f"{value} for {not value}", _setting(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield node.lineno, f"{value} for {value + 1}", _setting(node, "value", value + 1)
        case ast.Name(id=name) if name in NAMED:
            yield node.lineno, f"{name} for {NAMED[name]}", _setting(node, "id", NAMED[name])
        case ast.Attribute(attr=name) if name in NAMED:
            yield node.lineno, f"{name} for {NAMED[name]}", _setting(node, "attr", NAMED[name])


def _setting(node: ast.AST, name: str, value: object) -> Change:
    return lambda: setattr(node, name, value)


def _name(node: ast.AST) -> str:
    return type(node).__name__


def _text(node: ast.BinOp) -> bool:
    """Formatting, or types joined by |."""
    sides = (node.left, node.right)
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and not isinstance(side.value, int | float))
        for side in sides
    )


def mutants_of(file: Path) -> list[Mutant]:
    """All mutants of one file."""
    name = file.relative_to(SOURCES).as_posix()
    found = places(ast.parse(file.read_text(encoding="utf-8")))
    return [Mutant(name, line, number, what) for number, (line, what, _) in enumerate(found)]


def mutated(mutant: Mutant) -> CodeType:
    """The file's code with the mistake in it."""
    path = SOURCES / mutant.file
    tree = ast.parse(path.read_text(encoding="utf-8"))
    list(places(tree))[mutant.number][2]()
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module of the project from the mutant's code, and all others as ever."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self.module, self.path, self.code = module, path, code

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.module:
            return None
        package = self.path.name == "__init__.py"
        return importlib.util.spec_from_file_location(
            name,
            self.path,
            loader=self,
            submodule_search_locations=[str(self.path.parent)] if package else None,
        )

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def tests_for(file: str, room: str) -> list[str]:
    """The room's test files; those that name the module come first, since most mutants die there."""
    stem = Path(file).stem
    all_files = [path for folder in ROOMS[room] for path in _test_files(ROOT / folder)]
    named = [path for path in all_files if stem in path.stem or f"{stem} import" in path.read_text(encoding="utf-8")]
    return [str(path) for path in dict.fromkeys([*named, *all_files])]


def _test_files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("test_*.py"))


def outcome(mutant: Mutant | None, tests: Sequence[str], seconds: float) -> str:
    """ "passed" when no test fails with this mutant (None: the project as it is), else "failed", or "late" after `seconds`."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.setsid()
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            status = _tested(mutant, tests)
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            return "passed" if os.waitstatus_to_exitcode(code) == 0 else "failed"
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "late"


def _tested(mutant: Mutant | None, tests: Sequence[str]) -> int:
    import pytest

    if mutant is not None:
        path = SOURCES / mutant.file
        parts = path.relative_to(SOURCES.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sys.meta_path.insert(0, Mutated(module, path, mutated(mutant)))
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", *tests]))


def justified() -> dict[tuple[str, str, str], str]:
    """(file, text of the line, mistake) to the reason why it changes nothing that matters."""
    rows = tomllib.loads(JUSTIFIED.read_text(encoding="utf-8"))["mutant"]
    return {(row["file"], row["line"], row["what"]): row["reason"] for row in rows}


def text_of(mutant: Mutant) -> str:
    """The line without its indentation."""
    return (SOURCES / mutant.file).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()


def sample(room: str, count: int, seed: int) -> list[Mutant]:
    """`count` of the room's mutants, each as likely as any other, without those that are justified."""
    known = justified()
    everything = [mutant for file in sorted((SOURCES / room).rglob("*.py")) for mutant in mutants_of(file)]
    fair = [mutant for mutant in everything if (mutant.file, text_of(mutant), mutant.what) not in known]
    return random.Random(f"{room} {seed}").sample(fair, min(count, len(fair)))


def main() -> int:
    """Prints a line for every survivor and, last, the score of each room as JSON; 1 where a room misses the target."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), choices=[*ROOMS, []], metavar="ROOM")
    parser.add_argument("--count", type=int, default=40, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    os.chdir(ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for library in PRELOADED:
        importlib.import_module(library)
    scores = {}
    for room in chosen.rooms or list(ROOMS):
        scores[room] = _score(room, sample(room, chosen.count, chosen.seed))
    print(json.dumps({"seed": chosen.seed, "rooms": scores}))
    return 0 if all(one["killed"] >= TARGET * one["mutants"] for one in scores.values()) else 1


def _score(room: str, mutants: Sequence[Mutant]) -> dict[str, int]:
    start = time.monotonic()
    everything = tests_for("none", room)
    if outcome(None, everything, 3600) != "passed":
        raise SystemExit(f"{room}: its tests do not pass without a mutant")
    limit = max(LEAST_SECONDS, SLOWER * (time.monotonic() - start))
    killed = 0
    for mutant in mutants:
        if outcome(mutant, tests_for(mutant.file, room), limit) == "passed":
            print(f"{mutant.file}:{mutant.line}: {mutant.what}: {text_of(mutant)}", flush=True)
        else:
            killed += 1
    return {"mutants": len(mutants), "killed": killed}


if __name__ == "__main__":
    sys.exit(main())
