"""What the prover and the float engine spend, and what they hand on: budgets, margins, certificates that can be carried."""

from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import pytest

from conspect.core.regions import Box
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.core.verdicts import HOLDS, VIOLATED
from conspect.verification.certificates.claims import array_digest, end_claims
from conspect.verification.engine import batch
from conspect.verification.engine.batch import new_task
from conspect.verification.engine.certifiable import LARGEST_INTEGER, certifiable
from conspect.verification.engine.decider import Decider
from conspect.verification.engine.integers import RationalVector
from conspect.verification.engine.points import Witness
from conspect.verification.engine.prover import Outcome, Proof
from conspect.verification.engine.sizes import Bracket, End, SizeSearch
from conspect.verification.engine.steps import Close, Open
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation

# Strengths x and y and (3 x + 4 y) / 5 of the embedding (x, y), which lies in 0..2 and -2.25..-1.75.
LENS = Lens(AffineMap(np.eye(2), np.zeros(2)), ("k0", "k1", "k2"), np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
HEAD = Head.linear(np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2))
SPLIT = EmbeddingSplit(np.zeros((2, 2)), np.zeros(2, dtype=np.int64), ("a", "b"))
MODEL = VerificationModel(HEAD, LENS, ("c0", "c1"), dict.fromkeys(("train", "val", "test"), SPLIT))
BOX = Box(np.array([1.0, -2.0]), np.array([2.0, 0.5]), Fraction(1, 2))
BOTH: Any = (("stronger", 0, 1), ("stronger", 0, 2), ("and", 0, 1))
ONE: Any = (("stronger", 0, 1),)
FALSE: Any = (("stronger", 1, 0),)


def decider(**options: Any) -> Decider:
    return Decider(MODEL, VerifyOptions(search_gamma=False, **options))


def concluded(table: Any, **options: Any) -> Outcome:
    """By the exact search alone: the float engine has not looked at it."""
    of = decider(**options)
    return of.prover(BOX).conclude(new_task(table, of.rows, 0, None))


def test_the_exact_search_counts_each_state_once() -> None:
    # The root, which is opened, and its two cases.
    outcome = concluded(BOTH, node_budget=3)
    assert outcome.verdict == HOLDS
    assert outcome.proof is not None
    assert [type(step) for step in outcome.proof.steps] == [Open, Close, Close]
    stopped = concluded(BOTH, node_budget=2)
    assert stopped.verdict.reason == "more than 2 conjuncts to examine"
    assert concluded(ONE, node_budget=1).verdict == HOLDS
    assert concluded(ONE, node_budget=0).verdict.outcome == "unknown"
    assert concluded(ONE, seconds_budget=0.0).verdict.reason == "more than 0 s needed"
    assert concluded(ONE, seconds_budget=60.0).verdict == HOLDS


def test_a_margin_is_that_of_the_narrowest_case_and_a_proof_carries_as_far_as_the_shortest() -> None:
    # x - y is 3 in the middle and loses 5/2 of the size; (2 x - 4 y) / 5 is 2 and loses 4/5 + 2/5.
    alone = concluded(ONE)
    assert alone.margin == pytest.approx(3 - 2.5 / 2)
    assert alone.carries == pytest.approx(3 / 2.5)
    other = concluded((("stronger", 0, 2),))
    assert other.margin == pytest.approx(2 - 1.2 / 2)
    assert other.carries == pytest.approx(2 / 1.2)
    both = concluded(BOTH)
    assert (both.margin, both.carries) == (min(alone.margin or 0, other.margin or 0), min(alone.carries, other.carries))
    assert Fraction(both.margin or 0) <= Fraction(7, 5)
    assert Fraction(alone.carries) <= Fraction(6, 5)


def test_a_counterexample_lies_inside_and_makes_the_formula_false() -> None:
    outcome = concluded(FALSE)
    assert outcome.verdict == VIOLATED
    assert outcome.witness is not None
    x, y = outcome.witness.floats
    assert y <= x
    assert 0 <= x <= 2
    assert -2.25 <= y <= -1.75
    only = decider().prover(BOX)
    only.proofs_only = True
    assert only.conclude(new_task(FALSE, decider().rows, 0, None)).verdict.reason == "no proof"
    # Without witnesses every disjunction is opened, the shortest first, until a case cannot be closed.
    assert only.conclude(new_task(BOTH, decider().rows, 0, None)).verdict == HOLDS


