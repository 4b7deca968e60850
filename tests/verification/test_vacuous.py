"""What holds because its premise never does says so, however it is written and whatever it speaks of."""

from fractions import Fraction

import numpy as np
import pytest

from conspect.language import check_text
from conspect.report.junit import junit_xml
from conspect.report.sarif import sarif_log
from conspect.study.proving.records import property_record
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.vocabulary import vocabulary_of
from conspect.verification.results import PropertyResult
from conspect.verification.verify import verify
from tests.verification.subjects import changed_model

WRITTEN = (
    "predict(x, cat) implies a > b",
    "not predict(x, cat) or a > b",
    "a > b or not predict(x, cat)",
    "not (predict(x, cat) and not a > b)",
    "predict(x, cat) implies (a > b implies c > d)",
    "(predict(x, cat) implies a > b) and (predict(x, cat, lead = 1) implies c > d)",
)
QUANTIFIERS = (
    "for all x in focus(car, gamma = 0.05)",
    "for all x in focus(car, shape = ellipsoid, gamma = 0.05)",
    "for 50% of x in images(car)",
    'for x = image("test/test0")',
    'for all x near image("test/test0") (share = 50%)',
)
CLAIMS = ("predict(x, cat) iff (a > b and b > a)", "not predict(x, cat)")
TAUTOLOGIES = ("predict(x, car) implies predict(x, car)", "a > b or not a > b", "c > d iff not not c > d")


@pytest.fixture(scope="module")
def model() -> VerificationModel:
    return changed_model(3, spread=0.1, images=120)


def decided(model: VerificationModel, text: str) -> PropertyResult:
    (result,) = verify(
        check_text(f"property p: {text}", vocabulary_of(model)).require(), model, VerifyOptions(search_gamma=False)
    )
    return result


@pytest.mark.parametrize("quantifier", QUANTIFIERS)
def test_a_premise_that_is_never_so_is_told_however_it_is_written(model: VerificationModel, quantifier: str) -> None:
    for written in WRITTEN:
        result = decided(model, f"{quantifier}: {written}")
        assert (result.verdict.outcome, result.vacuous) == ("holds", True), written
        record = property_record(result)
        assert result.verdict.reason.startswith("vacuous: ")
        assert result.verdict.reason in junit_xml([record])
        assert result.verdict.reason in str(sarif_log([record]))
    for claim in CLAIMS:
        result = decided(model, f"{quantifier}: {claim}")
        assert (result.verdict.outcome, result.vacuous) == ("holds", False), claim


def test_a_premise_that_no_image_but_a_point_near_one_satisfies_is_not_called_vacuous(model: VerificationModel) -> None:
    split = model.splits["test"]
    logits = model.head.logits(np.asarray(split.embeddings[split.labels == 0], dtype=np.float64))
    largest = float((logits[:, 0] - logits[:, 1:].max(axis=1)).max())
    lead = Fraction(np.ceil(largest * 1000) / 1000).limit_denominator(1000)
    ask = "for 50% of x in images(car): for all y near x: predict(y, car, lead = {}) implies predict(y, car)"
    result = decided(model, ask.format(lead))
    assert (result.verdict.outcome, result.vacuous) == ("holds", False)
    far = decided(model, ask.format(lead + 1000))
    assert (far.verdict.outcome, far.vacuous) == ("holds", True)
    assert far.verdict.reason == "vacuous: nothing in the neighbourhoods satisfies its premise"


@pytest.mark.parametrize("quantifier", [*QUANTIFIERS, "for all x in focus(car, shape = span, gamma = 50)"])
@pytest.mark.parametrize("formula", TAUTOLOGIES)
def test_what_is_true_by_its_logic_alone_says_so(model: VerificationModel, quantifier: str, formula: str) -> None:
    result = decided(model, f"{quantifier}: {formula}")
    assert (result.verdict.outcome, result.vacuous) == ("holds", True)
    assert result.verdict.reason == "vacuous: its logic alone makes it true, of any embedding"


def test_a_proof_says_that_its_ellipse_lies_on_one_side_where_and_only_where_it_does(model: VerificationModel) -> None:
    told = "one side of their tie"
    holds = [
        pair
        for pair in ("a > b", "b > a", "c > d", "d > c")
        if decided(model, f"for all x in focus(car, shape = span, gamma = 0.01): {pair}").verdict.outcome == "holds"
    ]
    left, _, right = holds[0].partition(" > ")
    for written in (holds[0], f"{holds[0]} and not {right} > {left}", f"{holds[0]} or {right} > {left}"):
        result = decided(model, f"for all x in focus(car, shape = span, gamma = 0.01): {written}")
        assert result.verdict.outcome == "holds", written
        assert any(told in caveat for caveat in result.caveats), written
    for written in (f"{holds[0]} or not {holds[0]}", f"{holds[0]} implies {holds[0]}"):
        result = decided(model, f"for all x in focus(car, shape = span, gamma = 50): {written}")
        assert result.verdict.outcome == "holds", written
        assert not any(told in caveat for caveat in result.caveats), written
