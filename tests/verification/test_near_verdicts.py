"""Verdicts about neighbourhoods: what the counts say by an independent test, what a witness is, what is told of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binomtest

from conspect.bench.forging.mutations_near import retied
from conspect.checker import check
from conspect.core.diagnostics import UserError
from conspect.language import check_text
from conspect.report.verdicts import verdict_lines
from conspect.study.proving.records import property_record
from conspect.verification.certificates.writing import bundle, sealed, tie_of, tied
from conspect.verification.images.describing import Describer
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim
from conspect.verification.neighbourhoods.verdicts import NearVerdicts
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import plan
from conspect.verification.queries.vocabulary import vocabulary_of
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.results import PropertyResult
from conspect.verification.verify import verify
from tests.verification.subjects import changed_model, model_with_images

IMAGES = 240


def decided(model: VerificationModel, *properties: str) -> list[PropertyResult]:
    text = "\n".join(f"property p{k}: {statement}" for k, statement in enumerate(properties))
    return verify(check_text(text, vocabulary_of(model)).require(), model, VerifyOptions(nearest=2))


@pytest.fixture(scope="module")
def model() -> VerificationModel:
    return changed_model(3, spread=0.15, images=IMAGES)


def pairs(model: VerificationModel) -> Sequence[str]:
    names = model.concept_names
    return [f"predict(y, car) implies {a} > {b}" for a in names for b in names if a != b]


def test_verdicts_are_what_an_independent_test_of_the_counts_says(model: VerificationModel) -> None:
    """Each alone in its file, so that no correction for several comes in."""
    seen = set()
    for formula in pairs(model):
        for share in ("95%", "70%", "20%"):
            (result,) = decided(model, f"for {share} of x in images(car): for all y near x: {formula}")
            counts = result.neighbourhood
            assert counts is not None
            n, p = counts.images, float(share[:-1]) / 100
            refuted = counts.refuted_by_picture + counts.refuted_by_embedding
            assert n == IMAGES // 3
            assert counts.proved + refuted + counts.unknown == n
            expected = "unknown"
            if binomtest(counts.proved, n, p, "greater").pvalue <= 0.05:
                expected = "holds"
            elif binomtest(n - refuted, n, p, "less").pvalue <= 0.05:
                expected = "violated"
            assert result.verdict.outcome == expected
            seen.add(expected)
    assert seen == {"holds", "violated", "unknown"}


def test_several_properties_of_a_file_are_corrected_together(model: VerificationModel) -> None:
    asked = [f"for 70% of x in images(car): for all y near x: {statement}" for statement in pairs(model)]
    together = decided(model, *asked)
    alone = [decided(model, statement)[0] for statement in asked]
    assert len(together) == len(alone) == 12
    assert all(a.verdict.outcome in (b.verdict.outcome, "unknown") for a, b in zip(together, alone, strict=True))
    assert [a.neighbourhood for a in together] == [b.neighbourhood for b in alone]


def test_a_witness_is_a_changed_picture_before_all_else(model: VerificationModel) -> None:
    results = decided(
        model, *[f"for 100% of x in images(car): for all y near x: {statement}" for statement in pairs(model)]
    )
    pictured = [r for r in results if r.neighbourhood is not None and r.neighbourhood.refuted_by_picture]
    assert pictured
    truth = ExactTruth(model)
    changed = 0
    for result in pictured:
        witness = result.witness
        assert witness is not None
        assert witness.around is not None
        (obligation,) = plan(
            check_text(f"property p: for all x in focus(car): {result.statement.replace('y', 'x')}").require(), model
        )
        assert not truth.at(obligation.formula, witness.embedding)
        assert model.changed is not None
        row = model.splits["test"].ids.index(witness.around)
        if witness.change is None:
            assert witness.image_id == witness.around
            continue
        changed += 1
        which = [picture.words for picture in model.changed.pictures].index(witness.change)
        assert (witness.embedding == model.changed.around("test", row)[which]).all()
        assert witness.image_id is None
        assert f"a real picture: {witness.around}, {witness.change}" in verdict_lines(property_record(result))
    assert changed


def test_one_image_is_proved_or_refuted_by_itself(model: VerificationModel) -> None:
    rows = np.flatnonzero(model.splits["test"].labels == 0)[:8].tolist()
    assert len(rows) > 0
    for row in rows:
        name = model.splits["test"].ids[row]
        results = decided(
            model,
            f'for all y near image("{name}"): predict(y, car)',
            f'for x = image("{name}"): for all y near x (share = 50%): predict(y, car)',
            f'for all y near image("test/{name}"): not predict(y, car)',
        )
        assert results[0].kind == "near"
        assert results[1].verdict.outcome == "holds" or results[0].verdict.outcome != "holds"
        assert results[2].verdict.outcome == "violated"
        witness = results[2].witness
        assert witness is not None
        assert witness.around == name


def test_the_record_says_everything_and_its_counts_are_certified(model: VerificationModel) -> None:
    (result,) = decided(
        model, "for 20% of x in images(car): for all y near x (changes = shift, share = 80%): a > b or b > a"
    )
    record = property_record(result)
    counts = record.neighbourhood
    assert counts is not None
    assert (counts.changes, counts.share, counts.certified) == ("shift", 0.8, True)
    assert list(counts.by_change) == ["shift"]
    assert result.claim is not None
    assert record.certificate == tied(result.claim.fields(), tie_of(model))


def test_the_checker_counts_again_what_was_proved_and_refuted(model: VerificationModel) -> None:
    results = decided(
        model,
        *(f"for 50% of x in images(car): for all y near x: {formula}" for formula in pairs(model)),
        "for 50% of x in images(): for all y near x (share = 50%): not hasCon(y, a) or hasCon(y, b)",
        "for 50% of x in images(car): for all y near x: predict(y, car, lead = 1/2) implies (a > b or c > d)",
        'for all y near image("test/test0"): predict(y, car)',
        'for all y near image("test/test1"): a > b',
    )
    claims = [claim for result in results for claim in result.claims]
    assert len(claims) == len(results)
    body = json.loads(json.dumps(bundle(model, claims)))
    accepted = check.check_data(sealed(body))
    assert [claim.verdict for claim in accepted] == [claim.verdict for claim in claims]
    assert len({claim.verdict for claim in accepted}) >= 2
    assert sum(len(claim["refutations"]) for claim in body["claims"]) > 0
    assert len(body["regions"]) < len(body["claims"])
    for number, (claim, result) in enumerate(zip(body["claims"], results, strict=True)):
        assert result.neighbourhood is not None
        assert (claim["proved"], claim["trials"]) == (result.neighbourhood.proved, result.neighbourhood.images)
        forged = copy.deepcopy(body)
        forged["claims"][number]["proved"] += 1
        with pytest.raises(check.Refused):
            check.check_data(sealed(retied(forged)))


def test_a_property_whose_premise_never_holds_is_called_vacuous(model: VerificationModel) -> None:
    (result,) = decided(
        model, "for 50% of x in images(car): for all y near x (share = 50%): predict(y, car, lead = 1000) implies a > b"
    )
    assert result.verdict.outcome == "holds"
    assert result.vacuous


def test_the_claim_carries_what_a_checker_needs(model: VerificationModel) -> None:
    """From the claim alone, in fractions: every image called proved is, at every case of the tree."""
    options = VerifyOptions()
    text = "property p: for 50% of x in images(): for all y near x: predict(y, car) implies b > a"
    jobs = plan(check_text(text).require(), model)
    verdicts = NearVerdicts(model, options, FocusRegions(model, options), Describer(model, 2))
    claim = verdicts.decide(jobs)[0].claim
    assert isinstance(claim, NeighbourhoodClaim)
    assert len(claim.image_ids) == len(claim.centres) == len(claim.proved) == len(claim.embeddings)
    space = verdicts.neighbourhoods.space(claim.reads)
    assert np.abs(space.readouts(claim.embeddings) - claim.centres.floats).max() <= 2.0**-claim.centres.shift
    assert claim.tree.which is None
    assert 0 < claim.proved.sum() < len(claim.proved)
    assert not claim.proved[list(claim.refuted)].any()
    factor = [[Fraction(float(entry)) for entry in row] for row in claim.factor]
    for row, proved in enumerate(claim.proved.tolist()):
        centre = [Fraction(int(entry), 2**claim.centres.shift) for entry in claim.centres.integers[row]]
        closes = [_closes(multipliers, centre, factor, claim.radius) for multipliers in claim.tree.alternatives]
        assert any(closes) == proved


def _closes(
    multipliers: Sequence[tuple[int, int]], centre: list[Fraction], factor: list[list[Fraction]], radius: Fraction
) -> bool:
    """By hand: the denied formula says that car leads truck and cat, and that b - a is not positive; v are the readouts
    truck - car, cat - car, b - a, c - a, d - a."""
    weights = dict(multipliers)
    slope = [-Fraction(weights.get(k, 0)) for k in (0, 1, 2)] + [Fraction(0), Fraction(0)]
    value = sum(a * b for a, b in zip(slope, centre, strict=True))
    across = [sum(slope[k] * factor[k][column] for k in range(5)) for column in range(5)]
    square = sum(entry * entry for entry in across)
    return value < 0 and radius * radius * square < value * value


def test_without_changed_pictures_it_is_an_error_and_with_too_few_images_it_stays_open_by_itself() -> None:
    text = "property p: for 50% of x in images(car): for all y near x: a > b"
    bare = model_with_images(0)
    with pytest.raises(UserError, match="VERIFY014"):
        verify(check_text(text).require(), bare)
    others = 'property q: for x = image("test/test0"): predict(x, car) or not predict(x, car)'
    few, other = verify(check_text(f"{text}\n{others}").require(), changed_model(0, images=6))
    assert few.verdict.outcome == "unknown"
    assert "6 images cannot show" in few.verdict.reason
    assert other.verdict.outcome == "holds"


@pytest.mark.parametrize(
    ("quantifier", "code"),
    [
        ('for x = image("test/nobody")', "VERIFY007"),
        ('for all y near image("nobody")', "VERIFY007"),
        ('for 50% of x in images(car, split = "nowhere")', "VERIFY007"),
        ("for 50% of x in images(car): for all y near x (changes = fog)", "VERIFY014"),
        ("for all x in focus(car, shape = span) where predict(x, car)", "VERIFY010"),
    ],
)
def test_what_one_property_asks_in_vain_is_told_with_its_name_and_line(quantifier: str, code: str) -> None:
    variable = "y" if "near" in quantifier else "x"
    text = f"property fine: for all x in focus(car): a > b\n\nproperty odd: {quantifier}: predict({variable}, car)"
    with pytest.raises(UserError) as raised:
        verify(check_text(text).require(), changed_model(0), file="f.cspec")
    (told,) = raised.value.diagnostics
    assert told.code == code
    assert told.problem.startswith("property 'odd': ")
    assert (str(told.place), bool(told.fix)) == ("f.cspec:3", True)
