"""What SCIP is asked and what is made of its answer, with a solver that tries a grid; and convex programs, regions, shares."""

import operator
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from conspect.core.diagnostics import ConspectError, UserError
from conspect.core.regions import Box, Ellipsoid
from conspect.core.spaces import AffineMap
from conspect.language.syntax.tree import Focus
from conspect.verification.engine.batch import Branch, RegionForms
from conspect.verification.engine.solvers import scip
from conspect.verification.measures import Rate
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.queries.negation import ConeLiteral, LinearLiteral, State
from conspect.verification.regions import least_slack
from conspect.verification.regions.focus import FocusRegions, rarity, rate
from conspect.verification.regions.least_slack import HalfSpaces, Slacks, in_ellipsoid, in_polytope
from conspect.verification.regions.shapes import FLOOR, Band, band, span_ellipsoid
from tests.verification.subjects import plane

Point = tuple[float, ...]


class Term:
    """A function of a point; the last variable is the one that is maximised."""

    def __init__(self, value: Callable[[Point], float]) -> None:
        self.value = value

    def _with(self, other: Any, how: Callable[[float, float], Any]) -> "Term":
        return Term(lambda p: how(self.value(p), other.value(p) if isinstance(other, Term) else other))

    def __add__(self, other: Any) -> "Term":
        return self._with(other, operator.add)

    __radd__ = __add__

    def __mul__(self, other: Any) -> "Term":
        return self._with(other, operator.mul)

    __rmul__ = __mul__

    def __ge__(self, other: Any) -> "Term":
        return self._with(other, operator.ge)

    def __le__(self, other: Any) -> "Term":
        return self._with(other, operator.le)


class GridModel:
    """Tries every point of a grid from -1 to 1, with values of the objective from -8 to its bound."""

    status = "optimal"

    def __init__(self) -> None:
        self.bounds: list[tuple[float | None, float]] = []
        self.conditions: list[Term] = []

    def hideOutput(self) -> None:  # noqa: N802
        pass

    def addVar(self, lb: float | None, ub: float) -> Term:  # noqa: N802
        place = len(self.bounds)
        self.bounds.append((lb, ub))
        return Term(lambda p: p[place])

    def addCons(self, condition: Term) -> None:  # noqa: N802
        self.conditions.append(condition)

    def setObjective(self, objective: Term, sense: str) -> None:  # noqa: N802
        assert sense == "maximize"
        self.objective = objective

    def optimize(self) -> None:
        axes = [np.linspace(-8 if lb is None else lb, ub, 37 if lb is None else 9) for lb, ub in self.bounds]
        points = (tuple(map(float, p)) for p in product(*axes))
        self.best = max((p for p in points if all(c.value(p) for c in self.conditions)), key=self.objective.value)

    def getStatus(self) -> str:  # noqa: N802
        return self.status

    def getVal(self, term: Term) -> float:  # noqa: N802
        return term.value(self.best)


@pytest.fixture
def solver(monkeypatch) -> type[GridModel]:
    module: Any = ModuleType("pyscipopt")
    module.Model, module.quicksum = GridModel, sum
    monkeypatch.setitem(sys.modules, "pyscipopt", module)
    monkeypatch.setattr(GridModel, "status", "optimal")
    return GridModel


def leaf(*literals: Any, **changes: Any) -> Branch:
    return Branch(State(tuple(literals), ()), **changes)


def forms(kind: Any = Box, first: float = 2.0) -> RegionForms:
    """Rows: x + first, y and nought, over the unit box or ball."""
    base = AffineMap(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.array([first, 0.0, 0.0]))
    factor: Any = np.ones(2) if kind is Box else np.eye(2)
    return RegionForms.of(kind(np.zeros(2), factor, Fraction(1)), base)


HIGHER, LOWER = LinearLiteral(0, 1, True), LinearLiteral(1, 0, True)


@pytest.mark.parametrize(
    ("kind", "first", "said"),
    [
        # y above x + 2 touches at the corner (-1, 1) of the box; y above x + 7/4 is met there, and not within the ball.
        (Box, 2.0, "SCIP agrees: no counterexample in 1 conjuncts"), (Box, 1.75, "SCIP DISAGREES"),
        (Ellipsoid, 1.75, "SCIP agrees: no counterexample in 1 conjuncts"), (Ellipsoid, 1.0, "SCIP DISAGREES"),
    ],
)  # fmt: skip
def test_what_scip_finds_is_compared_with_what_was_proved(solver, kind: Any, first: float, said: str) -> None:
    assert scip.opinion(leaf(LOWER), forms(kind, first), "holds").startswith(said)


