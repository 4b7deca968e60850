"""What is printed is what was proved: margins, ends of sizes, verdicts at ties, and huge or tiny numbers."""

from __future__ import annotations

import time
from fractions import Fraction
from math import comb, inf

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.core.regions import Box
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.language import check_text
from conspect.language.syntax.tree import And, Focus, ForAll, Formula, HasConcept, Implies, Not, Or, Predict, Stronger
from conspect.report.junit import junit_xml
from conspect.report.sarif import sarif_log
from conspect.study.proving.records import property_record
from conspect.verification.engine.decider import Decider
from conspect.verification.images.binomial import tail_at_most
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.images.shares import share_verdicts
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.negation import LinearLiteral
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.results import PropertyResult
from conspect.verification.verify import verify


def model_of(
    weight: object,
    offset: object,
    concepts: object,
    embeddings: object,
    *,
    labels: object = None,
    thresholds: dict[str, float] | None = None,
) -> VerificationModel:
    """A model whose strengths are entries of the embedding times `concepts [K, D]` (the alignment)."""
    rows = np.asarray(embeddings, dtype=np.float64)
    directions = np.eye(len(np.asarray(concepts)))
    split = EmbeddingSplit(
        rows,
        np.zeros(len(rows), dtype=np.int64) if labels is None else np.asarray(labels),
        tuple(f"i{k}" for k in range(len(rows))),
    )
    names = tuple(f"k{k}" for k in range(len(directions)))
    return VerificationModel(
        Head.linear(np.asarray(weight, dtype=np.float64), np.asarray(offset, dtype=np.float64)),
        Lens(AffineMap(np.asarray(concepts, dtype=np.float64), np.zeros(len(directions))), names, directions),
        tuple(f"c{k}" for k in range(len(np.asarray(weight)))),
        {"train": split, "val": split, "test": split},
        thresholds or {},
    )


def verified(text: str, model: VerificationModel, **options: object) -> list[PropertyResult]:
    tree = check_text(text.encode(), None, "x.cspec").require()
    return verify(tree, model, VerifyOptions(**options))  # type: ignore[arg-type]


def decided(model: VerificationModel, formula: Formula, region: Box, **options: object):
    job = Obligation("p", formula, tabulate(formula, names_of(model)), ForAll(Focus("c0")), "c0", "", None, "")
    (answer,) = Decider(model, VerifyOptions(**options)).decide([(job, region)])  # type: ignore[arg-type]
    return answer


def test_the_printed_margin_is_no_more_than_the_truth_where_a_corner_ties() -> None:
    # k0 = k1 at the corner z = (1, 1): there the formula is a hair from false, whatever k2 - k3 is.
    model = model_of([[1, 0], [0, 1]], [0, 0], [[1, 0], [0, 1], [0, 0], [0, 0]], [[0.5, 1.0], [0.6, 1.1]])
    lens = Lens(AffineMap(model.lens.alignment.weight, np.array([0.0, 0.0, 2.0, 0.0])), model.concept_names, np.eye(4))
    model = VerificationModel(model.head, lens, model.class_names, model.splits)
    formula = And((Not(Stronger("k0", "k1")), Stronger("k2", "k3")))
    answer = decided(model, formula, Box(np.array([0.5, 1.5]), np.array([0.5, 0.5]), Fraction(1)))
    assert answer.outcome.verdict.outcome == "holds"
    assert answer.margin is None or answer.margin <= 0.0