def test_the_float_engine_is_stuck_beyond_its_budget_and_at_its_deadline() -> None:
    of = decider()
    for budget, stuck in ((3, False), (2, True)):
        task = new_task(BOTH, of.rows, 0, None)
        batch.decide([task], [of.forms(BOX)], of.rows, budget)
        assert (task.nodes, task.stuck) == (3, stuck)
        assert [child.multipliers for child in task.root.children] == [{0: 1.0}, {0: 1.0}]
    late = new_task(BOTH, of.rows, 0, None)
    batch.decide([late], [of.forms(BOX)], of.rows, 99, deadline=0.0)
    assert (late.nodes, late.stuck, late.root.children) == (0, False, [])
    found = new_task(FALSE, of.rows, 0, None)
    batch.decide([found], [of.forms(BOX)], of.rows, 99)
    assert found.witness is not None
    assert found.margin == pytest.approx(-(3 + 2.5 / 2))
    assert found.decided_by == "closed form"


def test_evidence_is_certified_up_to_numbers_of_3990_digits() -> None:
    assert LARGEST_INTEGER == 10**3990

    def proof(number: int) -> Outcome:
        return Outcome(HOLDS, Proof([Open(0), Close(((0, 1), (3, number)))]), margin=1.0)

    def witness(numerator: int, denominator: int, exact: Any = None) -> Outcome:
        vector = RationalVector([numerator, 1], denominator)
        return Outcome(VIOLATED, witness=Witness("coordinates", vector, np.zeros(2), exact), margin=-1.0)

    for outcome in (proof(LARGEST_INTEGER), witness(-LARGEST_INTEGER, 1), witness(1, LARGEST_INTEGER), Outcome(HOLDS)):
        assert certifiable(outcome) is outcome
    for outcome in (proof(LARGEST_INTEGER + 1), witness(-LARGEST_INTEGER - 1, 1), witness(1, LARGEST_INTEGER + 1)):
        left = certifiable(outcome)
        assert left.verdict.reason == "decided, but its certificate would need an integer of more than 3,990 digits"
        assert (left.proof, left.witness, left.margin) == (None, None, None)
    in_floats = witness(LARGEST_INTEGER + 1, 1, np.zeros(2))
    assert certifiable(in_floats) is in_floats


def job(table: Any) -> Obligation:
    quantifier: Any = None
    return Obligation("p", None, table, quantifier, "c0", "said", 1, "f")  # type: ignore[arg-type]


def test_the_ends_of_sizes_are_claims_of_their_own() -> None:
    low, high = (End(size, BOX.resized(Fraction(size)), Outcome(HOLDS)) for size in (0.25, 2.0))
    claims = end_claims(job(ONE), Bracket(low, high, 8.0), lambda region: (int(region.size * 4), 9, "test"))
    assert [(claim.name, claim.region.size, claim.coverage) for claim in claims] == [
        ("p at its largest proved size", Fraction(1, 4), (1, 9, "test")),
        ("p at its smallest refuted size", 2, (8, 9, "test")),
    ]
    assert [claim.name for claim in end_claims(job(ONE), Bracket(None, high, 8.0), lambda region: (0, 0, ""))] == [
        "p at its smallest refuted size"
    ]
    assert array_digest(np.array([1, 2], dtype=np.float32)) == array_digest(np.array([1.0, 2.0]))
    assert array_digest(np.array([1.0, 2.0])) != array_digest(np.array([2.0, 1.0]))


