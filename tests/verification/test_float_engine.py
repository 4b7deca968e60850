"""What the float engine hands on: largest values of literals, corners and margins, the rows and plans of splits, all by value."""

import time
from collections import defaultdict
from fractions import Fraction
from itertools import count
from math import inf
from typing import Any

import numpy as np
import pytest

from conspect.core.regions import Box, Ellipsoid, PrincipalBox, Region
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.language import check_text
from conspect.verification.engine import batch, exact_vertex
from conspect.verification.engine.batch import Branch, RegionForms, examine, new_task
from conspect.verification.engine.decider import Decider, base_forms
from conspect.verification.engine.nonlinear import (
    ChordTag,
    CutTag,
    EmptyState,
    InnerTag,
    LiteralTag,
    Nonlinear,
    Plan,
    Rows,
    SatisfyingPoint,
    SignTag,
)
from conspect.verification.engine.prover import Proof, linear_literals
from conspect.verification.engine.steps import Close, Halve, Open, SplitNeuron
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.negation import AtomRows, ConeLiteral, LinearLiteral, State
from conspect.verification.queries.planning import plan

# Strengths are x and y at the embedding (x, y), then their mean; logits x, y and 1.
LENS = Lens(AffineMap(np.eye(2), np.zeros(2)), ("k0", "k1", "k2"), np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
LINEAR = Head.linear(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.array([0.0, 0.0, 1.0]))
RELU = Head(
    (
        AffineMap(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), np.array([0.0, 0.5, 0.25])),
        AffineMap(np.array([[1.0, 0.0, -2.0], [0.0, 1.0, 1.0], [0.5, 0.5, 0.0]]), np.array([0.0, 0.25, -0.5])),
    )
)
BOX = Box(np.array([1.0, -2.0]), np.array([2.0, 0.5]), Fraction(1, 2))
BALL = Ellipsoid(np.array([1.0, -2.0]), np.array([[2.0, 0.0], [0.0, 0.5]]), Fraction(1, 2))
TURNED = PrincipalBox(np.array([1.0, -2.0]), np.array([[2.0, 1.0], [0.0, 0.5]]), Fraction(1, 2))


def model_of(head: Head = LINEAR, thresholds: dict[str, float] | None = None) -> VerificationModel:
    split = EmbeddingSplit(np.zeros((2, 2)), np.zeros(2, dtype=np.int64), ("a", "b"))
    return VerificationModel(
        head, LENS, ("c0", "c1", "c2"), dict.fromkeys(("train", "val", "test"), split), thresholds or {}
    )


def decider(head: Head = LINEAR, thresholds: dict[str, float] | None = None, **options: Any) -> Decider:
    return Decider(model_of(head, thresholds), VerifyOptions(search_gamma=False), **options)


def branch(*literals: Any) -> Branch:
    return Branch(State(tuple(literals), ()))


def test_base_forms_are_logits_strengths_nought_leads_and_bars() -> None:
    rows = AtomRows(3, 3, {0: Fraction(1, 2), 2: Fraction(-1)}, (Fraction(1, 4), Fraction(3)), True)
    forms = base_forms(model_of(), rows)
    z = np.array([[2.0, -3.0]])
    logits, strengths = [2.0, -3.0, 1.0], [2.0, -3.0, -1.2]
    expected = [*logits, *strengths, 0.0, *[v + 0.25 for v in logits], *[v + 3 for v in logits], -1.5, 0.0, 3.0]
    assert forms(z)[0] == pytest.approx(expected)
    assert base_forms(model_of(RELU), AtomRows(3, 3, {}))(z)[0] == pytest.approx([0, 0, 0, *strengths, 0])


# x above y is at least 3 - 1.25 over the box, 3 - 0.5 sqrt(4.25) over the ball.
X_ABOVE, Y_ABOVE = LinearLiteral(3, 4, True), LinearLiteral(4, 3, True)


