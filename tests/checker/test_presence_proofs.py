"""Proofs and witnesses of `hasCon` over boxes and ellipsoids: true as far as they go, and refused one step farther."""

import json
from typing import Any

import pytest

from conspect.bench.forging.mutations_near import CertificateTree, retied
from conspect.checker import check
from conspect.language import check_text
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.results import PropertyResult
from conspect.verification.verify import verify
from tests.verification.subjects import plane

THRESHOLDS = {"up": -0.3, "right": 0.5}


def certificate(text: str, shape: str = "box", gamma: float = 0.8) -> tuple[PropertyResult, CertificateTree]:
    subject = plane(thresholds=THRESHOLDS)
    specification = check_text(f"property p: for all x in focus(east, gamma = {gamma}, shape = {shape}): {text}")
    (result,) = verify(specification.require(), subject, VerifyOptions())
    return result, json.loads(json.dumps(bundle(subject, list(result.claims))))


def checked(body: CertificateTree) -> list[str]:
    return [claim.verdict for claim in check.check_data(sealed(retied(body)))]


@pytest.mark.parametrize("concept", ["up", "right"])
def test_a_proof_of_presence_is_refused_at_the_size_where_a_counterexample_is_known(concept: str) -> None:
    result, body = certificate(f"hasCon(x, {concept})")
    assert checked(body) == ["holds", "holds", "violated"]
    _, proved, refuted = body["claims"]
    ends = result.gamma_max
    assert ends is not None
    assert ends.low is not None
    assert ends.high is not None
    assert ends.high - ends.low < 1e-3
    of_the_larger: dict[str, Any] = {
        key: refuted[key] for key in ("size", "region_digest", "coverage") if key in refuted
    }
    with pytest.raises(check.Refused, match="multipliers prove nothing"):
        checked({**body, "claims": [{**proved, **of_the_larger}]})


@pytest.mark.parametrize("concept", ["up", "right"])
@pytest.mark.parametrize("shape", ["box", "ellipsoid"])
def test_a_witness_without_the_concept_refutes_it_and_not_its_opposite(concept: str, shape: str) -> None:
    result, body = certificate(f"hasCon(x, {concept})", shape, 6)
    assert result.verdict.outcome == "violated"
    assert set(checked(body)) <= {"violated", "holds"}
    claim = body["claims"][0]
    assert claim["formula"] == [["has", 0 if concept == "right" else 1]]
    opposite = {**claim, "formula": [*claim["formula"], ["not", 0]], "statement": f"not hasCon(x, {concept})"}
    with pytest.raises(check.Refused, match="the formula is true at the witness"):
        checked({**body, "claims": [opposite]})


def test_a_witness_with_the_concept_refutes_its_absence_and_not_its_presence() -> None:
    _, body = certificate("not hasCon(x, up)")
    assert set(checked(body)) == {"violated"}
    claim = body["claims"][0]
    presence = {**claim, "formula": claim["formula"][:1], "statement": "hasCon(x, up)"}
    with pytest.raises(check.Refused, match="the formula is true at the witness"):
        checked({**body, "claims": [presence]})


def test_a_proof_that_ends_too_early_is_refused_at_every_step() -> None:
    _, body = certificate("predict(x, east) implies (right > up or hasCon(x, up)) and hasCon(x, up)")
    claim = body["claims"][0]
    assert claim["verdict"] == "holds"
    assert len(claim["proof"]) > 2
    for kept in range(len(claim["proof"])):
        with pytest.raises(check.Refused, match="the proof ends before all branches are closed"):
            checked({**body, "claims": [{**claim, "proof": claim["proof"][:kept]}]})
