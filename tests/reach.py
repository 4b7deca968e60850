"""Which tests run which lines, and how long each takes: one run of all of a room's tests with their lines recorded."""

from __future__ import annotations

import ast
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from tests import mistakes
from tests.mistakes import Mutant

# What coverage calls the lines that ran while no test did: those of imports.
NO_TEST = ""
# In the order given, in one process, without a trace on the disk.
UNDISTURBED = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist")


@dataclass(frozen=True)
class Reach:
    """`seconds`: what a test takes by itself; `imports`: what its file takes to be imported; `lines`: file under src/conspect to
    line to the tests that run it."""

    seconds: Mapping[str, float]
    imports: Mapping[str, float]
    lines: Mapping[str, Mapping[int, frozenset[str]]]

    def tests_of(self, mutant: Mutant) -> tuple[list[str], list[str]]:
        """The tests that run the mutant's statement, the quickest first; and those that may see it all the same.

        Those are the others of the same test files, since what one of them made may be kept for the next; and where the
        statement runs at import, all that run the file, then all there are. Both are empty where no test runs it.
        """
        extent = mistakes.extents(ast.parse((mistakes.SOURCES / mutant.file).read_text(encoding="utf-8")))[mutant.line]
        reached = self.lines.get(mutant.file, {})
        if extent.at_import:
            seeing = frozenset[str]().union(*reached.values())
            others = frozenset(self.seconds)
        else:
            seeing = frozenset[str]().union(*(reached.get(line, frozenset()) for line in extent.lines))
            files = {file_of(test) for test in seeing}
            others = frozenset(test for test in self.seconds if file_of(test) in files)
        return self._quickest(seeing), self._quickest(others - seeing)

    def _quickest(self, tests: Iterable[str]) -> list[str]:
        """Those under a second first; the tests of a file together, so that what they share is made once; files by the time
        until the first of them is done."""
        chosen = sorted((test for test in tests if test in self.seconds), key=lambda test: (self.seconds[test], test))
        files: dict[str, float] = {}
        for test in chosen:
            files.setdefault(file_of(test), self.imports.get(file_of(test), 0.0) + self.seconds[test])
        return sorted(chosen, key=lambda test: (self.seconds[test] > 1, files[file_of(test)], file_of(test)))


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


def recorded(room: str, tests: Sequence[str]) -> tuple[Reach, list[str]]:
    """What the tests of these files reach in a room, and what failed; imports the project, so call it in a process of its own."""
    coverage = Coverage(data_file=None, include=[str(mistakes.SOURCES / room / "*")], config_file=False)
    recorder = Recorder(coverage)
    coverage.start()
    status = pytest.main([*UNDISTURBED, *tests], [recorder])
    coverage.stop()
    failed = recorder.failed or ([] if status == pytest.ExitCode.OK else [f"pytest ended with {status}"])
    return recorder.reach(), failed