@pytest.mark.parametrize(("region", "reach"), [(BOX, 1.25), (BALL, 0.5 * np.sqrt(4.25)), (TURNED, 0.5 * 2 + 0.5 * 0.5)])
def test_single_literals_close_with_the_largest_value_or_are_met_at_its_place(region: Region, reach: float) -> None:
    forms = decider().forms(region)
    closed, met, both = branch(Y_ABOVE), branch(X_ABOVE), branch(X_ABOVE, Y_ABOVE)
    # x above nought is true at (2, ...) only: from 1 - 1 up to 1 + 1.
    nothing = branch()
    points = examine([closed, met, both, nothing], forms)
    assert closed.multipliers == {0: 1.0}
    assert closed.margin == pytest.approx(3 - reach)
    assert points[0] is None
    assert both.multipliers == {1: 1.0}
    assert both.margin == pytest.approx(3 - reach)
    assert met.multipliers is None
    place = points[1]
    assert place is not None
    assert float((forms.slopes[3] - forms.slopes[4]) @ place + forms.offsets[3] - forms.offsets[4]) == pytest.approx(
        3 + reach
    )
    assert points[3] is not None
    assert points[3].tolist() == [0.0, 0.0]
    assert [own.by_barrier for own in (closed, met, both)] == [False] * 3


def test_what_is_within_rounding_of_a_tie_is_left_to_the_barrier() -> None:
    # x - y is 3 at the centre: over a box of (3, 0) the corner is a tie.
    for factor, closed in ((3.0 * (1 - 1e-8), True), (3.0, False), (3.0 * (1 + 1e-8), False)):
        region = Box(np.array([1.0, -2.0]), np.array([factor, 0.0]), Fraction(1))
        own = branch(Y_ABOVE)
        points = examine([own], decider().forms(region))
        assert (own.multipliers == {0: 1.0} and not own.by_barrier) is closed
        assert (points[0] is not None) == (factor > 3.0)
    assert batch.TOLERANCE == 1e-9


def test_two_literals_that_only_together_are_false_close_by_the_barrier() -> None:
    # x > y + mean-ish: over the box around 0, x > y and y > x are each met, and never both.
    region = Box(np.zeros(2), np.ones(2), Fraction(1))
    forms = decider().forms(region)
    own, three = (
        branch(X_ABOVE, LinearLiteral(4, 5, True), LinearLiteral(5, 3, True)),
        branch(X_ABOVE, LinearLiteral(3, 6, True)),
    )
    points = examine([own, three], forms)
    assert three.multipliers is None
    assert points[1] is not None
    x, y = points[1]
    assert x > y
    assert x > 0
    if own.multipliers is not None:
        total: Any = sum(
            w * (forms.slopes[int(a)] - forms.slopes[int(b)])
            for (a, b, *_), w in zip(linear_literals(own.state), own.multipliers.values(), strict=True)
        )
        assert np.abs(total).sum() < 1e-6
    assert own.by_barrier


def test_multipliers_of_the_barrier_are_of_the_branch_s_own_literals_and_its_margin_is_the_bound() -> None:
    # x > y + 1 and y > x + ... as rows: logit 2 is 1, so "y above 1" and "1 above ... x" and "x above y" contradict by slacks.
    region = Box(np.array([0.0, 0.0]), np.array([1.0, 1.0]), Fraction(4))
    rows = AtomRows(3, 3, {}, (Fraction(1),))
    forms = RegionForms.of(region, base_forms(model_of(), rows))
    # Rows 7 and 8 are the logits x and y raised by 1: x above y + 1, and y above x + 1: together 0 >= 2.
    state = branch(LinearLiteral(0, 8, False), LinearLiteral(1, 7, False))
    longer = branch(*state.state.literals, LinearLiteral(0, 8, False))
    examine([state, longer], forms, tight=True)
    for own in (state, longer):
        assert own.multipliers is not None
        assert set(own.multipliers) <= set(range(len(own.state.literals)))
        assert sum(own.multipliers.values()) == pytest.approx(1.0)
        assert own.margin == pytest.approx(1.0, abs=1e-3)
        assert own.by_barrier
    assert state.multipliers == pytest.approx({0: 0.5, 1: 0.5}, abs=1e-3)


def test_padding_repeats_the_first_literal() -> None:
    padded = batch._padded([[X_ABOVE], [X_ABOVE, Y_ABOVE]], 2)
    assert padded.tolist() == [[[3, 4, 1], [3, 4, 1]], [[3, 4, 1], [4, 3, 1]]]


