"""The driver of mutation testing: it makes the mistakes that it says, kills what a test sees, and finds what none does."""

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests import mistakes, mutants
from tests.mistakes import Mutant
from tests.mutants import Fate, Judge, Justification, Justified, KeptOutcomes, Outcome, Score, outcome
from tests.reach import KeptReach, Reach

NEEDS_SOURCES = pytest.mark.skipif(
    not mistakes.SOURCES.is_dir(), reason="could not run: mistakes are made in the sources, which are not here"
)
SOURCE = '''"""Two numbers."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    LATER = 1 + 2
Number: TypeAlias = int | float
LEAST = 3
FAR = 1e30  # one more is the same


def larger(a: int, b: int = -1) -> int:
    """The larger one."""
    if not isinstance(a, int) and b is None:
        raise TypeError(f"{a + 1}")
    return a if a > b else b


def least() -> int:
    """Counts down to the least."""
    count = 9
    while count > LEAST:
        count -= 1
    return count


def never_run(a: int) -> int:
    return (
        a
        + 1
    )
'''
TEST = """from pathlib import Path

import pytest
from toy.numbers import LEAST, larger, least


@pytest.fixture(scope="module")
def counted():
    return least()


def test_larger():
    assert larger(1, 2) == 2
    assert larger(2, 1) == 2


def test_least(counted):
    assert counted == LEAST


def test_once_more(counted):
    assert counted >= 0


def test_slow_skip():
    pytest.skip("not today")
"""
LARGER, LEAST, ONCE_MORE = (f"test_toy.py::test_{name}" for name in ("larger", "least", "once_more"))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "numbers.py").write_text(SOURCE)
    (tmp_path / "test_toy.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for module in (mistakes, mutants):
        monkeypatch.setattr(module, "SOURCES", package)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setattr(mutants, "ROOMS", {"": ("test_toy.py",)})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return package


def named(toy: Path, line: int, what: str) -> Mutant:
    [mutant] = [
        mistake for mistake in mistakes.mutants_of(toy / "numbers.py") if (mistake.line, mistake.what) == (line, what)
    ]
    return mutant


def test_every_place_is_one_mistake_and_messages_annotations_and_what_is_for_types_are_none(toy: Path) -> None:
    every = mistakes.mutants_of(toy / "numbers.py")
    assert {(place.line, place.what) for place in every} == {
        (8, "3 for 4"),
        (12, "a sign lost"),
        (12, "1 for 2"),
        (14, "a condition turned round"),
        (14, "And for Or"),
        (14, "Is for IsNot"),
        (16, "a condition turned round"),
        (16, "Gt for GtE"),
        (21, "9 for 10"),
        (22, "a condition turned round"),
        (22, "Gt for GtE"),
        (23, "1 for 2"),
        (29, "Add for Sub"),
        (30, "1 for 2"),
    }
    codes = {ast.unparse(_changed(toy / "numbers.py", place.number)) for place in every}
    assert len(codes) == len(every)
    assert SOURCE not in codes


def _changed(path: Path, number: int) -> ast.Module:
    tree = ast.parse(path.read_text())
    list(mistakes.places(tree))[number][2]()
    return ast.fix_missing_locations(tree)


def test_a_line_belongs_to_its_innermost_statement_which_runs_at_import_outside_of_functions() -> None:
    extents = mistakes.extents(ast.parse(SOURCE))
    assert extents[8].at_import
    assert extents[12].at_import  # defaults are computed where a function is defined
    assert (extents[14].lines, extents[14].at_import) == (frozenset({14}), False)
    assert extents[30].lines == {28, 29, 30, 31}
    assert not extents[30].at_import


def test_a_mutant_meets_the_tests_that_run_its_statement_before_the_others_of_their_files(toy: Path) -> None:
    seconds = {"a::slow": 30.0, "a::quick": 0.5, "b::quick": 0.1, "b::slower": 0.6, "b::other": 0.2, "c::far": 0.1}
    lines = {"numbers.py": {16: frozenset({"a::slow", "a::quick", "b::quick", "b::slower"})}}
    reach = Reach(seconds, {"a": 0.1, "b": 0.3}, lines)
    condition = named(toy, 16, "Gt for GtE")
    assert reach.tests_of(condition) == (["b::quick", "b::slower", "a::quick", "a::slow"], ["b::other"])
    assert reach.tests_of(named(toy, 8, "3 for 4")) == reach.tests_of(condition)  # runs at import
    assert reach.tests_of(named(toy, 30, "1 for 2")) == ([], [])


def test_tests_that_are_most_about_a_file_come_before_quicker_ones_that_run_everything(toy: Path) -> None:
    everything = {"a::whole", "a::slow"}
    lines = {
        "numbers.py": {16: frozenset(everything | {"b::narrow"}), 8: frozenset({"b::narrow"})},
        "others.py": {line: frozenset(everything) for line in range(20)},
    }
    reach = Reach({"a::whole": 0.1, "a::slow": 3.0, "b::narrow": 0.9}, {}, lines)
    assert reach.tests_of(named(toy, 16, "Gt for GtE")) == (["b::narrow", "a::whole", "a::slow"], [])


def test_a_constant_is_seen_by_tests_that_import_its_module_and_run_nothing_of_it(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mistakes, "ROOT", tmp_path)
    for name, text in (("a", "from toy import numbers"), ("b", "from toy.numbers import LEAST"), ("c", "import toy")):
        (tmp_path / name).write_text(text + "\n")
    seconds = {"a::limits": 0.1, "b::limits": 0.2, "c::far": 0.1}
    reach = Reach(seconds, dict.fromkeys("abc", 0.1), {"numbers.py": {16: frozenset()}})
    assert reach.tests_of(named(toy, 8, "3 for 4")) == (["a::limits", "b::limits"], [])
    assert reach.tests_of(named(toy, 16, "Gt for GtE")) == ([], [])


@pytest.mark.slow
def test_lines_are_recorded_by_test_and_what_a_shared_fixture_runs_belongs_to_all_that_use_it(toy: Path) -> None:
    judge = Judge([""])
    assert judge.reach.seconds.keys() == {LARGER, LEAST, ONCE_MORE}
    lines = judge.reach.lines["numbers.py"]
    assert lines[16] == {LARGER}
    assert lines[23] == {LEAST, ONCE_MORE}
    assert lines[12] == frozenset()
    assert 30 not in lines


def test_what_was_reached_is_kept_for_the_test_files_that_are_as_they_were(tmp_path: Path) -> None:
    first = Reach({"a::x": 1.0}, {"a": 0.5}, {"f.py": {3: frozenset({"a::x"})}})
    second = Reach({"b::y": 2.0}, {"b": 0.1}, {"f.py": {3: frozenset({"b::y"}), 4: frozenset()}, "g.py": {}})
    KeptReach("sources", {"a": "1", "b": "2"}, first | second).write(tmp_path / "reach.json")
    kept = KeptReach.read(tmp_path / "reach.json")
    assert kept is not None
    assert kept.reach == first | second
    assert kept.reach.lines["f.py"][3] == {"a::x", "b::y"}
    changed = kept.unchanged("sources", {"a": "1", "b": "3", "c": "4"})
    assert (changed.seconds, changed.imports) == (first.seconds, first.imports)
    assert changed.lines["f.py"][3] == {"a::x"}
    assert not kept.unchanged("others", {"a": "1", "b": "2"}).seconds
    assert KeptReach.read(tmp_path / "none.json") is None


@pytest.mark.slow
def test_only_a_test_file_that_has_changed_is_run_again(toy: Path, tmp_path: Path) -> None:
    kept = tmp_path / "reach.json"
    reach = Judge([""], kept).reach
    fail = "\n\ndef test_fails():\n    assert False\n"
    assert Judge([""], kept).reach == reach  # not even the seconds differ
    (toy.parent / "test_toy.py").write_text(TEST + fail)
    with pytest.raises(SystemExit, match="test_fails"):
        Judge([""], kept)


@pytest.mark.slow
def test_a_mistake_that_a_test_sees_is_killed_and_another_survives(toy: Path) -> None:
    judge = Judge([""])
    fates = {
        (16, "a condition turned round"): Outcome(Fate.FAILED, LARGER),
        (16, "Gt for GtE"): Outcome(Fate.SURVIVED),  # equal numbers are the same number
        (22, "a condition turned round"): Outcome(Fate.FAILED, LEAST),
        (30, "1 for 2"): Outcome(Fate.UNREACHED),
    }
    assert {place: judge.fate(named(toy, *place)) for place in fates} == fates


@pytest.mark.slow
def test_what_is_no_failed_test_is_told_from_one(toy: Path) -> None:
    mutant = named(toy, 16, "Gt for GtE")
    assert outcome(mutant, [], 60) == Outcome(Fate.UNREACHED)
    assert outcome(None, ["test_toy.py::test_slow_skip"], 60) == Outcome(Fate.UNREACHED)
    assert outcome(None, ["test_missing.py::test_it"], 60).fate is Fate.UNTRIED
    (toy.parent / "test_ends.py").write_text(
        "import os, signal\nfrom toy import numbers\ndef test_spin():\n    while True: pass\n"
        "def test_crash(): os.kill(os.getpid(), signal.SIGSEGV)\ndef test_exit(): os._exit(1)\n"
    )
    ends = {name: outcome(mutant, [f"test_ends.py::test_{name}"], 2).fate for name in ("spin", "crash", "exit")}
    assert ends == {"spin": Fate.LATE, "crash": Fate.CRASHED, "exit": Fate.UNTRIED}
    (toy.parent / "test_import.py").write_text("from toy.numbers import LEAST\n1 / (LEAST - 4)\ndef test_it(): pass\n")
    assert outcome(named(toy, 8, "3 for 4"), ["test_import.py::test_it"], 60).fate is Fate.NOT_IMPORTED
    assert [fate for fate in Fate if not Outcome(fate).killed] == [
        Fate.JUSTIFIED,
        Fate.SURVIVED,
        Fate.UNREACHED,
        Fate.UNTRIED,
    ]


@pytest.mark.slow
def test_a_test_that_fails_without_the_mutant_kills_nothing(toy: Path) -> None:
    judge = Judge([""])
    source = TEST.replace("assert larger(1, 2) == 2", 'assert Path("gone").exists()')
    (toy.parent / "test_toy.py").write_text(source)
    assert judge.fate(named(toy, 16, "Gt for GtE")) == Outcome(Fate.SURVIVED)
    assert judge.deceptive == {LARGER}


@pytest.mark.slow
def test_a_room_whose_tests_fail_without_a_mutant_is_refused(toy: Path) -> None:
    (toy.parent / "test_toy.py").write_text(TEST.replace("== LEAST", "== 7"))
    with pytest.raises(SystemExit, match=r"tests that do not pass without a mutant: test_toy\.py::test_least"):
        Judge([""])


@NEEDS_SOURCES
def test_a_sample_is_drawn_by_its_seed_and_a_longer_one_begins_with_it() -> None:
    first = mutants.sample("statistics", 10, 0)
    assert first == mutants.sample("statistics", 10, 0)
    assert first != mutants.sample("statistics", 10, 1)
    assert len(set(first)) == 10
    everything = mutants.sample("statistics", 10_000, 0)
    assert everything[:10] == first
    assert len(everything) > 400


@NEEDS_SOURCES
def test_what_is_justified_is_still_there_and_is_one_mistake() -> None:
    known = mutants.justified()
    assert len(known.single) >= 30
    files = {entry.file for entry in known.single}
    made = [mutant for file in files for mutant in mistakes.mutants_of(mistakes.SOURCES / file)]
    covered = {entry: [mutant for mutant in made if entry.covers(mutant)] for entry in known.single}
    gone = [entry for entry, some in covered.items() if not some]
    assert gone == [], "their lines have changed: read them again, or take them out"
    of_several = [
        entry for entry, some in covered.items() if any(mutant.place != (entry.place or 1) for mutant in some)
    ]
    assert of_several == [], "several such mistakes on the line: say by `place` which is meant"
    assert all(entry.reason for entry in known.single)


@NEEDS_SOURCES
def test_a_kind_that_is_justified_has_mutants_in_every_room_but_the_checker() -> None:
    kinds = mutants.justified().kinds
    assert kinds.keys() == {mistakes.LOOSE}
    for room in mutants.ROOMS.keys() - {"checker"}:
        assert kinds.keys() <= {mutant.what for mutant in mutants.sample(room, 100_000, 0)}, room


def test_a_justification_is_about_one_mistake_of_one_line(toy: Path) -> None:
    line = "if not isinstance(a, int) and b is None:"
    entry = Justification("numbers.py", line, "And for Or", "why")
    swapped = named(toy, 14, "And for Or")
    known = Justified({}, [entry])
    assert known.reason(swapped) == "why"
    assert known.reason(named(toy, 14, "Is for IsNot")) is None
    assert Justified({"Is for IsNot": "all"}, []).reason(named(toy, 14, "Is for IsNot")) == "all"
    assert replace(entry, place=1).covers(swapped)
    assert not replace(entry, place=2).covers(swapped)
    assert not replace(entry, line=line + " ").covers(swapped)


def test_the_same_mistake_twice_on_a_line_is_told_apart_and_a_strict_zip_is_a_kind_of_its_own(toy: Path) -> None:
    (toy / "numbers.py").write_text("pairs = list(zip([1, 2], [1], strict=True)) == [(1, 1)] or True\n")
    every = [(mutant.what, mutant.place) for mutant in mistakes.mutants_of(toy / "numbers.py")]
    assert [place for what, place in every if what == "1 for 2"] == [1, 2, 3, 4]
    assert every.count((mistakes.LOOSE, 1)) == 1
    assert every.count(("True for False", 1)) == 1
    loose = next(number for number, (what, _) in enumerate(every) if what == mistakes.LOOSE)
    assert "strict=False" in ast.unparse(_changed(toy / "numbers.py", loose))


def test_the_score_leaves_out_what_means_the_same_and_says_both_shares() -> None:
    fates = Counter({Fate.FAILED: 15, Fate.LATE: 2, Fate.SURVIVED: 2, Fate.UNREACHED: 1, Fate.JUSTIFIED: 5})
    score = Score(fates)
    assert (score.mutants, score.changing, score.killed) == (25, 20, 17)
    assert score.met
    assert score.as_json() == {
        "mutants": 25,
        "changing": 20,
        "killed": 17,
        "killed_of_all": 0.68,
        "killed_of_changing": 0.85,
        "failed": 15,
        "late": 2,
        "survived": 2,
        "reached by no test": 1,
        "means the same": 5,
    }
    assert not Score(fates + Counter({Fate.UNTRIED: 1})).met


class Doomed:
    """A judge that kills everything, and counts."""

    def __init__(self) -> None:
        self.tried: list[Mutant] = []

    def fate(self, mutant: Mutant) -> Outcome:
        self.tried.append(mutant)
        return Outcome(Fate.FAILED, "test.py::test_it")


def test_a_run_goes_on_where_it_was_and_tries_nothing_that_means_the_same(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = mistakes.mutants_of(toy / "numbers.py")
    monkeypatch.setattr(mutants, "justified", lambda: Justified({"Add for Sub": "the same"}, []))
    file, first = tmp_path / "outcomes.jsonl", Doomed()
    mutants.score(first, every[:3], KeptOutcomes(file, "digest"), False)
    assert first.tried == every[:3]
    later = Doomed()
    score = mutants.score(later, every, KeptOutcomes(file, "digest"), False)
    assert later.tried == [mutant for mutant in every[3:] if mutant.what != "Add for Sub"]
    assert score.fates == {Fate.FAILED: len(every) - 1, Fate.JUSTIFIED: 1}
    assert KeptOutcomes(file, "digest").of(every[0]) == Outcome(Fate.FAILED, "test.py::test_it")
    with pytest.raises(SystemExit, match="of other sources or tests"):
        KeptOutcomes(file, "another")


def test_a_line_that_is_added_moves_no_other_mutant_in_the_order(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "SOURCES", toy)
    text = (toy / "numbers.py").read_text()

    def order() -> list[tuple[str, str, int]]:
        return [(line_of(toy, mutant), mutant.what, mutant.place) for mutant in mutants.sample("", 1000, 5)]

    before = order()
    (toy / "numbers.py").write_text("ADDED = 7 - 5\n" + text)
    after = order()
    assert len(after) == len(before) + 3
    assert [entry for entry in after if not entry[0].startswith("ADDED")] == before


def line_of(toy: Path, mutant: Mutant) -> str:
    return (toy / mutant.file).read_text().splitlines()[mutant.line - 1].strip()


@pytest.mark.parametrize("room", mutants.ROOMS)
def test_every_room_has_its_tests(room: str) -> None:
    assert len(mutants.files_of_tests(room)) >= 3
