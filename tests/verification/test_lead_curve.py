"""Provable coverage against the lead: what is asked, who leads, and that more is provable the surer the model is."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from conspect.language import check_text
from conspect.language.syntax.tree import Implies, Predict, Stronger
from conspect.report.verdicts import lead_lines
from conspect.study.proving.records import lead_record
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.queries.planning import plan
from conspect.verification.queries.vocabulary import vocabulary_of
from conspect.verification.regions.leads import lead_curve, with_lead
from conspect.verification.regions.provable import ProvableCoverage
from tests.verification.subjects import model_with_images

MODEL = model_with_images(5, images=150)
PAIRS = [(c, a, b) for c in MODEL.class_names for a in "abcd" for b in "abcd" if a != b]
TEXT = "\n".join(
    f"property p{k}: for all x in focus({c}): predict(x, {c}) implies {a} > {b}" for k, (c, a, b) in enumerate(PAIRS)
)
JOBS = plan(check_text(TEXT, vocabulary_of(MODEL)).require(), MODEL)
LEADS = (Fraction(0), Fraction(5), Fraction(20), Fraction(10_000))


def test_a_lead_becomes_part_of_the_premise() -> None:
    claim = Stronger("a", "b")
    assert with_lead(Implies(Predict("car"), claim), "car", Fraction(4)) == Implies(Predict("car", Fraction(4)), claim)
    own = Implies(Predict("car", Fraction(9)), claim)
    assert with_lead(own, "car", Fraction(4)) == own
    for formula in (claim, Implies(Predict("cat"), claim)):
        assert with_lead(formula, "car", Fraction(4)) == Implies(Predict("car", Fraction(4)), formula)
    assert with_lead(claim, "car", Fraction(0)) == claim


@pytest.mark.parametrize("shape", ["span", "band"])
def test_the_surer_the_model_is_the_more_is_provable(shape) -> None:
    curve = lead_curve(JOBS, MODEL, LEADS, shape)
    proved = ProvableCoverage.of(JOBS, MODEL, VerifyOptions()).search(JOBS, (shape,))
    assert curve[0].coverages == tuple(p[shape].coverage if shape in p else 0 for p in proved)
    for before, after in pairwise(curve):
        assert all(a <= b for a, b in zip(before.coverages, after.coverages, strict=True))
        assert before.leading >= after.leading
    assert curve[0].coverages < curve[-1].coverages
    logits = MODEL.head.logits(np.asarray(MODEL.splits["test"].embeddings, dtype=np.float64))
    labels = MODEL.splits["test"].labels
    own = logits[np.arange(len(labels)), labels]
    logits[np.arange(len(labels)), labels] = -np.inf
    for point in curve:
        assert point.images == len(labels)
        assert point.leading == int((own - logits.max(axis=1) >= float(point.lead)).sum())


def test_the_table_counts_properties_by_what_their_regions_hold() -> None:
    curve = lead_curve(JOBS, MODEL, LEADS[:2])
    records = [lead_record(point) for point in curve]
    for point, record in zip(curve, records, strict=True):
        assert [entry.proved for entry in record.proved] == [
            sum(coverage >= share for coverage in point.coverages) for share in (0.5, 0.9, 0.95)
        ]
    assert f"of {len(JOBS)} properties" in lead_lines(records, "span")
    assert lead_lines([], "span") == "no property here speaks of a class"
    assert lead_curve([], MODEL, LEADS) == []