def test_a_task_ends_with_a_witness_a_closed_tree_or_stuck() -> None:
    own = decider()
    forms = [own.forms(BOX)]
    rows = own.rows

    def done(table: Any, budget: int = 99, deadline: float = inf) -> Any:
        task = new_task(table, rows, 0, None)
        batch.decide([task], forms, rows, budget, deadline=deadline)
        return task

    held = done((("stronger", 0, 1),))
    assert (held.witness, held.stuck, held.nodes, held.decided_by) == (None, False, 1, "closed form")
    assert batch.margin_of(held) == pytest.approx(1.75)
    broken = done((("stronger", 1, 0),))
    assert broken.witness is not None
    assert broken.margin == pytest.approx(-4.25)
    assert batch.margin_of(broken) == pytest.approx(-4.25)
    # Denied: either part; both branches close, the narrower decides. k0 above k2 is 0.4 x - 0.8 y = 2 at the centre.
    both = done((("stronger", 0, 1), ("stronger", 0, 2), ("and", 0, 1)))
    assert both.nodes == 3
    assert both.root.which == 0
    assert len(both.root.children) == 2
    assert batch.margin_of(both) == pytest.approx(min(1.75, 2 - 0.5 * (0.8 + 0.4)))
    assert done((("stronger", 0, 1), ("stronger", 0, 2), ("and", 0, 1)), budget=2).stuck
    assert not done((("stronger", 0, 1), ("stronger", 0, 2), ("and", 0, 1)), budget=3).stuck
    late = done((("stronger", 0, 1),), deadline=-inf)
    assert (late.nodes, late.witness) == (0, None)


# ---------------------------------------------------------------- cones and layers


def nonlinear(head: Head, region: Region, thresholds: dict[str, float] | None = None) -> Nonlinear:
    return Nonlinear(decider(head, thresholds).prover(region).sized)


THRESHOLDS = {"k0": 0.5, "k1": -0.25, "k2": 0.25}


@pytest.mark.parametrize("region", [BOX, BALL, TURNED])
def test_forms_of_cones_are_those_of_the_lens_over_the_region(region: Region) -> None:
    cones = nonlinear(LINEAR, region, THRESHOLDS).cones
    factor = region.factor if region.factor.ndim == 2 else np.diag(region.factor)
    u = np.array([0.3, -0.9])
    z = region.centre + factor @ u / 2
    assert cones.mapped(u) == pytest.approx(z)
    assert cones.strength_slopes[:3] @ u + cones.strength_offsets[:3] == pytest.approx(LENS.directions @ z)


@pytest.mark.parametrize("region", [BOX, BALL, TURNED])
def test_rows_of_a_state_are_its_literals_relaxed_logits_and_assumed_signs(region: Region) -> None:
    own = nonlinear(RELU, region, THRESHOLDS)
    relu = own.sized.relu
    assert relu is not None
    phases = {(0, 0): True, (0, 2): False}
    state = State((X_ABOVE, ConeLiteral(0, True), LinearLiteral(1, 0, False)), ())
    rows = own._rows(state, phases)
    assert rows.tags == [LiteralTag(0), LiteralTag(2), SignTag((0, 0)), SignTag((0, 2))]
    factor = region.factor if region.factor.ndim == 2 else np.diag(region.factor)
    for u in (np.array([0.0, 0.0]), np.array([0.5, -1.0])):
        z = region.centre + factor @ u / 2
        values = [float(slope @ u + offset) for slope, offset in zip(rows.slopes, rows.offsets, strict=True)]
        weights = relu.relaxed(np.array([-1.0, 1.0, 0.0]), phases)
        expected = [z[0] - z[1], float(weights[0] @ z) + weights[1], z[0], -(-z[0] + 0.25)]
        assert values == pytest.approx(expected, abs=1e-12)
        assert own._direction(u) == pytest.approx(z / np.linalg.norm(z))