def test_every_closed_branch_is_asked_about_and_nothing_else(solver) -> None:
    closed, open_ = leaf(LOWER), leaf(HIGHER)
    root = leaf(which=0)
    root.children = [closed, leaf(LOWER, HIGHER)]
    assert scip.opinion(root, forms(), "holds") == "SCIP agrees: no counterexample in 2 conjuncts"
    root.children = [closed, open_]
    assert scip.opinion(root, forms(), "holds").startswith("SCIP DISAGREES")
    # An opened branch without children, of which nothing is claimed.
    root.children = [closed, leaf(HIGHER, which=1)]
    assert scip.opinion(root, forms(), "holds") == "SCIP agrees: no counterexample in 1 conjuncts"
    for outcome in ("violated", "unknown"):
        assert scip.opinion(root, forms(), outcome) == "SCIP was not asked: only held properties are cross-checked"
    for other in (
        leaf(LOWER, ConeLiteral(0, True)),
        leaf(LOWER, limits={0: (Fraction(0), Fraction(1))}),
        leaf(LOWER, phases={(0, 0): True}),
    ):
        assert scip.opinion(other, forms(), "holds") == "SCIP was not asked: only linear literals are cross-checked"


def test_what_scip_does_not_finish_is_no_opinion(solver) -> None:
    for status in ("timelimit", "infeasible", "unbounded"):
        solver.status = status
        assert scip.opinion(leaf(LOWER), forms(), "holds") == "SCIP could not say"
    assert scip.TOLERANCE == 1e-6


def test_without_scip_it_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyscipopt", None)
    with pytest.raises(ConspectError, match="SCIP is not installed"):
        scip.opinion(leaf(LOWER), forms(), "holds")


# ---------------------------------------------------------------- convex programs

SQUARE = HalfSpaces(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), np.array([1.0, 0.0, 1.0, 0.0]))


def test_the_least_slack_over_a_polytope_is_as_large_as_it_gets() -> None:
    # x + 1/2, and 1 - x - y, over the unit square: largest together where x + 1/2 = 1 - x at y = 0.
    slacks = Slacks(np.array([[1.0, 0.0], [-1.0, -1.0]]), np.array([0.5, 1.0]))
    assert in_polytope(slacks, SQUARE) == pytest.approx([0.25, 0.0])
    cut = SQUARE.and_also(np.array([-1.0, 0.0]), -0.75)
    assert cut.rows.shape == (5, 2)
    assert in_polytope(slacks, cut) == pytest.approx([0.75, 0.0])
    assert in_polytope(slacks, cut.and_also(np.array([1.0, 0.0]), 0.5)) is None


@pytest.mark.parametrize("middle", [[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]])
def test_the_least_slack_over_an_ellipsoid_is_as_large_as_it_gets(middle: list[float]) -> None:
    axes = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    place = least_slack.Ellipsoid(np.array(middle), axes, 3.0)
    nothing = HalfSpaces(np.zeros((0, 2)), np.zeros(0))
    square = 9 - middle[2] ** 2
    # One slack, x + y: the far point of the ellipse |(2x + m0, y + m1)|^2 <= square in that direction.
    v = in_ellipsoid(Slacks(np.array([[1.0, 1.0]]), np.zeros(1)), place, nothing)
    assert v is not None
    direction = np.array([0.5, 1.0]) / np.hypot(0.5, 1.0)
    s = np.sqrt(square) * direction - np.array(middle[:2])
    assert v == pytest.approx([s[0] / 2, s[1]], abs=1e-4)
    two = in_ellipsoid(Slacks(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0.0, 0.5])), place, nothing)
    assert two is not None
    assert two[0] == pytest.approx(0.25, abs=1e-4)
    cut = in_ellipsoid(
        Slacks(np.array([[1.0, 0.0]]), np.zeros(1)), place, HalfSpaces(np.array([[1.0, 0.0]]), np.array([-0.25]))
    )
    assert cut is not None
    assert cut[0] == pytest.approx(-0.25, abs=1e-4)
    assert (
        in_ellipsoid(
            Slacks(np.array([[1.0, 1.0]]), np.zeros(1)),
            least_slack.Ellipsoid(np.array([0, 0, 4.0]), axes, 3.0),
            nothing,
        )
        is None
    )
    flat = least_slack.Ellipsoid(np.zeros(3), axes * np.array([1.0, 1e-10]), 3.0)
    assert in_ellipsoid(Slacks(np.array([[1.0, 1.0]]), np.zeros(1)), flat, nothing) is None


# ---------------------------------------------------------------- regions of readouts and of focus


