"""A span is made of what its formula reads, whatever else the study knows and however the formula is written."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conspect.bench.workloads.random_properties import random_formula
from conspect.core.spaces import Lens
from conspect.language import check_text
from conspect.language.syntax.tree import (
    And,
    Focus,
    ForAll,
    Formula,
    HasConcept,
    Iff,
    Implies,
    Not,
    Or,
    Predict,
    Stronger,
)
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.queries.premises import without_premise
from conspect.verification.regions.provable import ProvableCoverage
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm, kinds_joint, kinds_read
from conspect.verification.verify import verify
from tests.verification.subjects import model_with_images

PREDICTED, A_OVER_B, C_OVER_D = Predict("car"), Stronger("a", "b"), Stronger("c", "d")


def kinds_of(formula: Formula) -> ReadoutKinds:
    return kinds_read(tabulate(formula, names_of(model_with_images(0))), 0)


@pytest.mark.parametrize(
    ("formula", "class_index", "concepts", "form"),
    [
        (Stronger("d", "b"), None, (1, 3), StrengthForm.EACH),
        (Implies(A_OVER_B, C_OVER_D), None, (0, 1, 2, 3), StrengthForm.EACH),
        (Implies(PREDICTED, A_OVER_B), 0, (0, 1), StrengthForm.EACH),
        (Predict("truck"), 0, (), StrengthForm.EACH),
        (HasConcept("c"), None, (2,), StrengthForm.LENGTH),
        (Or((HasConcept("d"), Stronger("b", "a"))), None, (0, 1, 3), StrengthForm.LENGTH),
    ],
)
def test_a_span_reads_the_concepts_that_its_formula_names(
    formula: Formula, class_index: int | None, concepts: tuple[int, ...], form: StrengthForm
) -> None:
    assert kinds_of(formula) == ReadoutKinds(class_index, concepts, form)


def test_a_band_reads_all_concepts_so_that_one_set_serves_many_formulas() -> None:
    table = tabulate(A_OVER_B, names_of(model_with_images(0)))
    assert kinds_joint(table, 0, 4) == ReadoutKinds(None, (0, 1, 2, 3), StrengthForm.EACH)


def strengths_of(model: VerificationModel, split: str, pair: list[int], *, correct: bool = False) -> np.ndarray:
    """Strengths of two concepts of the class's images, computed without the verifier."""
    embeddings = np.asarray(model.splits[split].embeddings, dtype=np.float64)
    chosen = np.asarray(model.splits[split].labels) == 0
    if correct:
        layer = model.head.layers[0]
        chosen &= (embeddings @ layer.weight.T + layer.offset).argmax(axis=1) == 0
    mapped = embeddings @ model.lens.alignment.weight.T + model.lens.alignment.offset
    return np.asarray((mapped @ model.lens.directions.T)[chosen][:, pair])


@pytest.mark.parametrize("seed", range(6))
def test_a_comparison_is_proved_up_to_where_the_ellipse_of_its_two_strengths_touches_their_tie(seed: int) -> None:
    model = model_with_images(seed, images=240)
    names, proved = names_of(model), 0
    for first, second in itertools.permutations("abcd", 2):
        formula = Implies(PREDICTED, Stronger(first, second))
        job = Obligation("p", formula, tabulate(formula, names), ForAll(Focus("car")), "car", "", None, "")
        (best,) = ProvableCoverage.of([job], model, VerifyOptions()).search([job], ["span"])
        pair = ["abcd".index(first), "abcd".index(second)]
        fitted = strengths_of(model, "train", pair, correct=True)
        mean, covariance = fitted.mean(axis=0), np.cov(fitted.T)
        away = np.array([1.0, -1.0])
        touches = float(away @ mean / np.sqrt(away @ covariance @ away))
        if touches <= 0:
            assert "span" not in best
            continue
        if "span" not in best:
            continue
        sizes = {}
        for split in ("val", "test"):
            offset = strengths_of(model, split, pair) - mean
            sizes[split] = np.sqrt(np.einsum("ij,jk,ik->i", offset, np.linalg.inv(covariance), offset))
        proof = best["span"]
        if not proof.premise_dropped:
            continue
        proved += 1
        assert proof.size <= touches * (1 + 1e-9)
        assert proof.size == pytest.approx(touches, rel=1e-6)
        assert float(proof.coverage) == pytest.approx(
            (sizes["val"] < touches).sum() / (len(sizes["val"]) + 1), abs=1e-9
        )
        assert proof.measured.rate == pytest.approx((sizes["test"] < touches).mean(), abs=1e-9)
    assert proved >= 3