def test_leads_of_relaxed_logits_are_added() -> None:
    own = Nonlinear(Decider(model_of(RELU), VerifyOptions(), leads=(Fraction(3, 4),)).prover(BOX).sized)
    plain, raised = LinearLiteral(1, 0, False), LinearLiteral(1, 7, False)
    first, second = own._rows(State((plain,), ()), {}), own._rows(State((raised,), ()), {})
    assert first.slopes[0].tolist() == second.slopes[0].tolist()
    assert second.offsets[0] == pytest.approx(first.offsets[0] - 0.75)
    weights: Any = defaultdict(int, {1: 3, 7: -3, 8: 2, 4: 5, 0: 0})
    assert own._logit_weights(weights) == ({1: 5, 0: -3}, (-3 + 2) * Fraction(3, 4), {4: 5})


def test_a_plan_has_whole_multipliers_mean_vectors_and_short_scales() -> None:
    own = nonlinear(LINEAR, BOX, THRESHOLDS)
    tags: Any = [LiteralTag(0), CutTag(1, np.array([1.0, 0.0])), CutTag(1, np.array([0.0, 1.0])), ChordTag(2, 1 / 3), InnerTag(),
                 SignTag((0, 1)), SignTag((0, 1)), LiteralTag(0), LiteralTag(3)]  # fmt: skip
    plan = own._plan(tags, np.array([4.0, 1.0, 3.0, 2.0, 9.0, 5.0, 1.0, 2.0, 0.0]))
    assert plan.multipliers == {0: 6, 1: 4, 2: 2}
    assert plan.slopes == {(0, 1): 6}
    assert plan.bounds[1] == pytest.approx([0.25, 0.75])
    assert plan.bounds[2] == Fraction(1 / 3).limit_denominator(2**30)
    assert own._plan([ChordTag(0, 1e-300)], np.ones(1)).bounds[0] == Fraction(1, 2**30)
    step = Plan({0: 2}, {1: Fraction(1)}, {(0, 0): Fraction(0), (0, 1): Fraction(1, 2)}).step()
    assert step == Close(((0, 2),), ((1, Fraction(1)),), (((0, 1), Fraction(1, 2)),))


@pytest.mark.parametrize("strict", [False, True])
def test_a_plan_proves_up_to_its_exact_tie(strict: bool) -> None:
    """x at most y over the box, denied by x - y >= 7/4 at its least; with a lead of 7/4 the sum is nought at its largest."""
    own = Nonlinear(Decider(model_of(), VerifyOptions(), leads=(Fraction(7, 4), Fraction(9, 4))).prover(BOX).sized)
    # y + lead above x: rows 7..9 are raised by 7/4, rows 10..12 by 9/4.
    tie, above = State((LinearLiteral(8, 0, strict),), ()), State((LinearLiteral(11, 0, strict),), ())
    plan = Plan({0: 5}, {}, {})
    assert own._proves(tie, plan, {}, {}) is strict
    assert not own._proves(above, plan, {}, {})
    assert own._proves(State((LinearLiteral(1, 0, strict),), ()), plan, {}, {})
    # Over the half of the box where x is larger: x - y is at least 11/4.
    limits = {0: (Fraction(0), Fraction(1, 2))}
    assert own._proves(above, plan, limits, {})
    closing = own._closing(tie, [LiteralTag(0)], np.array([0.25]), {}, {})
    assert (closing is not None) is strict


def test_what_bounds_do_not_decide_is_split_where_it_is_widest() -> None:
    own = nonlinear(LINEAR, BOX, THRESHOLDS)
    slack: Any = {0: ConeLiteral(0, False)}
    # Halves of the axes: y moves by (1, 0) and by (0, 1/4).
    assert own._split({}, np.array([1.0, 1.0]), slack).step == Halve(0)  # type: ignore[union-attr]
    assert own._split({}, np.array([0.1, 1.0]), slack).step == Halve(1)  # type: ignore[union-attr]
    assert "not convex" in str(own._split({}, np.zeros(2), slack))
    assert "a tie, or nearly one" in str(own._split({}, np.ones(2), {}))
    assert "not convex" in str(nonlinear(LINEAR, BALL, THRESHOLDS)._split({}, np.ones(2), slack))
    deep = nonlinear(RELU, BOX)
    relu = deep.sized.relu
    assert relu is not None
    # Pre-activations: x from 0 to 2, y + 1/2 from -7/4 to -5/4, 1/4 - x from -7/4 to 1/4: one of either sign.
    assert relu.unstable({}) == [(0, 2)]
    assert deep._split({}, np.ones(2), {}).step == SplitNeuron((0, 2))  # type: ignore[union-attr]
    assert "a tie, or nearly one" in str(deep._split({(0, 2): True}, np.ones(2), {}))


