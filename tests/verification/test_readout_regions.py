"""Regions of readouts: what is proved over them is true of every embedding inside, and their sizes are what they say."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from scipy.optimize import linprog

from conspect.bench.workloads.random_properties import random_formula, random_subject
from conspect.core.spaces import AffineMap, Floats
from conspect.language import ExactReadouts, check_text, holds_exactly
from conspect.language.syntax.tree import And, Focus, ForAll, Formula, HasConcept, Implies, Not, Or, Predict, Stronger
from conspect.verification.engine.difference_graph import DifferenceGraph
from conspect.verification.engine.exact import ExactModel
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.negation import AtomRows
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.regions.provable import ProvableCoverage
from conspect.verification.regions.readouts import ReadoutKinds, ReadoutSpace, StrengthForm
from conspect.verification.regions.shapes import Band
from conspect.verification.verify import verify
from tests.verification.subjects import model_with_images


def obligation(model: VerificationModel, formula: Formula, class_name: str = "car") -> Obligation:
    table = tabulate(formula, names_of(model))
    return Obligation("p", formula, table, ForAll(Focus(class_name)), class_name, "", None, "")


def truth(model: VerificationModel, formula: Formula, embedding: Floats) -> bool:
    """The reference semantics at the exact embedding."""
    z = [Fraction(float(v)) for v in embedding]

    def through(affine: AffineMap, values):
        return [
            sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(offset))
            for row, offset in zip(affine.weight.tolist(), affine.offset.tolist(), strict=True)
        ]

    y = through(model.lens.alignment, z)
    strengths = tuple(
        sum((Fraction(q) * v for q, v in zip(row, y, strict=True)), Fraction(0))
        for row in model.lens.directions.tolist()
    )
    thresholds = tuple(Fraction(model.thresholds[name]) for name in model.concept_names)
    logits = tuple(through(model.head.layers[0], z))
    square = sum((v * v for v in y), Fraction(0))
    return holds_exactly(
        formula, ExactReadouts(model.class_names, model.concept_names, logits, strengths, square, thresholds)
    )


FORMULAS: list[Formula] = [
    Stronger("a", "b"),
    Stronger("b", "a"),
    Implies(Predict("car"), Stronger("c", "d")),
    Implies(Predict("car"), Or((Stronger("a", "b"), Stronger("c", "b")))),
    Not(And((Stronger("a", "b"), Stronger("b", "c")))),
    Implies(Predict("truck"), Stronger("d", "a")),
    Implies(Predict("car", Fraction(2)), Or((Stronger("d", "a"), Stronger("a", "d")))),
    HasConcept("a"),
    Or((HasConcept("a"), Not(HasConcept("b")))),
    Implies(Predict("car"), Not(HasConcept("d"))),
    Predict("car"),
]


@pytest.mark.parametrize("shape", ["span", "band"])
@pytest.mark.parametrize("seed", range(4))
def test_every_embedding_inside_a_proved_region_satisfies_the_property(seed: int, shape) -> None:
    model = model_with_images(seed)
    proved = inside_seen = 0
    for formula in FORMULAS:
        search = ProvableCoverage.of([obligation(model, formula)], model, VerifyOptions())
        (best,) = search.search([obligation(model, formula)], [shape])
        if shape not in best:
            continue
        proved += 1
        proof = best[shape]
        kinds = proof.kinds
        assert kinds is not None
        rng = np.random.default_rng(seed)
        clouds = [split.embeddings for split in model.splits.values()]
        spread = np.concatenate([*clouds, *(c + 2 * rng.normal(size=c.shape) for c in clouds)]).astype(np.float32)
        read = search.readouts.space(kinds).readouts if shape == "span" else None
        values = read(spread) if read else search.readouts.differences(kinds, spread)
        inside = spread[proof.region.sizes(values) <= proof.size * (1 - 1e-9)]
        inside_seen += len(inside)
        assert all(truth(model, formula, z) for z in inside)
    assert proved >= 4
    assert inside_seen > 50


def test_a_lone_predicate_is_proved_up_to_the_ratio_of_mean_and_deviation_over_a_band() -> None:
    model = model_with_images(1)
    for formula in (Stronger("a", "b"), Stronger("b", "a")):
        search = ProvableCoverage.of([obligation(model, formula)], model, VerifyOptions())
        (best,) = search.search([obligation(model, formula)], ["band"])
        place = search.readouts.place("car", tabulate(formula, names_of(model)), "band")
        left, right = model.concept_names.index(formula.left), model.concept_names.index(formula.right)
        axis = search.readouts.pairs(place.kinds).index((3 + left, 3 + right))
        ratio = place.region.centre[axis] / place.region.factor[axis]
        assert ("band" in best) == (ratio > 0)
        if ratio > 0:
            assert best["band"].size == pytest.approx(ratio, rel=1e-9)
            assert Fraction(best["band"].size) < Fraction(place.region.centre[axis]) / Fraction(
                place.region.factor[axis]
            )


def test_coverage_counts_the_images_inside_and_is_no_larger_than_conformal_prediction_allows() -> None:
    model = model_with_images(2)
    formula = Predict("car")
    search = ProvableCoverage.of([obligation(model, formula)], model, VerifyOptions())
    (best,) = search.search([obligation(model, formula)], ["span", "band", "box", "ellipsoid"])
    for shape, proof in best.items():
        if shape in ("span", "band"):
            place = search.readouts.place("car", tabulate(formula, names_of(model)), shape)
            inside = int((place.sized.sizes < proof.size).sum())
            assert proof.coverage == Fraction(inside, len(place.sized.sizes) + 1)
            assert proof.measured.n == 20
        assert 0 <= proof.coverage < 1
    assert best["span"].coverage >= Fraction(1, 2)


def test_readouts_are_the_same_exactly_as_in_floats_and_the_length_lies_between_its_ends() -> None:
    model = model_with_images(3)
    exact = ExactModel.of(model.head.layers[0], 3, model.lens)
    embedding = model.splits["test"].embeddings[5].astype(np.float64)
    each, relative, length = StrengthForm
    for kinds in (
        ReadoutKinds(None, (0, 1, 2, 3), relative),
        ReadoutKinds(1, (), each),
        ReadoutKinds(1, (1, 3), each),
        ReadoutKinds(0, (1, 2, 3), relative),
        ReadoutKinds(2, (2,), length),
        ReadoutKinds(2, (0, 1, 2, 3), length),
    ):
        space = ReadoutSpace(model, kinds)
        floats = space.readouts(embedding[None, :])[0]
        pairs = space.exactly(exact, embedding)
        assert len(pairs) == len(floats) == space.dimension
        for value, (low, high) in zip(floats, pairs, strict=True):
            assert low <= high <= low + Fraction(1, 10**40)
            assert float(low) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_the_graph_finds_a_contradiction_exactly_when_a_linear_program_is_infeasible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = AtomRows(2, 4, {})
    pairs = tuple((a, b) for a in range(2, 6) for b in range(2, 6) if a != b)
    region = Band(rng.normal(size=12), 0.2 + rng.random(12), Fraction(1))
    graph = DifferenceGraph(region, pairs, rows)
    names = names_of(model_with_images(0))
    parts = [
        Stronger(str(i), str(j)) for i, j in (rng.choice(["a", "b", "c", "d"], 2, replace=False) for _ in range(2))
    ]
    table = tabulate(Or(tuple(parts)), names)
    for size in (Fraction(0), Fraction(1, 2), Fraction(2)):
        proved = graph.decide(table, size, node_budget=100, deadline=inf).proved
        # Is there s with s_i - s_j >= mean - size * deviation and both denials s_right - s_left >= 0?
        lines = [[-float(k == a) + float(k == b) for k in range(2, 6)] for a, b in pairs]
        limits = [-(float(m) - float(size) * float(d)) for m, d in zip(region.centre, region.factor, strict=True)]
        for part in parts:
            order = ["a", "b", "c", "d"]
            lines.append([float(n == part.left) - float(n == part.right) for n in order])
            limits.append(0.0)
        answer = linprog(np.zeros(4), A_ub=lines, b_ub=limits, bounds=[(None, None)] * 4)
        assert proved == (answer.status == 2)


def test_random_formulas_are_never_proved_over_images_that_refute_them() -> None:
    compared = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        base = random_subject(rng, 3)
        embeddings = rng.normal(size=(45, 3)).astype(np.float32)
        labels = np.arange(45) % len(base.class_names)
        split = EmbeddingSplit(embeddings, labels, tuple(map(str, range(45))))
        model = VerificationModel(
            base.head,
            base.lens,
            base.class_names,
            dict.fromkeys(("train", "val", "test"), split),
            dict(base.thresholds),
        )
        name = base.class_names[0]
        for _ in range(8):
            formula = random_formula(rng, model, 3, has_concept=seed % 2 == 0)
            search = ProvableCoverage.of(
                [obligation(model, formula, name)], model, VerifyOptions(estimate_from="all", seconds_budget=1.0)
            )
            (best,) = search.search([obligation(model, formula, name)], ["span", "band"])
            for shape, proof in best.items():
                kinds = proof.kinds
                assert kinds is not None
                read = search.readouts.space(kinds).readouts
                values = read(embeddings) if shape == "span" else search.readouts.differences(kinds, embeddings)
                for z in embeddings[proof.region.sizes(values) <= proof.size * (1 - 1e-9)]:
                    compared += 1
                    assert truth(model, formula, z)
    assert compared > 200


def test_the_language_asks_for_spans_and_bands_and_a_real_image_refutes() -> None:
    model = model_with_images(1)
    text = "\n".join(
        f"property {shape}{k}: for all x in focus(car, coverage = 80%, shape = {shape}): {body}"
        for shape in ("span", "band")
        for k, body in enumerate(("predict(x, car) implies (a > b or b > a)", "a > b", "b > a", "predict(x, truck)"))
    )
    results = verify(check_text(text.encode()).require(), model)
    kinds = {result.name: result.verdict.outcome for result in results}
    for shape in ("span", "band"):
        assert "holds" not in (kinds[f"{shape}1"], kinds[f"{shape}2"]) or kinds[f"{shape}1"] != kinds[f"{shape}2"]
        assert kinds[f"{shape}3"] == "violated"
    for result in results:
        assert result.coverage is not None
        assert result.coverage.n == 20
        assert result.region is not None
        assert result.region.shape == result.name[:4]
        if result.verdict.outcome == "violated":
            assert result.witness is not None
            split = model.splits["test"]
            row = split.ids.index(result.witness.image_id or "")
            asked: dict[str, Formula] = {"1": Stronger("a", "b"), "2": Stronger("b", "a"), "3": Predict("truck")}
            assert not truth(model, asked[result.name[4]], split.embeddings[row])
            assert split.labels[row] == 0
    assert {"holds", "violated"} <= set(kinds.values())
