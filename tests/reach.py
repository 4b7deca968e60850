"""Which tests run which lines, and how long each takes: one run of all of a room's tests with their lines recorded."""

from __future__ import annotations

import ast
import json
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from tests import mistakes
from tests.mistakes import Mutant

# What coverage calls the lines that ran while no test did: those of imports.
NO_TEST = ""
# In the order given, in one process, without a trace on the disk, and however busy the machine is.
UNDISTURBED = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "--timeout=0")


@dataclass(frozen=True)
class Reach:
    """`seconds`: what a test takes by itself; `imports`: what its file takes to be imported; `lines`: file under src/conspect to
    line to the tests that run it."""

    seconds: Mapping[str, float]
    imports: Mapping[str, float]
    lines: Mapping[str, Mapping[int, frozenset[str]]]

    def __or__(self, other: Reach) -> Reach:
        """Of two runs over other test files."""
        files = self.lines.keys() | other.lines.keys()
        both = {file: (self.lines.get(file, {}), other.lines.get(file, {})) for file in files}
        nothing = frozenset[str]()
        return Reach(
            {**self.seconds, **other.seconds},
            {**self.imports, **other.imports},
            {
                file: {
                    line: ours.get(line, nothing) | theirs.get(line, nothing) for line in ours.keys() | theirs.keys()
                }
                for file, (ours, theirs) in both.items()
            },
        )

    def tests_of(self, mutant: Mutant) -> tuple[list[str], list[str]]:
        """The tests that run the mutant's statement, those that are most about its file first; and those that may see it all
        the same.

        A statement that runs at import is seen by those that run anything of its file, and by those of test files that import
        it. The others are those of the same test files, since what one of them made may be kept for the next. Both are empty
        where no test runs it.
        """
        extent = mistakes.extents(ast.parse((mistakes.SOURCES / mutant.file).read_text(encoding="utf-8")))[mutant.line]
        reached = self.lines.get(mutant.file, {})
        lines = reached.keys() if extent.at_import else extent.lines
        seeing = frozenset[str]().union(*(reached.get(line, frozenset()) for line in lines))
        if extent.at_import:
            module = mistakes.module_of(mistakes.SOURCES / mutant.file)
            importing = {file for file in self.imports if imports_module(mistakes.ROOT / file, module)}
            seeing |= {test for test in self.seconds if file_of(test) in importing}
        files = {file_of(test) for test in seeing}
        others = frozenset(test for test in self.seconds if file_of(test) in files)
        return self._ordered(seeing, mutant.file), self._ordered(others - seeing, mutant.file)

    def _ordered(self, tests: Iterable[str], file: str) -> list[str]:
        """Those under a second first; the tests of one test file together, the quickest first, so that what they share is made
        once; test files by how much of what they run lies in the mutant's, then by the time until the first of them is done.

        Hundreds of tests run what everything needs; the few that are about it see most.
        """
        chosen = sorted((test for test in tests if test in self.seconds), key=lambda test: (self.seconds[test], test))
        within = Counter(test for those in self.lines.get(file, {}).values() for test in those)
        first: dict[str, float] = {}
        about: dict[str, float] = {}
        for test in chosen:
            name = file_of(test)
            first.setdefault(name, self.imports.get(name, 0.0) + self.seconds[test])
            share = (
                within[test] / self._spread[test] if self._spread[test] else 1.0
            )  # a test that reads constants alone
            about[name] = max(about.get(name, 0.0), share)
        places = {name: (-round(about[name], 2), first[name], name) for name in first}
        return sorted(chosen, key=lambda test: (self.seconds[test] > 1, places[file_of(test)]))

    @cached_property
    def _spread(self) -> Counter[str]:
        """How many lines each test runs."""
        return Counter(test for lines in self.lines.values() for those in lines.values() for test in those)