@pytest.mark.parametrize("seed", range(6))
def test_margins_are_lower_bounds_of_the_margin_at_every_corner(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = model_of(rng.normal(size=(3, 4)), rng.normal(size=3), rng.normal(size=(3, 4)), rng.normal(size=(4, 4)))
    region = Box(rng.normal(size=4) * 2, 0.1 + 0.1 * rng.random(4), Fraction(1))
    corners = region.points(np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T)
    strengths = corners @ model.lens.alignment.weight.T
    compared = 0
    for i in range(3):
        for j in range(3):
            if i != j:
                answer = decided(
                    model, Or((Stronger(f"k{i}", f"k{j}"), Stronger(f"k{j}", "k2" if i != 2 else "k0"))), region
                )
                if answer.outcome.verdict.outcome == "holds":
                    third = 2 if i != 2 else 0
                    worst = np.maximum(strengths[:, i] - strengths[:, j], strengths[:, j] - strengths[:, third]).min()
                    assert answer.margin is not None
                    assert answer.margin <= worst + 1e-12
                    compared += 1
    assert compared or seed


def test_both_ends_of_the_largest_size_enclose_the_exact_value() -> None:
    # k0 - k1 = z0 - z1 over mean (1, 0), deviations (0.3, 0.3): zero at 1 / (0.3 + 0.3), with 0.3 as floats have it.
    model = model_of([[1, 0], [0, 1]], [0, 0], np.eye(2), [[0.0, 0.0], [1.0, 1.0]])
    region = Box(np.array([1.0, 0.0]), np.array([0.3, 0.3]), Fraction(2, 5))
    answer = decided(model, Stronger("k0", "k1"), region)
    exact = Fraction(1) / (2 * Fraction(0.3))
    assert answer.bracket is not None
    low, high = answer.bracket.low, answer.bracket.high
    assert Fraction(low.size) <= exact <= Fraction(high.size)
    assert high.size - low.size <= 1e-3
    assert low.outcome.verdict.outcome == "holds"
    assert high.outcome.witness is not None
    assert [p.verdict.outcome for p in answer.curve] == ["holds"] * 10


def test_multipliers_beyond_the_range_of_floats_are_no_trouble() -> None:
    # Closing `z * 2^-1070 > 0 and -z >= 0` takes multipliers in the proportion 2^1070.
    model = model_of([[2.0**-1070], [0.0]], [0, 0], [[0.0], [1.0]], [[-1.0], [1.0]])
    region = Box(np.zeros(1), np.ones(1), Fraction(1))
    exact = Decider(model, VerifyOptions()).exact_region(region)
    literals = (LinearLiteral(0, 1, True), LinearLiteral(2, 3, False))
    closure = exact.closing(literals, ((0, 1 << 1070), (1, 1)), Fraction(1))
    assert closure is not None
    assert closure.margin == 0.0
    assert closure.carries == inf
    assert exact.closing(literals, ((0, (1 << 1070) + 1), (1, 1)), Fraction(1)) is None
    answer = decided(model, Implies(Predict("c0"), Stronger("k1", "k0")), region)
    assert answer.outcome.verdict.outcome in ("holds", "unknown")


def test_one_property_that_overflows_leaves_the_others_alone() -> None:
    big = 1.7e308
    model = model_of([[big, big], [-big, big]], [0, 0], np.eye(2), [[1.0, 0.0], [2.0, 0.1], [1.5, 0.2]])
    text = (
        "property a: for all x in focus(c0, gamma = 0.1): predict(x, c0) => >(x, k0, k1)\n"
        "property b: for all x in focus(c0, gamma = 0.1): >(x, k0, k1)\n"
    )
    results = verified(text, model, estimate_from="all")
    assert [r.name for r in results] == ["a", "b"]
    assert results[1].verdict.outcome == "holds"


def test_a_class_with_one_image_is_the_trouble_of_its_own_properties() -> None:
    model = model_of([[1, 0], [0, 1]], [0, 0], np.eye(2), [[2, 0], [3, 0], [0, 2]], labels=[0, 0, 1])
    text = "property a: for all x in focus(c1): k1 > k0\nproperty b: for all x in focus(c0, gamma = 0.1): k0 > k1\n"
    lonely, other = verified(text, model)
    assert lonely.verdict.outcome == "unknown"
    assert "needs two" in lonely.verdict.reason
    assert other.verdict.outcome == "holds"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"offset": [0, -np.inf]}, "VERIFY012"),
        ({"weight": [[1, 0]], "offset": [0]}, "VERIFY011"),
    ],
)
def test_models_without_exact_numbers_are_refused_by_name(change: dict[str, object], code: str) -> None:
    parts: dict[str, object] = {"weight": [[1, 0], [0, 1]], "offset": [0, 0]} | change
    model = model_of(parts["weight"], parts["offset"], np.eye(2), [[1, 0], [2, 0]])
    with pytest.raises(UserError) as caught:
        verified("property p: for all x in focus(c0): k0 > k1\n", model)
    assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_embeddings_that_are_no_usable_numbers_are_told(value: float) -> None:
    model = model_of(np.eye(2), [0, 0], np.eye(2), [[2, 0], [value, 0], [3, 1], [0, 2]], labels=[0, 0, 0, 1])
    for shape in ("box", "ellipsoid", "span", "band"):
        with pytest.raises(UserError) as caught:
            verified(f"property p: for all x in focus(c0, shape = {shape}): k0 > k1\n", model)
        assert caught.value.diagnostics[0].code == "VERIFY012"
    if not np.isfinite(value):
        with pytest.raises(UserError, match="not finite"):
            verified("property p: for 50% of x in images(c0): k0 > k1\n", model)


