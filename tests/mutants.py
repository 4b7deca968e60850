"""Mutation testing of the rooms whose errors would be believed: `python -m tests.mutants ROOM... [--count N] [--seed S]`.

A mutant (`tests.mistakes`) is killed when a test fails with it that passes without it, or when the tests that see it take
much longer; one that survives shows a line that no test looks at. Mutants are drawn by a seed, so that each night sees
others. Each meets only the tests that run its statement (`tests.reach`), those that are most about its file first, then the
rest of their files, and survives where there are none. Each runs in a fork of a process that has imported the heavy libraries
and none of the project; nothing on disk is changed. Mutants that mean the same as the original are listed, with the reason,
in tests/mutants.toml: they are not tried and stand in the score by themselves. With `--out FILE` each outcome is written as
it comes, and a run that was ended goes on where it was.

The tools for this (mutmut, cosmic-ray) write mutants to disk or into the sources, and run all of a module's mutants, where
here a sample of all rooms must fit into a night.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import math
import multiprocessing
import os
import resource
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, groupby
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import pytest

from tests.mistakes import ROOT, SOURCES, Mutant, Mutated, mutants_of, text_of
from tests.reach import UNDISTURBED, KeptReach, Reach, file_of, recorded

JUSTIFIED = ROOT / "tests" / "mutants.toml"
# Room to the folders and files of its tests; those of all rooms that are asked for are run for each.
ROOMS = {
    "checker": ("tests/checker", "tests/verification", "tests/bench/test_forgeries.py"),
    "verification": ("tests/verification", "tests/bench/test_forgeries.py", "tests/core/test_chances.py"),
    "analysis": ("tests/analysis", "tests/language/test_generation.py"),
    "monitor/runtime": ("tests/monitor", "tests/web/test_check.py"),
    "statistics": (
        "tests/statistics",
        *(f"tests/monitor/test_{part}.py" for part in ("corrected_logistic", "detection", "risk_control")),
    ),
}
PRELOADED = ("numpy", "scipy.optimize", "scipy.stats", "pytest", "hypothesis", "msgspec", "PIL.Image", "torch")
# A mutant may take four times what its tests took without it, and as long again as an import of everything.
LEAST_SECONDS, SLOWER = 20.0, 4.0
# Processor seconds are limited, so that a busy machine kills nothing; by the clock only what waits for good is stopped.
WAITING = 6.0
# A list of 2**33 numbers is a mistake seen, not the end of the machine.
MOST_BYTES = 12 << 30
TARGET = 0.85
# What is not seen by the first minute and a half of the tests that run a line is rarely seen by the rest; not looking lets more
# live.
MOST_SECONDS = 90.0
# Random properties by the hundred, against Z3 and of many shapes at once: no mutant needs so many.
LEFT_OUT = {f"tests/verification/test_{name}.py" for name in ("soundness", "one_file_many_shapes", "largest_sizes")}


class Fate(StrEnum):
    """What became of a mutant; the first four do not count as killed, and the first does not count at all."""

    JUSTIFIED = "means the same"
    SURVIVED = "survived"
    UNREACHED = "reached by no test"
    UNTRIED = "not tried"
    FAILED = "failed"
    NOT_IMPORTED = "its tests cannot be imported"
    LATE = "late"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Outcome:
    """`detail`: the test that failed first, or why the mutant could not be tried."""

    fate: Fate
    detail: str = ""

    @property
    def killed(self) -> bool:
        return self.fate not in {Fate.JUSTIFIED, Fate.SURVIVED, Fate.UNREACHED, Fate.UNTRIED}


class Chosen:
    """A plugin of pytest that runs these tests in this order, and keeps the first that fails."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}
        self.outcome = Outcome(Fate.SURVIVED)
        self.ran = 0

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """That a property fails is enough, its smallest example is not asked for; and a busy machine fails none."""
        from hypothesis import HealthCheck, Phase, settings

        settings.register_profile(
            "unshrunk",
            settings(),
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow],
        )
        settings.load_profile("unshrunk")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.places), key=lambda item: self.places[item.nodeid]
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcome = Outcome(Fate.NOT_IMPORTED, report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call" and not report.skipped
        if report.failed and not self.outcome.killed:
            self.outcome = Outcome(Fate.FAILED, report.nodeid)


def outcome(mutant: Mutant | None, tests: Sequence[str], seconds: float) -> Outcome:
    """What these tests, in this order, make of a mutant, or of the project as it is; late after `seconds` of a processor."""
    if not tests:
        return Outcome(Fate.UNREACHED)
    forking = multiprocessing.get_context("fork")
    receiver, sender = forking.Pipe(duplex=False)
    child = forking.Process(target=_tested, args=(sender, mutant, tests, seconds))
    child.start()
    sender.close()
    try:
        arrived = receiver.poll(seconds * WAITING)
        return receiver.recv() if arrived else Outcome(Fate.LATE)
    except EOFError:
        child.join()
        if child.exitcode == -signal.SIGXCPU:
            return Outcome(Fate.LATE)
        return Outcome(Fate.CRASHED if (child.exitcode or 0) < 0 else Fate.UNTRIED, f"exit status {child.exitcode}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid or 0, signal.SIGKILL)
        child.kill()
        child.join()


def _tested(sender: Connection, mutant: Mutant | None, tests: Sequence[str], seconds: float) -> None:
    os.setsid()
    _silence()
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    try:
        sender.send(_verdict(mutant, tests))
    except BaseException as error:  # whatever it is, it is no failed test
        sender.send(Outcome(Fate.UNTRIED, repr(error)))
    # What the tests left running (threads, servers) is not waited for.
    os._exit(0)


def _verdict(mutant: Mutant | None, tests: Sequence[str]) -> Outcome:
    mutated = None if mutant is None else Mutated(mutant)
    if mutated is not None:
        if mutated.module in sys.modules:
            return Outcome(Fate.UNTRIED, f"{mutated.module} was imported before")
        sys.meta_path.insert(0, mutated)
    ran = 0
    for file, some in groupby(tests, file_of):  # a file that a mutant does not live to see is not imported
        chosen = Chosen(list(some))
        status = pytest.main(["-x", *UNDISTURBED, file], [chosen])
        if chosen.outcome.killed:
            return chosen.outcome
        if status != pytest.ExitCode.OK:
            return Outcome(Fate.UNTRIED, f"pytest ended with {status}")
        ran += chosen.ran
    met = mutated is None or mutated.imported
    return Outcome(Fate.SURVIVED if ran and met else Fate.UNREACHED)


def _silence() -> None:
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


@dataclass(frozen=True)
class Justification:
    """Why a mutant changes nothing that matters. `place`: which of the same mistakes on the line; None: each of them."""

    file: str
    line: str
    what: str
    reason: str
    place: int | None = None

    def covers(self, mutant: Mutant) -> bool:
        """Whether this is about the mutant: `line` is the text of its line."""
        same = (mutant.file, mutant.what) == (self.file, self.what) and self.place in {None, mutant.place}
        return same and text_of(mutant) == self.line


@dataclass(frozen=True)
class Justified:
    """Mutants that mean the same: whole kinds, by their mistake, and single ones."""

    kinds: Mapping[str, str]
    single: Sequence[Justification]

    def reason(self, mutant: Mutant) -> str | None:
        """None for a mutant that must be killed."""
        single = (entry.reason for entry in self.single if entry.covers(mutant))
        return self.kinds.get(mutant.what) or next(single, None)


def justified() -> Justified:
    """What tests/mutants.toml lists."""
    listed = tomllib.loads(JUSTIFIED.read_text(encoding="utf-8"))
    kinds = {row["what"]: row["reason"] for row in listed.get("kind", [])}
    return Justified(kinds, [Justification(**row) for row in listed["mutant"]])


def sample(room: str, count: int, seed: int) -> list[Mutant]:
    """The first `count` mutants of the room in an order drawn by the seed, those that are justified among them.

    A mutant's place in the order depends on its own line alone, so that survivors that were read stay in the sample whatever is
    changed elsewhere.
    """
    drawn: list[tuple[bytes, str, int, Mutant]] = []
    for file in sorted((SOURCES / room).rglob("*.py")):
        lines = file.read_text(encoding="utf-8").splitlines()
        for mutant in mutants_of(file):
            own = f"{seed}\n{mutant.file}\n{lines[mutant.line - 1].strip()}\n{mutant.what}\n{mutant.place}"
            drawn.append((hashlib.sha256(own.encode()).digest(), mutant.file, mutant.number, mutant))
    return [mutant for *_, mutant in sorted(drawn, key=lambda entry: entry[:3])[:count]]


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one room."""

    fates: Counter[Fate]

    @property
    def mutants(self) -> int:
        return self.fates.total()

    @property
    def killed(self) -> int:
        return sum(number for fate, number in self.fates.items() if Outcome(fate).killed)

    @property
    def changing(self) -> int:
        """Mutants but for those that mean the same."""
        return self.mutants - self.fates[Fate.JUSTIFIED]

    @property
    def met(self) -> bool:
        return self.killed >= TARGET * self.changing

    def as_json(self) -> dict[str, int | float]:
        """`killed_of_all` and `killed_of_changing`: shares; then the number of each fate."""
        shares = {"killed_of_all": self.mutants, "killed_of_changing": self.changing}
        rounded = {name: round(self.killed / of, 3) if of else 1.0 for name, of in shares.items()}
        counts = {fate.value: number for fate, number in self.fates.items()}
        return {"mutants": self.mutants, "changing": self.changing, "killed": self.killed, **rounded, **counts}


class KeptOutcomes:
    """Outcomes by mutant in a file, a JSON object a line, each written as it comes; in memory where there is no file.

    The file's first line is the digest of all sources and tests: of others nothing is taken.
    """

    def __init__(self, file: Path | None, digest: str) -> None:
        self.file = file
        self.outcomes: dict[tuple[str, int], Outcome] = {}
        lines = file.read_text(encoding="utf-8").splitlines() if file and file.exists() else []
        if lines and json.loads(lines[0]) != {"digest": digest}:
            raise SystemExit(f"{file}: holds outcomes of other sources or tests; remove it or name another file")
        for row in map(json.loads, lines[1:]):
            self.outcomes[row["file"], row["number"]] = Outcome(Fate(row["fate"]), row["detail"])
        if file and not lines:
            file.write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")

    def of(self, mutant: Mutant) -> Outcome | None:
        """None where it was not tried yet."""
        return self.outcomes.get((mutant.file, mutant.number))

    def add(self, mutant: Mutant, result: Outcome, seconds: float) -> None:
        """`seconds`: by the clock."""
        self.outcomes[mutant.file, mutant.number] = result
        if self.file:
            place = {"file": mutant.file, "number": mutant.number, "line": mutant.line, "what": mutant.what}
            said = {"fate": result.fate, "detail": result.detail, "text": text_of(mutant), "seconds": round(seconds, 1)}
            with self.file.open("a", encoding="utf-8") as rows:
                rows.write(json.dumps(place | said) + "\n")


class Fated(Protocol):
    """Says what becomes of a mutant."""

    def fate(self, mutant: Mutant) -> Outcome: ...


class Judge:
    """What the tests of some rooms reach, seen to pass without a mutant. `kept`: a file of what was reached the last time.

    `most`: a mutant meets tests of so many seconds and no more, which can only let more of them live.
    """

    def __init__(self, rooms: Sequence[str], kept: Path | None = None, most: float = math.inf) -> None:
        self.most = most
        files = {file: digest_of(ROOT / file) for room in rooms for file in files_of_tests(room)}
        shared = [path for path in (ROOT / "tests").rglob("*/*.py") if not path.name.startswith("test_")]
        sources = digest_of(*sorted(SOURCES.rglob("*.py")), *sorted(shared))
        self.digest = hashlib.sha256(json.dumps([sources, sorted(files.items())]).encode()).hexdigest()
        known = KeptReach.read(kept) if kept else None
        self.reach = known.unchanged(sources, files) if known else Reach({}, {}, {})
        new = [file for file in files if file not in self.reach.imports]
        failed: list[str] = []
        if new:
            forking = multiprocessing.get_context("fork")
            with ProcessPoolExecutor(1, forking, initializer=_silence) as process:
                reach, failed = process.submit(recorded, rooms, new).result()
            self.reach |= reach
        # A run that ended before its tests did says nothing of any file.
        if kept and all(file_of(test) in files for test in failed):
            passed = {file: digest for file, digest in files.items() if file not in set(map(file_of, failed))}
            KeptReach(sources, passed, self.reach).write(kept)
        if failed or not self.reach.seconds:
            raise SystemExit(f"tests that do not pass without a mutant: {', '.join(failed) or 'there are none'}")
        self.proved: dict[str, bool] = {}
        self.deceptive: set[str] = set()

    def fate(self, mutant: Mutant) -> Outcome:
        """What becomes of it; a test whose failure is not due to the mutant, since it fails without, too, is left out."""
        while True:
            tests = self._first([test for part in self.reach.tests_of(mutant) for test in part])
            result = outcome(mutant, tests, self._limit(tests))
            if result.fate is not Fate.FAILED or self._passes(result.detail):
                return result
            print(f"fails without a mutant when run alone: {result.detail}", file=sys.stderr, flush=True)
            self.deceptive.add(result.detail)

    def _first(self, tests: Sequence[str]) -> list[str]:
        own = [test for test in tests if test not in self.deceptive]
        spent = accumulate(self.reach.seconds[test] for test in own)
        return [
            test for place, (test, total) in enumerate(zip(own, spent, strict=True)) if not place or total <= self.most
        ]

    def _passes(self, test: str) -> bool:
        if test not in self.proved:
            self.proved[test] = outcome(None, [test], self._limit([test])).fate is Fate.SURVIVED
        return self.proved[test]

    def _limit(self, tests: Sequence[str]) -> float:
        imports = sum(self.reach.imports.get(file, 0.0) for file in set(map(file_of, tests)))
        return LEAST_SECONDS + SLOWER * (imports + sum(self.reach.seconds[test] for test in tests))


def files_of_tests(room: str) -> list[str]:
    """The room's test files, from the project's root."""
    places = [ROOT / place for place in ROOMS[room]]
    files = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("test_*.py")))]
    names = [path.relative_to(ROOT).as_posix() for path in files]
    return [name for name in names if name not in LEFT_OUT]


def digest_of(*files: Path) -> str:
    """SHA-256 of their contents, one after another."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def main() -> int:
    """Prints a line for every survivor and, last, the score of each room as JSON; 1 where a room misses the target."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), choices=[*ROOMS, []], metavar="ROOM")
    parser.add_argument("--count", type=int, default=40, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reach", type=Path, help="file that keeps what the tests reach, for the next time")
    parser.add_argument("--out", type=Path, help="file of outcomes: written as they come, and not tried again")
    parser.add_argument("--most", type=float, default=MOST_SECONDS, help="seconds of tests that a mutant meets")
    parser.add_argument("--killed", action="store_true", help="print what was killed, too, and by which test")
    chosen = parser.parse_args()
    os.chdir(ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for library in PRELOADED:
        importlib.import_module(library)
    rooms, start = chosen.rooms or list(ROOMS), time.monotonic()
    judge = Judge(rooms, chosen.reach, chosen.most)
    print(f"{len(judge.reach.seconds)} tests pass, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    outcomes = KeptOutcomes(chosen.out, judge.digest)
    scores = {room: score(judge, sample(room, chosen.count, chosen.seed), outcomes, chosen.killed) for room in rooms}
    rooms_json = {room: result.as_json() for room, result in scores.items()}
    print(json.dumps({"seed": chosen.seed, "seconds": round(time.monotonic() - start), "rooms": rooms_json}))
    return 0 if all(result.met for result in scores.values()) else 1


def score(judge: Fated, mutants: Sequence[Mutant], outcomes: KeptOutcomes, and_killed: bool) -> Score:
    """Tries each that has no outcome yet, and prints those that live; the killed, too, if asked."""
    known = justified()
    fates: Counter[Fate] = Counter()
    for mutant in mutants:
        reason = known.reason(mutant)
        result = outcomes.of(mutant) if reason is None else Outcome(Fate.JUSTIFIED, reason)
        if result is None:
            start = time.monotonic()
            result = judge.fate(mutant)
            outcomes.add(mutant, result, time.monotonic() - start)
        fates[result.fate] += 1
        if and_killed or not result.killed:
            line = f"{mutant.file}:{mutant.line}: {mutant.what}: {text_of(mutant)}"
            print(f"{result.fate}: {line}{' | ' if result.detail else ''}{result.detail}", flush=True)
    return Score(fates)


if __name__ == "__main__":
    sys.exit(main())