def test_rows_are_answered_over_the_part_that_is_looked_at() -> None:
    rows = Rows()
    # u0 above 1/4, over the part of u0 from -1 to 0: closed; from 0 to 1: met.
    rows.add(np.array([1.0, 0.0]), -0.25, LiteralTag(0))
    for middle, met in ((-0.5, False), (0.5, True)):
        status, weights, point = rows.answered(np.array([middle, 0.0]), np.array([0.5, 1.0]), "max")
        assert status == (2 if met else 1)
        assert weights.tolist() == [1.0]
        if met:
            assert 0.25 < point[0] <= 1.0


# ---------------------------------------------------------------- steps and proofs


def test_steps_are_written_down_as_the_checker_reads_them() -> None:
    assert Close(((0, 2), (3, 1))).record() == ("close", ((0, 2), (3, 1)))
    with_bound = Close(((0, 2),), ((1, Fraction(5, 7)),))
    assert with_bound.record() == ("close", ((0, 2),), [[1, "5/7"]])
    with_slope = Close(((0, 2),), (), (((0, 1), Fraction(1, 2)),))
    assert with_slope.record() == ("close", ((0, 2),), [], [[0, 1, "1/2"]])
    assert Close(((0, 1),), band=(4, 5)).record() == ("cycle", ((0, 1),), (4, 5))
    assert Close((), band=()).record() == ("cycle", (), ())
    assert (Open(3).record(), Halve(2).record(), SplitNeuron((1, 4)).record()) == (
        ("open", 3),
        ("halve", 2),
        ("phase", 1, 4),
    )
    assert Proof().steps == []
    assert linear_literals(State((X_ABOVE, ConeLiteral(0, True), Y_ABOVE), ())) == (X_ABOVE, Y_ABOVE)


def test_what_is_linear_depends_on_the_head_and_on_thresholds() -> None:
    strengths: Any = (("stronger", 0, 1),)
    mixed: Any = (("predict", 0), ("stronger", 0, 1), ("implies", 0, 1))
    present: Any = (("has", 0), ("has", 1), ("or", 0, 1))
    thresholds = {"k0": 0.0, "k1": 0.5}

    def linear(head: Head, table: Any, cut: int | None = None, **options: Any) -> bool:
        of = decider(head, thresholds, **options)
        return of.is_linear(new_task(table, of.rows, 0, cut))

    assert linear(LINEAR, mixed)
    assert linear(LINEAR, mixed, 1)
    assert linear(RELU, strengths)
    assert not linear(RELU, mixed)
    assert not linear(RELU, strengths, 1)
    assert linear(LINEAR, present[:1])
    assert not linear(LINEAR, present)
    assert linear(LINEAR, present, linear_norm=True)


