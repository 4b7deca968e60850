"""What rounding can do is bounded: computed readouts lie within their bounds of the exact ones, in both precisions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from conspect.core.regions import Box, Ellipsoid, Region
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.language import check_text
from conspect.language.syntax.tree import Implies, Predict, Stronger
from conspect.verification.engine.rounding import DOUBLE, SINGLE, formula_slack, readout_errors
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import names_of
from conspect.verification.verify import verify


def model_of(seed: int, *, hidden: int = 0, scale: float = 1.0) -> VerificationModel:
    rng = np.random.default_rng(seed)
    widths = [12, *([8] * hidden), 4]
    layers = tuple(
        AffineMap(scale * rng.normal(size=(after, before)), rng.normal(size=after))
        for before, after in pairwise(widths)
    )
    directions = np.linalg.qr(rng.normal(size=(9, 5)))[0].T
    lens = Lens(AffineMap(rng.normal(size=(9, 12)), rng.normal(size=9)), tuple("abcde"), directions)
    embeddings = rng.normal(size=(40, 12)).astype(np.float32)
    split = EmbeddingSplit(embeddings, np.zeros(40, dtype=np.int64), tuple(map(str, range(40))))
    return VerificationModel(Head(layers), lens, tuple("wxyz"), dict.fromkeys(("train", "val", "test"), split))


def exactly(affine: AffineMap, values: list[Fraction]) -> list[Fraction]:
    return [
        sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(offset))
        for row, offset in zip(affine.weight.tolist(), affine.offset.tolist(), strict=True)
    ]


@pytest.mark.parametrize(("dtype", "unit"), [(np.float32, SINGLE), (np.float64, DOUBLE)])
@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_computed_readouts_lie_within_their_bounds(seed: int, hidden: int, dtype: type, unit: float) -> None:
    model = model_of(seed, hidden=hidden, scale=10.0**seed)
    embedding = np.random.default_rng(seed).normal(size=12) * 10.0 ** (2 * seed)
    errors = readout_errors(model, np.abs(embedding)[None, :], unit)
    z: np.ndarray = embedding.astype(dtype)
    logits, exact = z, [Fraction(v) for v in embedding.tolist()]
    for depth, layer in enumerate(model.head.layers):
        if depth:
            logits, exact = np.maximum(logits, 0), [max(v, Fraction(0)) for v in exact]
        logits = layer.weight.astype(dtype) @ logits + layer.offset.astype(dtype)
        exact = exactly(layer, exact)
    assert len(exact) >= 3
    assert all(abs(Fraction(float(a)) - b) <= e for a, b, e in zip(logits, exact, errors.logits[0], strict=True))
    lens = model.lens
    y = lens.alignment.weight.astype(dtype) @ z + lens.alignment.offset.astype(dtype)
    numerators = lens.directions.astype(dtype) @ y
    exact_y = exactly(lens.alignment, [Fraction(v) for v in embedding.tolist()])
    exact_numerators = exactly(AffineMap(lens.directions, np.zeros(5)), exact_y)
    bounds = errors.numerators[0]
    assert all(abs(Fraction(float(a)) - b) <= e for a, b, e in zip(numerators, exact_numerators, bounds, strict=True))
    # The bound is no wild guess either: within a few hundred times what happened, at its largest.
    worst = max(abs(float(Fraction(float(a)) - b)) for a, b in zip(numerators, exact_numerators, strict=True))
    assert bounds.max() <= 1e4 * max(worst, unit * float(np.abs(numerators).max()))


@pytest.mark.parametrize("kind", [Box, Ellipsoid])
def test_the_slack_of_a_formula_covers_float32_everywhere_in_its_region(kind: type[Region]) -> None:
    model, rng = model_of(1), np.random.default_rng(1)
    factor = 0.3 + rng.random(12)
    region = kind(rng.normal(size=12), factor if kind is Box else np.diag(factor), Fraction(1))
    table = tabulate(Implies(Predict("w"), Stronger("a", "b")), names_of(model))
    slack = formula_slack(model, region, table)
    w = rng.normal(size=(500, 12))
    w /= np.abs(w).max(axis=1, keepdims=True) if kind is Box else np.linalg.norm(w, axis=1, keepdims=True)
    points = region.points(w)
    single = model.lens.alignment.weight.astype(np.float32) @ points.astype(np.float32).T
    single = single + model.lens.alignment.offset.astype(np.float32)[:, None]
    low = model.lens.directions.astype(np.float32) @ single
    high = model.lens.folded(points).T
    moved = np.abs((low[0] - low[1]).astype(np.float64) - (high[0] - high[1]))
    assert moved.max() <= slack
    assert slack <= 1e4 * moved.max()


def test_what_holds_by_less_than_float32_can_be_off_is_not_said_to_hold_at_run_time() -> None:
    model = model_of(2)
    text = "property p: for all x in focus(w, gamma = 0.0001): predict(x, w) or not predict(x, w) and a > b or b > a\n"
    rng = np.random.default_rng(0)
    names = rng.permutation(list("abcde"))
    text += "".join(
        f"property q{i}{j}: for all x in focus(w, gamma = 0.01): {i} > {j}\n" for i in names for j in names if i != j
    )
    tree = check_text(text.encode()).require()
    exact = verify(tree, model, VerifyOptions(estimate_from="all"))
    single = verify(tree, model, VerifyOptions(estimate_from="all", float32=True))
    held = [(a, b) for a, b in zip(exact, single, strict=True) if a.verdict.outcome == "holds"]
    assert held
    for a, b in held:
        assert a.float32_slack is not None
        assert (b.verdict.outcome == "holds") == (a.margin is not None and a.margin > a.float32_slack)
    assert any(b.verdict.outcome == "holds" for _, b in held)
    flat = VerifyOptions(estimate_from="all", float32=True, search_gamma=True)
    near = [r for r in exact if r.gamma_max is not None and r.gamma_max.low and r.verdict.outcome == "holds"][:3]
    assert near
    for result in near:
        assert result.gamma_max is not None
        size = Fraction(result.gamma_max.low or 0.0)
        line = f"property r: for all x in focus(w, gamma = {size.numerator}/{size.denominator}): {result.statement}\n"
        (again,) = verify(check_text(line.encode()).require(), model, flat)
        assert again.verdict.outcome == "unknown"
        assert "float32" in again.verdict.reason


def test_a_lead_is_rounded_too_and_counted() -> None:
    model, region = model_of(1), Box(np.zeros(12), np.zeros(12), Fraction(1))
    plain, led = (
        formula_slack(model, region, tabulate(Predict("w", lead), names_of(model)))
        for lead in (Fraction(0), Fraction(10**9))
    )
    assert led - plain >= 2 * SINGLE * 10**9
