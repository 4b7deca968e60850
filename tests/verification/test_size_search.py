"""The search over sizes, step by step: what is tried, when it ends, and what its two ends say; decisions are scripted."""

from collections.abc import Callable
from fractions import Fraction
from math import inf, nextafter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.regions import Box, Ellipsoid, Region
from conspect.core.verdicts import HOLDS, VIOLATED, unknown
from conspect.verification.certificates import expectation
from conspect.verification.engine import sizes
from conspect.verification.engine.prover import Outcome
from conspect.verification.engine.sizes import Bracket, End, SizeSearch, _next, above, below
from conspect.verification.measures import GammaMax

BOX = Box(np.zeros(2), np.ones(2), Fraction(1))
JOB: Any = SimpleNamespace(table=(), formula=None)
UNDECIDED = Outcome(unknown("nobody knows"))
WITNESS: Any = object()


def proved(carries: float) -> Outcome:
    return Outcome(HOLDS, carries=carries)


REFUTED = Outcome(VIOLATED, witness=WITNESS)


class Scripted(SizeSearch):
    """Decides a size as told, in so many seconds of a clock of its own. `tried`: the sizes asked for; `worked`: the seconds of
    which the processor was at it.
    """

    def __init__(
        self, say: Callable[[float], Outcome], seconds: float = 0.0, *, patience: float = 1.0, waiting: float = 0.0
    ) -> None:
        super().__init__(None, patience)  # type: ignore[arg-type]
        self.say, self.seconds, self.waiting = say, seconds, waiting
        self.tried, self.now, self.worked = list[float](), 100.0, 7.0

    def proved_at(self, table: Any, formula: Any, region: Region, size: float, *args: Any, **kwargs: Any) -> End:
        self.tried.append(size)
        self.now += self.seconds + self.waiting
        self.worked += self.seconds
        return End(size, region.resized(Fraction(size)), self.say(size))

    def _refuted(self, region: Region, outcome: Outcome) -> End:
        return End(float(region.size), region, outcome)


def searched(search: Scripted, outcome: Outcome, monkeypatch: Any, region: Region = BOX, seconds: float = inf) -> Any:
    clocks = SimpleNamespace(monotonic=lambda: search.now, thread_time=lambda: search.worked)
    monkeypatch.setattr(sizes, "time", clocks)
    return search.bracket(JOB, region, outcome, seconds)


def test_what_is_proved_one_size_at_a_time_is_tried_twelve_times_just_beyond_and_twelve_in_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = Scripted(proved)
    bracket = searched(search, proved(1.0), monkeypatch)
    expected, low = [], 1.0
    for attempt in range(24):
        low = low * (1 + 5e-5) if attempt < 12 else (low + 8) / 2
        expected.append(low)
    assert search.tried == pytest.approx(expected, rel=1e-12)
    assert (bracket.low.size, bracket.high, bracket.searched) == (search.tried[-1], None, search.tried[-1])
    assert not bracket.fails_at_centre


def test_what_nobody_decides_is_halved_towards_what_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Scripted(lambda size: proved(size) if size < 1.5 else UNDECIDED)
    bracket = searched(search, proved(1.0), monkeypatch)
    assert len(search.tried) == 24
    assert (
        bracket.low.size < 1.5 <= min(size for size in search.tried if size not in (bracket.low.size,) and size >= 1.5)
    )
    assert (bracket.high, bracket.searched) == (None, bracket.low.size)
    assert 1.5 - bracket.low.size < 7 / 2**10
    assert search.tried[12] == pytest.approx((search.tried[11] + 8) / 2)