def test_the_time_of_all_is_shared_out_and_each_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second whenever somebody looks."""
    model = model_of()
    jobs = plan(check_text("property p: for all x in focus(c0): k0 > k1").require(), model) * 4
    of = Decider(model, VerifyOptions(search_gamma=False))
    for number, shared in ((1, 1.0), (2, 0.5), (4, 0.25)):
        clock = count()
        monkeypatch.setattr(time, "perf_counter", lambda clock=clock: float(next(clock)))
        assert [answer.seconds for answer in of.decide([(job, BOX) for job in jobs[:number]])] == [1 + shared] * number
    assert of.decide([]) == []


def test_decisions_without_a_search_keep_what_is_known() -> None:
    of = Decider(model_of(), VerifyOptions(cross_check="scip"), leads=(Fraction(1, 2),))
    forms = of.forms(BOX)
    other = of.without_search()
    assert (other.options.search_gamma, other.options.cross_check, other.leads) == (False, "none", of.leads)
    assert other.exact_region(BOX) is of.exact_region(BOX)
    assert other.forms(BOX).slopes is not None
    assert (other.forms(BOX).slopes == forms.slopes).all()
    failed = Decider.guarded(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    assert failed.verdict.reason.startswith("the arithmetic of this property failed (ZeroDivisionError: ")


@pytest.mark.parametrize("region", [BOX, BALL])
@pytest.mark.parametrize("wanted", [False, True])
def test_a_point_of_a_set_that_is_not_convex_is_found_from_inside(region: Region, wanted: bool) -> None:
    """k0 is absent where x is at most half of the length, and present with the threshold -1/2 where it is above minus that."""
    of = decider(LINEAR, {"k0": -0.5 if wanted else 0.5})
    region = region.resized(Fraction(3))
    search = of.prover(region).nonlinear()
    literal = ConeLiteral(0, wanted)
    assert not search.cones.is_convex(literal)
    state = State((literal,), ())
    part = (np.zeros(2), np.ones(2))
    far = np.array([-0.99, 0.0] if wanted else [0.99, 0.0])  # x = 1 -+ 6: nearly all of the length, on the wrong side
    assert search._satisfying(far, state) is None
    at = search._from_inside(state, {}, far, part=part, slack={0: literal}, cuts=[])
    assert at is not None
    x, y = at.witness.floats
    assert (x > -0.5 * np.hypot(x, y)) if wanted else (x <= 0.5 * np.hypot(x, y))
    assert search._from_inside(state, {}, far, part=part, slack={}, cuts=[]) is None
    # A part in which nothing of it lies: x is at least 5.5 there, and y between -5 and 1.
    if not wanted:
        narrow = (np.array([0.95, 0.0]), np.array([0.05, 1.0]))
        assert search._from_inside(state, {}, far, part=narrow, slack={0: literal}, cuts=[]) is None


def test_what_is_not_convex_is_found_by_itself_or_halved() -> None:
    of = decider(LINEAR, {"k0": 0.5})
    search = of.prover(BOX.resized(Fraction(3))).nonlinear()
    found = search.decide(State((ConeLiteral(0, False),), ()), {}, {}, inf)
    assert isinstance(found, SatisfyingPoint)
    x, y = found.point.witness.floats
    assert x <= 0.5 * np.hypot(x, y)
    late = search.decide(State((ConeLiteral(0, False),), ()), {}, {}, 0.0)
    assert late == "more time needed than the budget has"


def test_a_state_that_is_not_convex_is_closed_by_a_chord_or_halved() -> None:
    """x is at least 9 and y at most 2 in size: k0 is above half of the length everywhere."""
    of = decider(LINEAR, {"k0": 0.5})
    far = Box(np.array([10.0, 0.0]), np.array([1.0, 2.0]), Fraction(1))
    absent = State((ConeLiteral(0, False),), ())
    closed = of.prover(far).nonlinear().decide(absent, {}, {}, inf)
    assert isinstance(closed, EmptyState)
    assert isinstance(closed.step, Close)
    (index, bound), *rest = closed.step.bounds
    assert (index, rest) == (0, [])
    assert float(bound) == pytest.approx(10.0, rel=0.2)  # the length in the middle
    ball = Ellipsoid(np.array([10.0, 0.0]), np.diag([1.0, 2.0]), Fraction(1))
    assert isinstance(of.prover(ball).nonlinear().decide(absent, {}, {}, inf), EmptyState)
    present = State((ConeLiteral(0, True),), ())
    found = of.prover(far).nonlinear().decide(present, {}, {}, inf)
    assert isinstance(found, SatisfyingPoint)
    assert found.how == "bounds and splits"


def test_a_deadline_that_has_come_ends_every_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still, at the deadline itself."""
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    of = decider(LINEAR, {"k0": 0.5})
    state = State((ConeLiteral(0, False),), ())
    assert of.prover(BOX).nonlinear().decide(state, {}, {}, 5.0) == "more time needed than the budget has"
    task = new_task((("stronger", 0, 1),), of.rows, 0, None)
    batch.decide([task], [of.forms(BOX)], of.rows, 9, deadline=5.0)
    assert task.nodes == 0
    assert exact_vertex.solve([[1]], [Fraction(1)], 5.0) == exact_vertex.OUT_OF_TIME
    assert exact_vertex.solve([[1]], [Fraction(1)], 6.0) == [Fraction(1)]
    prover = of.prover(BOX)
    prover.seconds_budget = 0.0
    assert prover.conclude(task).verdict.reason == "more than 0 s needed"