@pytest.mark.parametrize(("table", "exact"), [(ONE, 1.2), (BOTH, 1.2), ((("stronger", 0, 2),), 2 / 1.2)])
@pytest.mark.parametrize("size", ["1/2", "1", "3/2", "9"])
def test_both_ends_of_a_bracket_come_within_a_ten_thousandth(table: Any, exact: float, size: str) -> None:
    of = decider()
    region = BOX.resized(Fraction(size))
    outcome = of.prover(region).conclude(new_task(table, of.rows, 0, None))
    bracket = SizeSearch(of).bracket(job(table), region, outcome, 60.0)
    assert bracket.low is not None
    assert bracket.high is not None
    assert bracket.low.size < exact <= bracket.high.size
    assert bracket.high.size - bracket.low.size <= 1e-4 * bracket.high.size
    assert bracket.searched == 8 * max(1.0, float(Fraction(size)))
    assert bracket.low.region.size == Fraction(bracket.low.size)
    assert bracket.low.outcome.verdict == HOLDS
    # Nothing is looked for where no time is left, and what is known is kept.
    late = SizeSearch(of).bracket(job(table), region, outcome, 0.0)
    assert (late.low is not None) == (outcome.verdict == HOLDS)
    assert (late.high is not None) == (outcome.witness is not None)


def test_what_is_proved_everywhere_is_proved_up_to_the_limit_and_what_fails_at_the_centre_nowhere() -> None:
    of = decider()
    always: Any = (("stronger", 0, 1), ("not", 0), ("or", 0, 1))
    outcome = of.prover(BOX).conclude(new_task(always, of.rows, 0, None))
    assert outcome.carries == inf
    bracket = SizeSearch(of).bracket(job(always), BOX, outcome, 60.0)
    assert bracket.low is not None
    assert (bracket.low.size, bracket.high, bracket.searched) == (8.0, None, 8.0)
    false = of.prover(BOX).conclude(new_task(FALSE, of.rows, 0, None))
    nowhere = SizeSearch(of).bracket(job(FALSE), BOX, false, 60.0)
    assert (nowhere.low, nowhere.fails_at_centre, nowhere.searched) == (None, True, 8.0)
    assert nowhere.high is not None
    assert nowhere.high.size == 0.0


def test_margins_of_what_holds_are_made_as_large_as_multipliers_prove() -> None:
    """x - y or y / 5 - 3 x / 5 is above nought where y is below -1 and x is within 4: neither alone, both together."""
    wide = Box(np.array([0.0, -2.0]), np.array([4.0, 1.0]), Fraction(1))
    either: Any = (("stronger", 0, 1), ("stronger", 1, 2), ("or", 0, 1))
    offsets, slopes = np.array([2.0, -0.4]), np.array([[4.0, -1.0], [-2.4, 0.2]])
    shares = np.linspace(0, 1, 10_001)[:, None]
    mixed = shares * slopes[0] + (1 - shares) * slopes[1]
    best = float((shares[:, 0] * offsets[0] + (1 - shares[:, 0]) * offsets[1] - np.abs(mixed).sum(axis=1)).max())
    of = Decider(MODEL, VerifyOptions(curve_gammas=(Fraction(1),)))
    plainly = Decider(MODEL, VerifyOptions(search_gamma=False))
    (answer,), (first,) = (each.decide([(job(either), wide)]) for each in (of, plainly))
    assert answer.outcome.verdict == first.outcome.verdict == HOLDS
    assert first.margin is not None
    assert answer.margin is not None
    assert first.margin < 0.9 * best
    assert answer.margin == pytest.approx(best, rel=1e-3)
    assert answer.margin <= best * (1 + 1e-9)
    assert answer.curve[0].margin == pytest.approx(best, rel=1e-3)


def test_a_search_ends_as_soon_as_both_ends_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    of, decided = decider(), []
    real = SizeSearch.proved_at

    def counted(self: SizeSearch, *asked: Any, **options: Any) -> End:
        decided.append(asked[3])
        return real(self, *asked, **options)

    monkeypatch.setattr(SizeSearch, "proved_at", counted)
    outcome = of.prover(BOX).conclude(new_task(ONE, of.rows, 0, None))
    SizeSearch(of).bracket(job(ONE), BOX, outcome, 60.0)
    # Just within what the proof carries, and just beyond.
    assert decided == pytest.approx([1.2, 1.2], rel=1e-4)
