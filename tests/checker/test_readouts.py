"""Spans and bands: the checker reads what a region is made of, and closes cycles by itself."""

import json
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest

from conspect.bench.forging.mutations_near import retied
from conspect.checker import check
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.language.syntax.tree import And, Focus, ForAll, Formula, HasConcept, Implies, Not, Or, Predict, Stronger
from conspect.verification.certificates.claims import coverage_claim
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.regions.provable import SHAPES, ProvableCoverage

FORMULAS: list[Formula] = [
    Implies(Predict("car"), Stronger("a", "b")),
    Implies(Predict("car"), Stronger("b", "a")),
    Stronger("c", "d"),
    Or((Stronger("a", "b"), Stronger("b", "c"), Not(Stronger("b", "d")))),
    Implies(And((Predict("car"), Stronger("a", "b"))), Not(Stronger("b", "c"))),
    Predict("car"),
    Predict("car", Fraction(1, 4)),
    Not(Predict("cat", Fraction(1, 2))),
    HasConcept("a"),
    Not(HasConcept("b")),
    HasConcept("c"),
    Implies(Predict("car"), Or((HasConcept("d"), Not(HasConcept("d"))))),
]


@pytest.fixture(scope="module")
def good():
    """A certificate of what is provable over every shape, for classes in clouds and a lens of rank 2."""
    rng = np.random.default_rng(5)
    means = 3 * rng.normal(size=(3, 6))
    labels = np.arange(90) % 3
    splits = {
        name: EmbeddingSplit(means[labels] + rng.normal(size=(90, 6)), labels, tuple(f"{name}{k}" for k in range(90)))
        for name in ("train", "val", "test")
    }
    alignment = rng.normal(size=(5, 2)) @ rng.normal(size=(2, 6))
    model = VerificationModel(
        Head.linear(means, -0.5 * np.square(means).sum(axis=1)),
        Lens(
            AffineMap(alignment, rng.normal(size=5)), ("a", "b", "c", "d"), np.linalg.qr(rng.normal(size=(5, 4)))[0].T
        ),
        ("car", "truck", "cat"),
        splits,
        {"a": 0.1, "b": -0.2, "c": 0.0, "d": 0.3},
    )
    names = names_of(model)
    jobs = [
        Obligation(f"p{k}", formula, tabulate(formula, names), ForAll(Focus("car")), "car", "", None, "")
        for k, formula in enumerate(FORMULAS)
    ]
    proved = ProvableCoverage.of(jobs, model, VerifyOptions()).search(jobs)
    claims = [
        coverage_claim(job, shape, by_shape[shape], "test")
        for job, by_shape in zip(jobs, proved, strict=True)
        for shape in SHAPES
        if shape in by_shape
    ]
    return json.loads(json.dumps(bundle(model, claims)))


def accepts(body):
    return check.check_data(sealed(body))


def of_shape(body, shape):
    return [c for c in body["claims"] if body["regions"][c["region"]]["shape"] == shape]


def test_what_is_proved_over_spans_and_bands_is_accepted(good):
    claims = accepts(good)
    assert len(claims) == len(good["claims"])
    assert {c.verdict for c in claims} == {"holds"}
    for shape in ("span", "band"):
        assert len(of_shape(good, shape)) >= 5
    assert any(c["part"] == "conclusion" for c in good["claims"])
    assert any("hasCon" in c.statement and "band" in c.statement for c in claims)
    assert any("lead = 1/4" in c.statement for c in claims)