def test_sizes_that_no_float_can_say_are_told() -> None:
    model = model_of(np.eye(2), [0, 0], np.eye(2), [[2, 0], [3, 1], [0, 2], [0, 3]], labels=[0, 0, 1, 1])
    tree = check_text("property p: for all x in focus(c0): k0 > k1\n").require()
    with pytest.raises(UserError, match="larger than any float"):
        verify(tree, model, VerifyOptions(gamma=Fraction(10**400)))
    for budget in (-1.0, float("nan")):
        with pytest.raises(UserError, match="budget"):
            VerifyOptions(seconds_budget=budget)


def test_a_lens_with_a_direction_that_is_no_unit_vector_is_refused() -> None:
    model = model_of(np.eye(2), [0, 0], np.eye(2), [[1, 0], [2, 0]])
    lens = Lens(model.lens.alignment, model.concept_names, np.diag([1.0, 1.01]))
    with pytest.raises(UserError, match="k1"):
        verified(
            "property p: for all x in focus(c0): k0 > k1\n",
            VerificationModel(model.head, lens, model.class_names, model.splits),
        )


@pytest.mark.parametrize("wrong", [{"gamma": -1}, {"gamma": float("nan")}, {"coverage": 2}, {"confidence": 1.0}])
def test_options_out_of_range_are_diagnosed(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        VerifyOptions(**wrong)  # type: ignore[arg-type]
    assert caught.value.diagnostics[0].code == "VERIFY010"


def test_a_float_gamma_counts_as_the_decimal_that_is_written() -> None:
    assert VerifyOptions(gamma=0.4).gamma == Fraction(2, 5)  # type: ignore[arg-type]


def test_an_image_is_decided_exactly_where_floats_cancel() -> None:
    model = model_of([[1, 1, 1], [0, 0, 0]], [0, 0.5], np.eye(3), [[1e16, 1, -1e16]])
    (result,) = verified('property p: for x = image("i0"): predict(x, c0)\n', model)
    assert result.verdict.outcome == "holds"


def test_images_near_ties_of_large_logits_are_all_decided_as_integers_decide_them() -> None:
    rng = np.random.default_rng(0)
    embeddings = np.round(rng.normal(size=(300, 3)) * 1e8)
    embeddings[:, 2] = -embeddings[:, 0] - embeddings[:, 1] + rng.integers(-2, 3, 300) * 2.0**-27
    model = model_of([[1, 1, 1], [0, 0, 0]], [0, 0], np.eye(3), embeddings)
    truth = ExactTruth(model).of_split(Predict("c0"), "test")
    exact = [sum(Fraction(v) for v in row) > 0 for row in embeddings.tolist()]
    assert truth.tolist() == exact
    assert 0 < sum(exact) < 300


def test_a_mapped_embedding_of_zero_has_no_concept_even_below_a_negative_threshold() -> None:
    model = model_of(np.eye(2), [0, 0], np.eye(2), [[0.0, 0.0], [1.0, 0.0]], thresholds={"k0": -0.5, "k1": -0.5})
    assert ExactTruth(model).of_split(HasConcept("k0"), "test").tolist() == [False, True]
    assert ExactTruth(model).of_split(Not(HasConcept("k1")), "test").tolist() == [True, False]


def test_binomial_tails_are_compared_as_fractions_are() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        trials = int(rng.integers(1, 40))
        successes = int(rng.integers(0, trials + 1))
        share = Fraction(int(rng.integers(1, 100)), 100)
        exact = sum(comb(trials, i) * share**i * (1 - share) ** (trials - i) for i in range(successes, trials + 1))
        below = 1 - sum(
            comb(trials, i) * share**i * (1 - share) ** (trials - i) for i in range(successes + 1, trials + 1)
        )
        for hair in (Fraction(0), Fraction(1, 10**30), -Fraction(1, 10**30)):
            assert tail_at_most(successes, trials, share, exact + hair, upper=True) == (hair >= 0)
            assert tail_at_most(successes, trials, share, below + hair, upper=False) == (hair >= 0)


def test_a_share_at_its_very_limit_is_decided_as_the_checker_does() -> None:
    share = Fraction("22.36067977499789697") / 100
    ((verdict, _),) = share_verdicts([(2, 2)], [share], 0.95)
    assert (verdict.outcome == "holds") == (share * share <= Fraction(1, 20))


def test_the_work_of_a_tail_is_bounded() -> None:
    share = Fraction(10**1900 - 1, 10**1900)
    started = time.process_time()
    limit = Fraction(1, 20)
    assert tail_at_most(5, 1_000_000, Fraction(1, 2), limit, upper=False) is True
    assert tail_at_most(1_000_000, 1_000_000, share, share**2, upper=True) in (None, False)
    assert time.process_time() - started < 5


def test_a_property_whose_premise_never_holds_says_so_everywhere() -> None:
    model = model_of([[1, 0], [0, 1]], [0, 0], np.eye(2), [[5, 0], [6, 0.1], [5.5, 0.2]])
    text = (
        "property empty: for all x in focus(c0, gamma = 0.1): predict(x, c1) => >(x, k1, k0)\n"
        "property real: for all x in focus(c0, gamma = 0.1): predict(x, c0) => >(x, k0, k1)\n"
        'property image: for x = image("i0"): predict(x, c1) => >(x, k1, k0)\n'
    )
    empty, real, image = verified(text, model)
    assert empty.verdict.outcome == real.verdict.outcome == image.verdict.outcome == "holds"
    assert (empty.vacuous, real.vacuous, image.vacuous) == (True, False, True)
    assert empty.verdict.reason == "vacuous: no embedding of the region satisfies its premise"
    empty_record, real_record = property_record(empty), property_record(real)
    assert empty_record.vacuous is True
    assert "vacuous: no embedding" in junit_xml([empty_record])
    assert "vacuous" not in junit_xml([real_record])
    assert "vacuous: no embedding" in str(sarif_log([empty_record]))


def test_an_empty_region_is_told_from_one_that_satisfies_its_property() -> None:
    model = model_of([[1, 0], [0, 1]], [0, 0], np.eye(2), [[0, 5], [0.1, 6], [0.2, 5.5]])
    (result,) = verified(
        "property p: for all x in focus(c0, gamma = 0.1) where predict(x, c0): k0 > k1\n", model, estimate_from="all"
    )
    assert result.verdict.outcome == "holds"
    assert "the region is empty" in result.verdict.reason


def test_a_time_budget_covers_the_search_for_sizes() -> None:
    rng = np.random.default_rng(0)
    model = model_of(rng.normal(size=(8, 24)), rng.normal(size=8), rng.normal(size=(12, 24)), rng.normal(size=(40, 24)))
    parts = " or ".join(f"(k{i} > k{j} and k{j} > k{(i + j) % 12})" for i in range(5) for j in range(6, 10))
    started = time.process_time()
    verified(
        f"property p: for all x in focus(c0, gamma = 0.4): predict(x, c0) implies ({parts})\n",
        model,
        estimate_from="all",
        seconds_budget=1.0,
    )
    assert time.process_time() - started < 5
