"""What a certificate should say is what verification claims, rebuilt: field by field, for every kind of property."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from conspect.language import check_text
from conspect.verification.certificates.binding import OWN, SLACK, Comparison, _between
from conspect.verification.certificates.claims import RegionClaim, coverage_claim
from conspect.verification.certificates.expectation import (
    PATIENCE,
    SECONDS,
    Expectation,
    ExpectedClaim,
    ReachableClaims,
    SpecificationSource,
    plain,
)
from conspect.verification.certificates.writing import bundle, certificate_name, text_digest
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import plan
from conspect.verification.regions.provable import SHAPES, ProvableCoverage
from conspect.verification.results import PropertyResult
from conspect.verification.verify import verify
from tests.verification.subjects import model_with_images, plane

TEXT = """\
property held: for all x in focus(east, gamma = 0.5): right > up
property broken: for all x in focus(east, gamma = 4): right > up
property most: for 50% of x in images(east): right > up
property one: for x = image("test/test-0"): predict(x, east)
property cut: for all x in focus(west, gamma = 0.5) where predict(x, west): up > right
property spanned: for all x in focus(east, shape = span, coverage = 50%): predict(x, east) implies right > up
property banded: for all x in focus(east, shape = band, coverage = 50%): hasCon(x, right) or up > right
property outspanned: for all x in focus(east, shape = span, coverage = 90%): up > right
"""
# A size that no float holds.
LONG = "1" + 400 * "0"
END = "held at its largest proved size"


def subject() -> VerificationModel:
    return plane(thresholds={"right": 0.25, "up": 0.5})


def source() -> SpecificationSource:
    return SpecificationSource("f.cspec", text_digest(TEXT.encode()), check_text(TEXT).require())


@pytest.fixture(scope="module")
def results() -> list[PropertyResult]:
    return verify(source().tree, subject(), file="f.cspec")


@pytest.fixture(scope="module")
def wanted() -> dict[str, ExpectedClaim]:
    expected, open_ones = Expectation(subject(), VerifyOptions()).verdicts(source())
    assert open_ones == []
    return {entry.name: entry for entry in expected}


def test_every_claim_of_verification_is_expected_with_all_that_it_says(
    results: list[PropertyResult], wanted: dict[str, ExpectedClaim]
) -> None:
    claims = {claim.name: claim for result in results for claim in result.claims}
    assert claims.keys() <= wanted.keys()
    assert len(claims) == 8 + 6
    parts = set()
    for name, claim in claims.items():
        said = plain(claim.fields())
        fields = wanted[name].fields(said)
        assert fields is not None
        rebuilt = plain(fields)
        assert {key: value for key, value in rebuilt.items() if key not in OWN} == {
            key: value for key, value in said.items() if key not in OWN
        }
        parts.add(said.get("part"))
        known = wanted[name].reached()
        assert (known is not None) == isinstance(claim, RegionClaim)
        assert known is None or known.verdict == claim.verdict
    assert parts == {None, "whole", "conclusion"}
    ends = {
        name: (entry.required, entry.outward, entry.verdicts) for name, entry in wanted.items() if " at its" in name
    }
    assert len(ends) == 6
    for name, entry in ends.items():
        assert entry == ((False, 1, ("holds",)) if "largest" in name else (False, -1, ("violated",)))
    plainly = {name: (wanted[name].required, wanted[name].outward) for name in claims if " at its" not in name}
    assert set(plainly.values()) == {(True, 0)}
    assert wanted["held"].verdicts == ("holds", "violated", "unknown")
    assert wanted["most"].verdicts is None


def test_a_conclusion_is_expected_only_where_there_is_one(wanted: dict[str, ExpectedClaim]) -> None:
    size = {"size": "1", "part": "conclusion"}
    assert wanted["spanned"].fields(dict(size)) is not None
    assert wanted["outspanned"].fields(dict(size)) is None
    assert wanted["outspanned"].fields({"size": "1", "part": "whole"}) is not None


def test_the_certificate_of_a_study_differs_in_nothing(results: list[PropertyResult], wanted: Any) -> None:
    claims = [claim for result in results for claim in result.claims]
    body: Any = json.loads(json.dumps(bundle(subject(), claims, {"f.cspec": source().digest})))
    comparison = Comparison(subject(), [(source(), list(wanted.values()))])
    assert comparison.differences(body) == []
    dropped: Any = body | {"claims": [claim for claim in body["claims"] if claim["name"] != "most"]}
    assert comparison.differences(dropped) == ["most: nothing is claimed of it"]
    twice: Any = body | {"sources": {"f.cspec": source().digest, "g.cspec": "0"}}
    assert comparison.differences(twice) == ["the certificate also speaks of 'g.cspec', a text that was not given"]
    without: Any = body | {"sources": {}}
    assert comparison.differences(without)[0] == "f.cspec: its text is not among the sources"
    for name, key, value, told in (
        ("held", "statement", "up > right", "held: statement is 'up > right', and should be 'right > up'"),
        ("most", "share", "1/3", "most: share is '1/3', and should be '1/2'"),
        (END, "size", LONG, f"{END}: its size is {repr(LONG)[:120]}..., with which no region can be computed"),
        ("outspanned", "part", "conclusion", "outspanned: its conclusion is claimed alone, and it has none"),
    ):
        changed = json.loads(json.dumps(body))
        next(claim for claim in changed["claims"] if claim["name"] == name)[key] = value
        assert told in comparison.differences(changed)


def test_an_end_falls_short_from_two_ten_thousandths_on(results: list[PropertyResult], wanted: Any) -> None:
    assert Fraction(2, 10**4) == SLACK
    ends = {claim.name: claim for result in results for claim in result.ends}
    for name, sign in (("held at its largest proved size", -1), ("held at its smallest refuted size", 1)):
        claim = ends[name]
        for share, fine in ((Fraction(0), True), (SLACK, True), (SLACK * Fraction(1001, 1000), False)):
            size = claim.region.size * (1 + sign * share)
            moved = plain(replace(claim, region=claim.region.resized(size)).fields())
            told = _between(moved, wanted[name])
            assert (told == []) == fine, (name, share)
            assert fine or told[0].startswith(f"that is {str(size)!r}, and the study reaches ")
    left = plain(replace(next(r for r in results if r.name == "held").claims[0], verdict="unknown").fields())
    assert _between(left, wanted["held"]) == ["it is left open, and the study says holds"]
    wrong = {**plain(ends["held at its largest proved size"].fields()), "verdict": "violated"}
    assert _between(wrong, wanted["held at its largest proved size"]) == [
        "verdict is 'violated', and should be holds",
    ]


def test_what_a_study_decides_again_gets_five_seconds_and_no_second_opinion() -> None:
    assert (SECONDS, PATIENCE) == (5.0, 0.2)
    jobs = [job for job in plan(source().tree, subject(), "f.cspec") if job.name in ("held", "broken")]
    reached = ReachableClaims(subject(), VerifyOptions(), jobs)
    assert {"held", "broken", "held at its largest proved size"} <= reached.by_name.keys()
    missing = reached.claim("nobody")
    assert missing() is None


def test_provable_coverage_is_expected_shape_by_shape_and_boxes_at_their_coverage() -> None:
    model = model_with_images(1)
    text = "property p: for all x in focus(car): predict(x, car) implies (a > b or b > a)\n"
    of = SpecificationSource("g.cspec", text_digest(text.encode()), check_text(text).require())
    expectation = Expectation(model, VerifyOptions())
    expected = {entry.name: entry for entry in expectation.coverage(of, [Fraction(1, 2)])}
    assert list(expected) == [f"p over {shape}" for shape in SHAPES] + ["p at coverage 1/2"] or len(expected) == 5
    jobs = plan(of.tree, model, of.name)
    provable = ProvableCoverage.of(jobs, model, VerifyOptions())
    (proved,) = provable.search(jobs)
    assert {"span", "band"} <= proved.keys()
    asked = []
    for shape, best in proved.items():
        claim = coverage_claim(jobs[0], shape, best, "test")
        said = plain(claim.fields())
        entry = expected[claim.name]
        fields = entry.fields(said)
        assert fields is not None
        assert plain(fields) == said
        assert (entry.required, entry.verdicts) == (False, ("holds",))
        assert said["coverage"] == {"inside": round(best.measured.rate * 20), "images": 20, "split": "test"}
        asked.append(("p", shape, best.region.size, best.premise_dropped))
    guaranteed = list(expectation.guaranteed(of, [*asked, ("q", "span", Fraction(1), False)]))
    assert guaranteed == [*(best.coverage for best in proved.values()), None]


def test_certificates_of_files_with_one_name_have_different_names(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "my.cspec", tmp_path / "b" / "my.cspec"
    names = [certificate_name([first]), certificate_name([second]), certificate_name([first, second])]
    assert len(set(names)) == 3
    assert all(name.startswith("my-") and name.endswith(".json") and len(name) == 3 + 12 + 5 for name in names)
    assert certificate_name([first]) == names[0]