@cache
def imports_module(file: Path, module: str) -> bool:
    """Whether a test file imports a module, or something of it, by name."""
    if not file.is_file():
        return False
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import) and any(alias.name == module for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            if module in names:
                return True
    return False


def file_of(test: str) -> str:
    return test.split("::", 1)[0]


class Recorder:
    """A plugin of pytest that says to `coverage` which test runs, or which fixture that several tests share is made."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage, self.context = coverage, NO_TEST
        self.seconds: dict[str, float] = {}
        self.made: dict[str, float] = defaultdict(float)
        self.imports: dict[str, float] = {}
        self.fixtures: dict[str, list[str]] = {}
        self.failed: list[str] = []
        self.skipped: set[str] = set()

    def _enter(self, context: str) -> str:
        before, self.context = self.context, context
        self.coverage.switch_context(context)
        return before

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, object, object]:
        start = time.perf_counter()
        try:
            return (yield)
        finally:
            if isinstance(collector, pytest.Module):
                self.imports[collector.nodeid] = time.perf_counter() - start

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        before, start, making = self._enter(item.nodeid), time.perf_counter(), sum(self.made.values())
        try:
            return (yield)
        finally:
            self._enter(before)
            self.fixtures[item.nodeid] = list(getattr(item, "fixturenames", ()))
            self.seconds[item.nodeid] = time.perf_counter() - start - (sum(self.made.values()) - making)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        before, start, making = self._enter(_shared(fixturedef.argname)), time.perf_counter(), sum(self.made.values())
        try:
            return (yield)
        finally:
            self._enter(before)
            inner = sum(self.made.values()) - making
            self.made[fixturedef.argname] += time.perf_counter() - start - inner

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
        if report.skipped:
            self.skipped.add(report.nodeid)

    def reach(self) -> Reach:
        """What a shared fixture runs counts for every test that names it, as does its time."""
        users: dict[str, set[str]] = defaultdict(set)
        for test in self.fixtures.keys() - self.skipped:
            names = self.fixtures[test]
            users[test].add(test)
            for name in names:
                users[_shared(name)].add(test)
        data = self.coverage.get_data()
        lines: dict[str, dict[int, frozenset[str]]] = {}
        for path in data.measured_files():
            name = Path(path).relative_to(mistakes.SOURCES).as_posix()
            lines[name] = {
                line: frozenset[str]().union(*(users[context] for context in contexts if context != NO_TEST))
                for line, contexts in data.contexts_by_lineno(path).items()
            }
        seconds = {
            test: own + sum(self.made.get(name, 0.0) for name in self.fixtures[test])
            for test, own in self.seconds.items()
            if test not in self.skipped
        }
        return Reach(seconds, self.imports, lines)


def _shared(fixture: str) -> str:
    return f"fixture {fixture}"


def recorded(rooms: Sequence[str], tests: Sequence[str]) -> tuple[Reach, list[str]]:
    """What the tests of these files reach in some rooms, and what failed; imports the project, so call it in a process of its
    own."""
    rooms_files = [str(mistakes.SOURCES / room / "*") for room in rooms]
    coverage = Coverage(data_file=None, include=rooms_files, config_file=False)
    recorder = Recorder(coverage)
    coverage.start()
    status = pytest.main([*UNDISTURBED, *tests], [recorder])
    coverage.stop()
    failed = recorder.failed or ([] if status == pytest.ExitCode.OK else [f"pytest ended with {status}"])
    return recorder.reach(), failed


@dataclass(frozen=True)
class KeptReach:
    """A reach as a file keeps it: `sources`: digest of all that is no test file; `tests`: test file to its digest."""

    sources: str
    tests: Mapping[str, str]
    reach: Reach

    @classmethod
    def read(cls, path: Path) -> KeptReach | None:
        """None where there is none."""
        if not path.is_file():
            return None
        stored = json.loads(path.read_bytes())
        lines = {
            file: {int(line): frozenset(tests) for line, tests in by_line.items()}
            for file, by_line in stored["lines"].items()
        }
        return cls(stored["sources"], stored["tests"], Reach(stored["seconds"], stored["imports"], lines))

    def write(self, path: Path) -> None:
        """As JSON."""
        lines = {
            file: {str(line): sorted(tests) for line, tests in by_line.items()}
            for file, by_line in self.reach.lines.items()
        }
        stored = {"sources": self.sources, "tests": self.tests, "lines": lines}
        path.write_text(json.dumps(stored | {"seconds": self.reach.seconds, "imports": self.reach.imports}))

    def unchanged(self, sources: str, tests: Mapping[str, str]) -> Reach:
        """Of the test files that are as they were, if all else is."""
        same = {file for file, digest in tests.items() if sources == self.sources and self.tests.get(file) == digest}
        return Reach(
            {test: seconds for test, seconds in self.reach.seconds.items() if file_of(test) in same},
            {file: seconds for file, seconds in self.reach.imports.items() if file in same},
            {
                file: {
                    line: frozenset(test for test in tests if file_of(test) in same) for line, tests in by_line.items()
                }
                for file, by_line in self.reach.lines.items()
            },
        )