def test_both_ends_come_nearer_until_a_ten_thousandth_of_the_upper_one(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Scripted(lambda size: proved(0.0) if size < 1.3 else REFUTED)
    bracket = searched(search, proved(0.0), monkeypatch)
    assert bracket.low.size < 1.3 <= bracket.high.size
    assert bracket.high.size - bracket.low.size <= 1e-4 * bracket.high.size
    before_last = sorted(
        size for size in [1.0, 8.0, *search.tried] if size not in (bracket.low.size, bracket.high.size)
    )
    gap = bracket.high.size - bracket.low.size
    assert 2 * gap > 1e-4 * bracket.high.size
    assert not any(bracket.low.size < size < bracket.high.size for size in before_last)
    assert bracket.searched == 8.0
    assert bracket.high.outcome is REFUTED


@pytest.mark.parametrize(("gap", "tries"), [(1e-4, 0), (1.01e-4, 1)])
def test_ends_within_a_ten_thousandth_are_near_enough(gap: float, tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    region = BOX.resized(Fraction(2))
    search = Scripted(lambda size: proved(size) if size in (0.0, 2 - 2 * gap) else REFUTED)
    monkeypatch.setattr(sizes, "_next", lambda *args: 2 - 2 * gap if len(search.tried) < 2 else 1.9999)
    searched(search, REFUTED, monkeypatch, region)
    assert search.tried[:2] == [0.0, 2 - 2 * gap]
    assert len(search.tried) == 2 + tries


def test_the_smaller_of_two_refuted_sizes_is_kept_and_of_two_alike_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([5.0, 5.0, 3.0, 4.0])
    search = Scripted(lambda size: REFUTED if size else proved(0.0))
    monkeypatch.setattr(sizes, "ATTEMPTS", 4)
    monkeypatch.setattr(search, "_refuted", lambda region, outcome: End(next(found), region, outcome))
    bracket = searched(search, UNDECIDED, monkeypatch)
    assert bracket.high.size == 3.0
    assert bracket.high.region.size == Fraction(search.tried[3])
    found = iter([5.0, 5.0, 5.0, 5.0])
    bracket = searched(search, UNDECIDED, monkeypatch)
    assert bracket.high.region.size == Fraction(search.tried[6])
    assert search.tried[5] == 0.0


def test_where_the_smallest_region_is_refuted_or_undecided_nothing_else_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = Scripted(lambda size: REFUTED)
    bracket = searched(search, UNDECIDED, monkeypatch)
    assert search.tried == [0.0]
    assert (bracket.low, bracket.high.size, bracket.searched, bracket.fails_at_centre) == (None, 0.0, 8.0, True)
    search = Scripted(lambda size: UNDECIDED)
    bracket = searched(search, UNDECIDED, monkeypatch)
    assert search.tried == [0.0]
    assert (bracket.low, bracket.high, bracket.searched, bracket.fails_at_centre) == (None, None, 0.0, False)
    bracket = searched(search, REFUTED, monkeypatch)
    assert (bracket.low, bracket.high.size, bracket.searched, bracket.fails_at_centre) == (None, 1.0, 8.0, False)


def test_no_size_is_tried_at_the_deadline_or_after(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, tries in ((3.0, 3), (3.1, 4), (0.0, 0)):
        search = Scripted(proved, seconds=1.0)
        searched(search, proved(1.0), monkeypatch, seconds=seconds)
        assert len(search.tried) == tries


def test_after_an_attempt_that_took_long_and_decided_nothing_no_other_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, tries in ((0.5, 2), (0.75, 1)):
        search = Scripted(lambda size: UNDECIDED, seconds=seconds)
        monkeypatch.setattr(sizes, "ATTEMPTS", 2)
        searched(search, proved(2.0), monkeypatch)
        assert len(search.tried) == tries


def test_waiting_for_the_processor_is_no_reason_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def say(size: float) -> Outcome:
        return proved(size) if size < 1.5 else UNDECIDED

    quiet, crowded = (Scripted(say, seconds=0.1, waiting=waiting) for waiting in (0.0, 30.0))
    for search in (quiet, crowded):
        searched(search, proved(1.0), monkeypatch)
    assert quiet.tried == crowded.tried
    assert len(quiet.tried) == 24


@given(
    largest=st.floats(0.0, 8.0),
    refuted=st.floats(0.0, 8.0),
    carried=st.floats(0.0, 1.0),
    seconds=st.floats(0.0, 1.0),
    slower=st.floats(1.0, 5.0),
)
def test_a_machine_of_a_fifth_of_the_speed_reaches_what_is_decided_again_beside_its_certificate(
    largest: float, refuted: float, carried: float, seconds: float, slower: float
) -> None:
    def say(size: float) -> Outcome:
        if size <= largest:
            return proved(size + carried * (largest - size))
        return REFUTED if size >= max(refuted, largest) else UNDECIDED

    with pytest.MonkeyPatch.context() as patch:
        written = searched(Scripted(say, slower * seconds), proved(0.0), patch)
        again = searched(Scripted(say, seconds, patience=expectation.PATIENCE), proved(0.0), patch)
    assert again.low.size <= written.low.size
    if again.high is not None:
        assert written.high.size <= again.high.size


def test_the_search_looks_as_far_as_eight_times_an_ordinary_size(monkeypatch: pytest.MonkeyPatch) -> None:
    balls = (Ellipsoid(np.zeros(d), np.eye(d), Fraction(size)) for d, size in ((9, 1), (9, 4), (1, Fraction(1, 2))))
    for region, limit in zip(
        (BOX, BOX.resized(Fraction(1, 4)), BOX.resized(Fraction(3)), *balls), (8, 8, 24, 24, 32, 8), strict=True
    ):
        bracket = searched(Scripted(lambda size: proved(inf)), proved(inf), monkeypatch, region)
        assert (bracket.low.size, bracket.high, bracket.searched) == (limit, None, limit)


def test_the_two_ends_decide_every_size_but_those_between() -> None:
    low, high = (End(size, BOX.resized(Fraction(size)), Outcome(HOLDS)) for size in (0.5, 2.0))
    both, step = Bracket(low, high, 8.0), Fraction(1, 10**30)
    verdicts = {Fraction(0): HOLDS, Fraction(1, 2): HOLDS, Fraction(2): VIOLATED, Fraction(9): VIOLATED}
    assert {size: both.verdict(size) for size in verdicts} == verdicts
    for size in (Fraction(1, 2) + step, Fraction(2) - step):
        assert both.verdict(size) == unknown("between the largest size proved and the smallest refuted")
    assert both.record() == GammaMax(0.5, 2.0, 8.0)
    assert Bracket(low, None, 0.5).verdict(Fraction(9)).outcome == "unknown"
    assert Bracket(low, None, 0.5).record() == GammaMax(0.5, None, 0.5)
    assert Bracket(None, high, 8.0).verdict(Fraction(0)).outcome == "unknown"
    assert Bracket(None, high, 8.0).record() == GammaMax(None, 2.0, 8.0)
    nowhere = Bracket(None, high, 8.0, fails_at_centre=True)
    assert nowhere.verdict(Fraction(0)) == VIOLATED
    assert nowhere.record() == GammaMax(None, 0.0, 8.0)


def test_the_next_size_is_just_within_the_last_proof_or_just_beyond_it_or_in_the_middle() -> None:
    # A proof that carries to the limit, with nothing refuted, is tried there; with something refuted the middle is.
    assert _next(1.0, None, 8.0, 8.0, 0) == 8.0
    assert _next(1.0, None, nextafter(8.0, 0.0), 8.0, 0) == nextafter(8.0, 0.0) * (1 - 1e-9)
    assert _next(1.0, 4.0, 8.0, 8.0, 0) == 2.5
    # Just within, where that is a millionth further at least: 1e-3 of 1e-4 of the top.
    assert _next(1.0, 4.0, 2.0, 8.0, 0) == 2 * (1 - 1e-9)
    assert _next(1.0, 4.0, 2.0, 8.0, 20) == 2 * (1 - 1e-9)
    assert _next(1.0, 4.0, 1 + 4.1e-7, 8.0, 0) == (1 + 4.1e-7) * (1 - 1e-9)
    # Just beyond by half a ten thousandth, in the first twelve attempts.
    assert _next(1.0, 4.0, 1 + 4e-7, 8.0, 0) == (1 + 4e-7) * (1 + 5e-5)
    assert _next(1.0, 4.0, 1.0, 8.0, 11) == 1 + 5e-5
    assert _next(1.0, 4.0, 1.0, 8.0, 12) == 2.5
    assert _next(1.0, None, 1.0, 8.0, 12) == 4.5
    # Where even that is beyond the top, or does not reach further, the middle.
    assert _next(1.0, 1 + 4e-5, 1.0, 8.0, 0) == pytest.approx(1 + 2e-5, abs=1e-12)
    assert _next(1.0, 4.0, 0.5, 8.0, 0) == 2.5


@given(st.fractions(min_value=-(10**9), max_value=10**9))
def test_floats_below_and_above_are_the_nearest_on_their_side(size: Fraction) -> None:
    low, high = below(size), above(size)
    assert Fraction(low) <= size <= Fraction(high)
    assert Fraction(nextafter(low, inf)) > size
    assert Fraction(nextafter(high, -inf)) < size


def test_an_attempt_has_five_seconds_or_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    given_budgets = []

    class Prover:
        def __init__(self, budget: float) -> None:
            self.seconds_budget, self.proofs_only = budget, False

        def conclude(self, task: Any) -> Outcome:
            given_budgets.append((self.seconds_budget, self.proofs_only))
            return UNDECIDED

    for budget, deadline, seconds in ((60.0, inf, 5.0), (60.0, 103.0, 3.0), (1.5, inf, 1.5), (60.0, 90.0, 0.0)):
        of: Any = SimpleNamespace(
            rows=None, forms=lambda region: None, prover=lambda region, forms, budget=budget: Prover(budget),
            guarded=lambda decide: decide(),
        )  # fmt: skip
        monkeypatch.setattr(sizes, "time", SimpleNamespace(monotonic=lambda: 100.0))
        monkeypatch.setattr(sizes, "new_task", lambda *args: args)
        end = SizeSearch(of).proved_at((), None, BOX, 0.75, deadline)
        assert (end.size, end.region.size, end.outcome.verdict) == (0.75, Fraction(3, 4), UNDECIDED.verdict)
        SizeSearch(of).proved_at((), None, BOX, 0.75, deadline, proofs_only=True)
        assert given_budgets[-2:] == [(seconds, False), (seconds, True)]
        SizeSearch(of, 0.2).proved_at((), None, BOX, 0.75, deadline)
        assert given_budgets[-1] == (min(seconds, 1.0), False)
    assert (sizes.SECONDS, sizes.UNDECIDED_SECONDS, sizes.RELATIVE) == (5.0, 0.5, 1e-4)