@pytest.mark.parametrize("shape", ["span", "band"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c, b: c["formula"].append(["not", len(c["formula"]) - 1]), id="the opposite"),
        pytest.param(lambda c, b: c.update(proof=c["proof"][:-1]), id="a step left out"),
        pytest.param(lambda c, b: c.update(reads=c["reads"] | {"class": 1}), id="another class"),
        pytest.param(lambda c, b: c.update(reads=None), id="no readouts"),
        pytest.param(lambda c, b: c.update(part="all"), id="another part"),
        pytest.param(lambda c, b: c.update(proof=[["cycle", [], []]]), id="an empty cycle"),
        pytest.param(lambda c, b: c.update(proof=[["close", [[0, 1]]]]), id="one literal"),
        pytest.param(lambda c, b: c.update(proof=[["cycle", [[0, 1]], [0]]]), id="a cycle that does not return"),
        pytest.param(lambda c, b: c.update(proof=[["cycle", [[0, 1]], [10**6]]]), id="an axis that is not there"),
        pytest.param(lambda c, b: c.update(proof=[["halve", 0]] + 2 * c["proof"]), id="halves"),
        pytest.param(lambda c, b: c.update(verdict="violated", witness=0) or c.pop("proof"), id="a witness"),
    ],
)
def test_forged_proofs_over_readouts_are_refused(good, shape, change):
    assert of_shape(good, shape)
    for index in range(len(of_shape(good, shape))):
        body = json.loads(json.dumps(good))
        claim = of_shape(body, shape)[index]
        body["claims"] = [claim]
        body["points"] = [{"kind": "coordinates", "numerators": [0] * 6, "denominator": 1, "region": claim["region"]}]
        change(claim, body)
        with pytest.raises(check.Refused):
            accepts(retied(body))


@pytest.mark.parametrize(
    ("concepts", "why"),
    [
        ([0, 0], "in order"), ([1, 0], "in order"), ([0, 4], "out of range|concept"), ([-1, 1], "concept"),
        ([0, True], "concept"), ([0, "1"], "concept"), ("ab", "concepts"), (None, "concepts"), ([0] * 5, "more concepts"),
        ([0], "bytes"), ([0, 1, 2], "bytes"), ([], "bytes|axes"),
        ([2, 3], "does not read a concept that the formula names"),
    ],
)  # fmt: skip
def test_a_span_of_another_list_of_concepts_is_refused(good, concepts, why):
    body = json.loads(json.dumps(good))
    claim = next(c for c in of_shape(body, "span") if c["reads"]["concepts"] == [0, 1] and c["reads"]["class"] is None)
    assert accepts(body)
    body["claims"] = [claim]
    for place in (body["regions"][claim["region"]], claim):
        place["reads"] = claim["reads"] | {"concepts": concepts}
    with pytest.raises(check.Refused, match=why):
        accepts(retied(body))


@pytest.mark.parametrize("form", ["relative", "length", "none", None, True, 0])
def test_a_span_whose_strengths_are_said_to_be_read_in_another_way_is_refused(good, form):
    body = json.loads(json.dumps(good))
    claim = next(c for c in of_shape(body, "span") if c["reads"]["strengths"] == "each" and c["reads"]["concepts"])
    body["claims"] = [claim]
    for place in (body["regions"][claim["region"]], claim):
        place["reads"] = claim["reads"] | {"strengths": form}
    with pytest.raises(check.Refused):
        accepts(retied(body))


def test_a_certificate_of_an_earlier_format_is_refused_by_name(good):
    with pytest.raises(check.Refused, match="conspect-certificate-2"):
        accepts(good | {"format": "conspect-certificate-2"})


def test_the_checker_says_what_a_region_is_made_of(good):
    said = {c.statement for c in accepts(good)}
    assert any("[made of strengths of a, b, size" in text for text in said)
    assert any("[made of strengths of all concepts, size" in text for text in said)
    assert any("[made of logits, size" in text for text in said)
    assert any("strengths of d and |y|, size" in text for text in said)


@pytest.mark.parametrize("shape", ["span", "band"])
def test_a_larger_size_than_was_proved_is_refused(good, shape):
    """Sizes are the largest at which the proof goes through; ten times as large it must not."""
    refused = 0
    for index, about in enumerate(of_shape(good, shape)):
        body = json.loads(json.dumps(good))
        claim = of_shape(body, shape)[index]
        claim["size"] = str(10 * Fraction(about["size"]))
        model = check.Model(body, check.Budget())
        place = check.read_region(body["regions"][claim["region"]], model)
        claim["region_digest"] = place.digest(Fraction(claim["size"]), claim["cut"])
        body["claims"] = [claim]
        with suppress(check.Refused):
            accepts(retied(body))
            continue
        refused += 1
    assert refused >= 4


def test_a_band_with_a_negative_width_is_refused(good):
    from conspect.verification.certificates.encoding import encoded

    body = json.loads(json.dumps(good))
    for region in body["regions"]:
        if region["shape"] == "band":
            region["factor"] = encoded(-np.ones(len(__import__("base64").b64decode(region["factor"])) // 8))
    with pytest.raises(check.Refused, match="negative width"):
        accepts(body)