def test_a_concept_that_the_formula_does_not_name_changes_nothing() -> None:
    model = model_with_images(2)
    directions = np.vstack([model.lens.directions[:2], np.eye(5)[:1], model.lens.directions[2:]])
    more = Lens(model.lens.alignment, ("a", "b", "novel", "c", "d"), directions)
    wider = VerificationModel(model.head, more, model.class_names, model.splits, {**model.thresholds, "novel": 0.5})
    text = (
        b"property p: for all x in focus(car, coverage = 80%, shape = span): predict(x, car) implies (a > d or c > b)"
    )
    specification = check_text(text).require()
    regions = [verify(specification, known)[0].region for known in (model, wider)]
    assert regions[0] is not None
    assert regions[1] is not None
    assert regions[0].arrays_digest == regions[1].arrays_digest
    assert regions[0].size == regions[1].size


SAME = (
    "predict(x, car) implies a > b",
    "not predict(x, car) or a > b",
    "a > b or not predict(x, car)",
    "not not (predict(x, car) implies a > b)",
    "not (predict(x, car) and not a > b)",
    "not a > b implies not predict(x, car)",
)


@pytest.mark.parametrize("shape", ["span", "band"])
def test_formulas_that_mean_the_same_get_one_region_and_one_verdict(shape: str) -> None:
    for seed in range(4):
        model = model_with_images(seed)
        text = "\n".join(
            f"property p{k}: for all x in focus(car, coverage = 70%, shape = {shape}): {body}"
            for k, body in enumerate(SAME)
        )
        results = verify(check_text(text.encode()).require(), model)
        digests = {None if result.region is None else result.region.digest for result in results}
        assert len(digests) == 1
        assert len({result.verdict.outcome for result in results}) == 1


def value(formula: Formula, truth: dict[Formula, bool]) -> bool:
    match formula:
        case Not(operand):
            return not value(operand, truth)
        case And(operands):
            return all(value(part, truth) for part in operands)
        case Or(operands):
            return any(value(part, truth) for part in operands)
        case Implies(left, right):
            return not value(left, truth) or value(right, truth)
        case Iff(left, right):
            return value(left, truth) == value(right, truth)
        case _:
            return truth.setdefault(formula, len(truth) % 2 == 0)


@given(seed=st.integers(0, 10**9), bits=st.lists(st.booleans(), min_size=40, max_size=40))
@settings(max_examples=400, deadline=None)
def test_a_conclusion_is_never_weaker_than_its_formula(seed: int, bits: list[bool]) -> None:
    rng = np.random.default_rng(seed)
    model = model_with_images(0)
    formula = random_formula(rng, model, 4, has_concept=True)
    conclusion = without_premise(formula)
    if conclusion is None:
        return
    atoms: list[Formula] = [Predict(name) for name in model.class_names]
    atoms += [HasConcept(name) for name in "abcd"]
    atoms += [Stronger(left, right) for left in "abcd" for right in "abcd"]
    truth: dict[Formula, bool] = dict(zip(atoms, bits, strict=False))
    assert value(formula, truth) or not value(conclusion, truth)


@pytest.mark.parametrize(
    ("formula", "conclusion"),
    [
        (Implies(PREDICTED, A_OVER_B), A_OVER_B),
        (Or((A_OVER_B, Not(PREDICTED), C_OVER_D)), Or((A_OVER_B, C_OVER_D))),
        (Implies(And((PREDICTED, A_OVER_B)), C_OVER_D), Or((Not(A_OVER_B), C_OVER_D))),
        (Implies(PREDICTED, Implies(Predict("car", Fraction(4)), A_OVER_B)), A_OVER_B),
        (And((Implies(PREDICTED, A_OVER_B), C_OVER_D)), And((A_OVER_B, C_OVER_D))),
        (Implies(A_OVER_B, C_OVER_D), None),
        (Not(PREDICTED), None),
        (PREDICTED, None),
        (Implies(PREDICTED, Not(Predict("truck"))), None),
    ],
)  # fmt: skip
def test_the_conclusion_is_what_is_left_without_its_premises(formula: Formula, conclusion: Formula | None) -> None:
    assert without_premise(formula) == conclusion


def test_a_band_that_is_empty_at_size_0_is_said_to_be_vacuous() -> None:
    """Means of differences, each rounded once, add up to a hair more than 0 along some cycle."""
    outcomes = []
    for seed in range(12):
        text = b"property p: for all x in focus(car, gamma = 0, shape = band): a > b or b > a"
        (result,) = verify(check_text(text).require(), model_with_images(seed))
        assert result.region is not None
        means = dict(zip(itertools.permutations(range(4), 2), result.region.centre.tolist(), strict=True))
        cycles = [c for n in (2, 3, 4) for c in itertools.permutations(range(4), n)]
        empty = any(sum(Fraction(means[c[k - 1], c[k]]) for k in range(len(c))) > 0 for c in cycles)
        if result.verdict.outcome == "holds":
            outcomes.append(empty)
            assert result.vacuous == empty
    assert any(outcomes)
