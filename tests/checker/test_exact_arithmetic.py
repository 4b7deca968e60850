"""The checker computes in integers and fractions alone: heads of several layers, the source itself, binomial tails."""

import ast
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.checker import check
from conspect.core.regions import Box
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.language.syntax.tree import Focus, ForAll, Not, Predict
from conspect.verification.certificates.claims import RegionClaim
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.engine.decider import Decider
from conspect.verification.engine.integers import float_vector
from conspect.verification.engine.points import Witness
from conspect.verification.engine.prover import Proof
from conspect.verification.engine.steps import Close
from conspect.verification.queries.formula_table import Names, tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions

FILE = Path(check.__file__)
TINY = 2.0**-60
# Logits (1, 1 + 2**-60) everywhere: a tie in float64, class c1 in truth.
NEARLY_TIED = [([[0.0]], [-1.0]), ([[0.0], [0.0]], [1.0, TINY]), ([[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0])]
# One layer more: a neuron of value 2**-55 that rounds to -2**-53, hence idle, and the logits (0, 2**-55).
HALF = 2.0**-53
DEEPER = [
    NEARLY_TIED[0],
    ([[0.0], [0.0], [0.0]], [1.0, HALF, 0.75 * HALF]),
    ([[1.0, 1.0, -1.0]], [-1.0]),
    ([[0.0], [1.0]], [0.0, 0.0]),
]


def subject_of(layers):
    head = Head(tuple(AffineMap(np.array(weight), np.array(offset)) for weight, offset in layers))
    lens = Lens(AffineMap(np.eye(1), np.zeros(1)), ("k0", "k1"), np.array([[1.0], [-1.0]]))
    none = EmbeddingSplit(np.zeros((0, 1)), np.zeros(0, dtype=np.int64), ())
    return VerificationModel(
        head, lens, ("c0", "c1"), {"all": none}, fit_split="all", size_split="all", measure_split="all"
    )


def claimed(subject, formula, verdict, **evidence):
    names = Names({"c0": 0, "c1": 1}, {"k0": 0, "k1": 1})
    region = Box(np.zeros(1), np.ones(1), Fraction(1))
    table = tabulate(formula, names)
    return sealed(bundle(subject, [RegionClaim("p", "", "", table, verdict, "c0", region, None, **evidence)]))


def at(value):
    point = np.array([value])
    return Witness("embedding", float_vector(point), point, point)


@pytest.mark.parametrize("layers", [NEARLY_TIED, DEEPER])
def test_a_witness_against_what_is_true_everywhere_is_refused_at_any_depth(layers):
    subject = subject_of(layers)
    with pytest.raises(check.Refused, match="true at the witness"):
        check.check_data(claimed(subject, Predict("c1"), "violated", witness=at(0.5)))
    (claim,) = check.check_data(claimed(subject, Not(Predict("c1")), "violated", witness=at(0.5)))
    assert claim.verdict == "violated"


@pytest.mark.parametrize("layers", [NEARLY_TIED, DEEPER])
def test_a_proof_of_what_is_false_everywhere_is_refused_at_any_depth(layers):
    """Negation of `not predict(c1)`: logit c1 above logit c0, which the forged multiplier says cannot be."""
    forged = Proof([Close(((0, 1),))])
    with pytest.raises(check.Refused, match="prove nothing"):
        check.check_data(claimed(subject_of(layers), Not(Predict("c1")), "holds", proof=forged))


def test_the_honest_proof_of_the_same_is_accepted():
    from conspect.verification.queries.planning import Obligation

    subject = subject_of(NEARLY_TIED)
    names = Names({"c0": 0, "c1": 1}, {"k0": 0, "k1": 1})
    job = Obligation("p", Predict("c1"), tabulate(Predict("c1"), names), ForAll(Focus("c1")), "c1", "", None, "")
    region = Box(np.zeros(1), np.ones(1), Fraction(1))
    (answer,) = Decider(subject, VerifyOptions(search_gamma=False)).decide([(job, region)])
    assert answer.outcome.verdict.outcome == "holds"
    (claim,) = check.check_data(claimed(subject, Predict("c1"), "holds", proof=answer.outcome.proof))
    assert claim.verdict == "holds"


def test_the_source_has_no_division_that_rounds_no_float_and_no_mathematical_library():
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    assert len(tree.body) > 20
    for node in ast.walk(tree):
        where = f"line {getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Div), where
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, (float, complex)), where
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            named = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not named & {"math", "cmath", "statistics", "random", "decimal", "struct", "numbers"}, where
        if isinstance(node, ast.Name):
            assert node.id not in ("float", "complex", "math", "pow", "divmod"), where
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("monotonic", "time", "perf_counter", "fromhex", "as_integer_ratio"), where
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            assert not isinstance(node.right, ast.UnaryOp), where


@pytest.mark.parametrize("value", [0.5, 1.0, float("inf"), True, "1", None])
def test_what_is_neither_integer_nor_fraction_is_refused_in_arithmetic(value):
    with pytest.raises(check.Refused, match="exact arithmetic"):
        check.exact(value)
    if isinstance(value, float):
        for compute in (
            lambda: check.dot([1, value], [2, 3]),
            lambda: check.spread([value], "max"),  # type: ignore[list-item]
            lambda: check.excluded(value, 0, "max", Fraction(1), False),
            lambda: check.excluded(0, value, "euclid", Fraction(1), False),
            lambda: check.over_one([1, value]),
        ):
            with pytest.raises(check.Refused, match="exact arithmetic"):
                compute()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_arrays_are_read_as_the_rational_numbers_that_they_are(values):
    from conspect.verification.certificates.encoding import encoded

    text = encoded(np.array(values))
    _, integers, shift = check.floats(text, (len(values),), "an array", check.Budget())
    assert [Fraction(v, 1 << shift) for v in integers] == [Fraction(v) for v in values]
    assert shift == 0 or any(v % 2 for v in integers)


@given(st.integers(0, 10**40))
def test_the_root_is_above_and_near(number):
    root = check.root_above(number)
    assert root**2 > number
    assert (root - 2) ** 2 <= number or root <= 2


def tail(successes, trials, share, *, upper):
    """P(X >= k) or P(X <= k), term by term in fractions."""
    counts = range(successes, trials + 1) if upper else range(successes + 1)
    return sum((comb(trials, i) * share**i * (1 - share) ** (trials - i) for i in counts), Fraction(0))


@given(st.data())
def test_binomial_tails_are_those_of_the_definition_on_either_side(data):
    trials = data.draw(st.integers(1, 40))
    successes = data.draw(st.integers(0, trials))
    share = Fraction(data.draw(st.integers(1, 30)), 30)
    upper = data.draw(st.booleans())
    truth = tail(successes, trials, share, upper=upper)
    for level in {truth, truth - Fraction(1, 10**30), truth + Fraction(1, 10**30)}:
        said = check.tail_excluded(successes, trials, share, level, upper=upper, budget=check.Budget())
        assert said == (truth <= level)


def test_two_of_two_images_just_above_the_root_of_a_twentieth_do_not_show_the_share():
    """0.2236067977499789697 squared is 7e-20 above 0.05; float64 cannot see it."""
    for text, shown in (("0.2236067977499789697", False), ("0.2236067977499789696", True)):
        share = Fraction(text)
        excluded = check.tail_excluded(2, 2, share, Fraction(1, 20), upper=True, budget=check.Budget())
        assert excluded == (share**2 <= Fraction(1, 20)) == shown