def test_a_band_s_deviations_are_those_below_the_mean() -> None:
    differences = np.array([[0.0, 5.0, 1.0], [2.0, 5.0, 1.0], [7.0, 5.0, 4.0]])
    made = band(differences, "note")
    assert made.centre.tolist() == [3.0, 5.0, 2.0]
    assert made.factor == pytest.approx([np.sqrt((9 + 1) / 3), FLOOR * np.sqrt(10 / 3), np.sqrt(2 / 3)])
    assert (made.size, made.provenance) == (Fraction(1), "note")
    own = Band(np.array([3.0, 1.0]), np.array([2.0, 0.5]), Fraction(1))
    assert own.sizes(np.array([[1.0, 0.0], [3.0, 0.75], [9.0, 9.0]])).tolist() == [2.0, 0.5, 0.0]


def test_a_span_is_the_ellipsoid_of_the_covariance() -> None:
    rng = np.random.default_rng(0)
    readouts = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 3)) + 4.0
    span = span_ellipsoid(readouts, "note")
    assert span.centre == pytest.approx(readouts.mean(axis=0))
    assert span.factor @ span.factor.T == pytest.approx(np.cov(readouts.T), abs=1e-8)
    # Of rank 2 in three directions: the third keeps a millionth of the longest half-axis.
    lengths = np.sort(np.linalg.norm(span.factor, axis=0))
    assert lengths[0] == pytest.approx(1e-6 * lengths[2], rel=1e-6)
    assert span.inverse is not None
    assert span.inverse @ span.factor == pytest.approx(np.eye(3), abs=1e-6)


def test_shares_have_clopper_pearson_intervals_and_rare_regions_say_so() -> None:
    assert rate(0, 0, 0.95).rate == 0.0
    share = rate(1, 4, 0.95)
    assert (share.rate, share.n) == (0.25, 4)
    assert (share.low, share.high) == pytest.approx((0.00631, 0.80588), abs=1e-5)
    assert rarity(Rate(0.01, 0.0, 1.0, 500)) is None
    assert rarity(Rate(0.0, 0.0, 1.0, 0)) is None
    assert rarity(Rate(0.004, 0.001, 0.0144, 500)) == (
        "This region contains 0.40% of the 500 held-out embeddings of the class (at most 1.44%): the verdict "
        "says almost nothing about "
        "real images."
    )


@pytest.mark.parametrize(
    ("focus", "options", "size"),
    [
        (Focus("east"), {}, Fraction(2, 5)), (Focus("east"), {"gamma": Fraction(1, 3)}, Fraction(1, 3)),
        (Focus("east", gamma=Fraction(2)), {"gamma": Fraction(1, 3), "coverage": Fraction(1, 2)}, Fraction(2)),
        (Focus("east", gamma=Fraction(0)), {"gamma": Fraction(1, 3)}, Fraction(0)),
    ],
)  # fmt: skip
def test_the_size_of_a_region_is_the_property_s_own_then_the_options(
    focus: Focus, options: Any, size: Fraction
) -> None:
    regions = FocusRegions(plane(), VerifyOptions(**options))
    region = regions.region(focus)
    assert region.size == size
    assert region.provenance.endswith(f"size {float(size):g}")
    sizes, passed = regions.measure(focus, region)
    members = regions.members("test", "east")
    assert passed.all()
    assert len(passed) == members.sum()
    assert regions.covered(focus, region) == (int((sizes <= float(size)).sum()), int(members.sum()), "test")
    assert regions.members("test", None).all()


def test_a_wanted_coverage_is_a_conformal_size_and_a_cut_is_counted() -> None:
    model = plane()
    regions = FocusRegions(model, VerifyOptions(coverage=Fraction(1, 2)))
    region = regions.region(Focus("east"))
    members = regions.members("val", "east")
    sizes = np.sort(region.sizes(model.splits["val"].embeddings[members]))
    rank = int(np.ceil((len(sizes) + 1) / 2))
    assert float(region.size) == pytest.approx(sizes[rank - 1])
    assert "covers 50.0% by split conformal prediction on" in region.provenance
    cut = regions.region(Focus("east", gamma=Fraction(99), cut=True))
    assert cut.cut == 0
    inside, images, _ = regions.covered(Focus("east", cut=True), cut)
    right = regions.predicted("test")[regions.members("test", "east")] == 0
    assert (inside, images) == (int(right.sum()), len(right))
    with pytest.raises(UserError, match="cannot show a coverage"):
        FocusRegions(model, VerifyOptions()).region(Focus("east", coverage=Fraction(9999, 10000)))
    with pytest.raises(UserError, match="larger than any float"):
        FocusRegions(model, VerifyOptions()).region(Focus("east", gamma=Fraction(10**101)))
    assert FocusRegions(model, VerifyOptions()).region(Focus("east", gamma=Fraction(10**99))).size == 10**99
    with pytest.raises(UserError, match="no split 'other'"):
        regions.members("other", None)
