"""Extents: how far a concept may change in an image before the output or a property does, exactly."""

import base64
import hashlib
import json
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

import conspect.study
from conspect.bench.forging.mutations_near import retied
from conspect.bench.workloads.random_properties import make_job, random_formula, subject_with_images
from conspect.checker import check
from conspect.cli.certificate import certificate
from conspect.cli.verify import verify
from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap, Head
from conspect.language.meaning.exact import holds_exactly
from conspect.language.syntax.tree import HasConcept, Implies, Not, Predict, Stronger
from conspect.verification.certificates.claims import ExtentClaim
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.extents.classes import class_extents
from conspect.verification.extents.search import LIMIT, ExtentSearch
from conspect.verification.images.exact_truth import ExactTruth
from tests.verification.subjects import plane


def extent(subject, formula, point, concept):
    search = ExtentSearch(subject)
    table = make_job(subject, formula, "p").table
    return search.extent(table, search.ray(np.array(point), search.direction(concept), [table]))


def test_the_output_changes_where_the_logits_meet():
    # East is said where z0 > 0, and `right` is z0 itself: from (2, 1) it may fall by less than 2 and rise for ever.
    reach = extent(plane(), Predict("east"), [2.0, 1.0], "right")
    assert reach.before == -2
    assert -2 < reach.low < -2 + Fraction(1, 10**12)
    assert (reach.high, reach.after) == (LIMIT, None)
    # `up` moves along the border and changes nothing.
    along = extent(plane(), Predict("east"), [2.0, 1.0], "up")
    assert (along.low, along.high) == (-LIMIT, LIMIT)


def test_a_property_has_an_extent_of_its_own_and_a_false_one_keeps_being_false():
    reach = extent(plane(), Stronger("right", "up"), [2.0, 1.0], "up")
    assert reach.after == 1
    assert reach.low == -LIMIT
    false = extent(plane(), Stronger("up", "right"), [2.0, 1.0], "up")
    assert false.table[-1] == ("not", 0)
    # At the tie itself neither is stronger: it becomes true just beyond.
    assert 1 < false.after < 1 + Fraction(1, 10**12)


def test_a_lead_is_lost_before_the_output():
    reach = extent(plane(), Predict("east", Fraction(3)), [2.0, 1.0], "right")
    assert -Fraction(1, 2) - Fraction(1, 10**12) < reach.before < -Fraction(1, 2)


def test_an_image_at_a_tie_has_no_extent():
    assert extent(plane(), Not(Stronger("right", "up")), [1.0, 1.0], "right") is None


@given(st.integers(0, 10**6))
def test_between_the_ends_nothing_changes_and_just_outside_something_does(seed):
    generator = np.random.default_rng(seed)
    subject = subject_with_images(generator, images=12)
    formula = random_formula(generator, subject, 2, has_concept=False)
    embedding = np.asarray(subject.splits["test"].embeddings[0], dtype=np.float64)
    reach = extent(subject, formula, embedding, "k1")
    if reach is None:
        return
    table, direction = make_job(subject, formula, "p").table, reach.segment.factor[:, 0]
    value = reach.table == table
    exact = ExactTruth(subject)

    def true_at(w):
        # Fractions over a power of two are moved exactly, so floats that round are compared at nearby places alone.
        moved = [Fraction(float(z)) + w * Fraction(float(f)) for z, f in zip(embedding, direction, strict=True)]
        logits = [
            sum((Fraction(a) * m for a, m in zip(row, moved, strict=True)), Fraction(o))
            for row, o in zip(
                subject.head.layers[0].weight.tolist(), subject.head.layers[0].offset.tolist(), strict=True
            )
        ]
        y = [
            sum((Fraction(a) * m for a, m in zip(row, moved, strict=True)), Fraction(o))
            for row, o in zip(
                subject.lens.alignment.weight.tolist(), subject.lens.alignment.offset.tolist(), strict=True
            )
        ]
        strengths = [
            sum(Fraction(q) * v for q, v in zip(row, y, strict=True)) for row in subject.lens.directions.tolist()
        ]
        reading = exact.point(embedding, table).reading(table, (subject.class_names, subject.concept_names))
        fields = {"logits": tuple(logits), "numerators": tuple(strengths)}
        return holds_exactly(
            formula, type(reading)(**{**{k: getattr(reading, k) for k in reading.__slots__}, **fields})
        )

    for share in range(6):
        assert true_at(reach.low + (reach.high - reach.low) * Fraction(share, 5)) == value
    for outside in (reach.before, reach.after):
        assert outside is None or true_at(outside) != value


def test_what_has_no_closed_form_is_refused_by_name():
    relu = Head((AffineMap(np.eye(2), np.zeros(2)), AffineMap(np.eye(2), np.zeros(2))))
    with pytest.raises(UserError, match="VERIFY015"):
        ExtentSearch(plane(head=relu))
    with pytest.raises(UserError, match="hasCon"):
        extent(plane(thresholds={"right": 0.25}), HasConcept("right"), [2.0, 1.0], "up")
    assert extent(plane(thresholds={"right": 0.0}), HasConcept("right"), [2.0, 1.0], "right").before == -2


@pytest.fixture
def body():
    subject = plane()
    formula = Implies(Predict("east"), Stronger("right", "up"))
    job = make_job(subject, formula, "p")
    reach = extent(subject, formula, [2.0, 1.0], "up")
    claim = ExtentClaim("p", "", job.statement, reach.table, "holds", "test", "test-0", 1, reach)
    return json.loads(json.dumps(bundle(subject, [claim])))


def test_the_checker_accepts_an_extent_and_says_what_it_is(body):
    (claim,) = check.check_data(sealed(body))
    assert 'for x = image("test-0") of test, its up changed along its gradient by ' in claim.statement
    assert "by -64.0000 (at least) to 0.9999 (false by 1.0000): " in claim.statement


def test_places_where_it_ends_are_rounded_outwards_and_ends_inwards():
    assert check.decimal(Fraction(-1, 3)) == "-0.3333"
    assert check.decimal(Fraction(-1, 3), away=True) == "-0.3334"
    assert check.decimal(Fraction(1, 4), away=True) == "0.2500"


def along(body, step, **changes):
    """The certificate with another direction, whose digest is made good."""
    raw = np.array(step, dtype="<f8").tobytes()
    body["regions"][0]["factor"] = base64.b64encode(raw).decode()
    body["claims"][0].update({"direction": hashlib.sha256(raw).hexdigest()} | changes)
    return sealed(retied(body))


# `up` is z1 itself, with the gradient (0, 1).
@pytest.mark.parametrize("step", [(0, 0), (0, 1 / 64), (0, 2), (0, -1), (1, 1), (1e-6, 1), (0, 1 + 1e-9), (1, 0)])
def test_a_direction_that_is_not_that_of_the_concept_is_refused(body, step):
    changes = {"low": "0", "high": "0", "before": None, "after": None}
    assert check.check_data(along(body, (0, 1), **changes))
    with pytest.raises(check.Refused, match="direction is not that in which"):
        check.check_data(along(body, step, **changes))
    with pytest.raises(check.Refused, match="direction is not that in which"):
        check.check_data(along(body, (0, 1), concept=0, **changes))


@given(st.integers(0, 10**6))
def test_the_direction_of_any_lens_passes_the_checker_and_its_ends_are_sharp(seed):
    generator = np.random.default_rng(seed)
    subject = subject_with_images(generator, images=12)
    formula = random_formula(generator, subject, 2, has_concept=False)
    row = int(generator.integers(12))
    reach = extent(subject, formula, np.asarray(subject.splits["test"].embeddings[row], dtype=np.float64), "k1")
    assume(reach is not None)  # Hypothesis fails where it hardly ever is
    assert reach is not None
    claim = ExtentClaim("p", "", "s", reach.table, "holds", "test", str(row), 1, reach)
    (accepted,) = check.check_data(sealed(bundle(subject, [claim])))
    assert ("(at least)" in accepted.statement) == (reach.before is None or reach.after is None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"high": "1", "after": None}, "prove nothing"),
        ({"high": "1/2", "after": "3/4"}, "changes nothing"),
        ({"after": "1/2"}, "not beyond"),
        ({"after": "1001/1000"}, "not just beyond"),
        ({"after": "1000000000"}, "not just beyond"),
        ({"low": "1/4"}, "outside its own extent"),
        ({"verdict": "violated"}, "what holds along it"),
        ({"embedding": "0" * 64}, "another one"),
        ({"concept": 7}, "concept"),
        ({"formula": [["stronger", 1, 0]]}, "a literal"),
    ],
)
def test_the_checker_refuses_an_extent_that_is_not_so(body, changes, reason):
    body["claims"][0].update(changes)
    with pytest.raises(check.Refused, match=reason):
        check.check_data(sealed(retied(body)))


def test_the_class_s_curve_counts_the_images_that_stand_a_change():
    subject = plane()
    output, own = class_extents([make_job(subject, Stronger("right", "up"), "p")], subject, "right")
    assert (output.of, own.of, output.images) == ("output", "p", 50)
    values = subject.splits["test"].embeddings[:50, 0]
    for step in output.curve:
        assert step.share == pytest.approx((np.abs(values) > step.change).mean())
    assert [s.share for s in own.curve] == sorted((s.share for s in own.curve), reverse=True)


def test_extents_are_printed_and_their_certificate_is_that_of_the_study(tmp_path, monkeypatch):
    (tmp_path / "my.cspec").write_text("property p: for all x in focus(east): right > up\n")
    opened = SimpleNamespace(
        folder=tmp_path,
        verification_subject=lambda bar=None: plane(),
        config=SimpleNamespace(properties=SimpleNamespace(files=("my.cspec",)), neighbourhoods=None),
    )
    monkeypatch.setattr(conspect.study.Study, "open", classmethod(lambda cls, folder: opened))
    run = [
        str(tmp_path / "my.cspec"),
        "--study",
        str(tmp_path),
        "--extent",
        "up",
        "--certificate",
        str(tmp_path / "c.json"),
    ]
    done = CliRunner().invoke(verify, run)
    assert done.exit_code == 0, done.output
    assert "EXTENT   p of east: up, 50 images" in done.output
    told = json.loads(CliRunner().invoke(verify, [*run, "--json"]).output)["extents"]
    assert [entry["of"] for entry in told] == ["output", "p"]
    asked = ["check", str(tmp_path / "c.json"), "--study", str(tmp_path), "--extent", "up"]
    assert CliRunner().invoke(certificate, asked).exit_code == 0
    assert CliRunner().invoke(certificate, [*asked[:-1], "right"]).exit_code == 1
    body = json.loads((tmp_path / "c.json").read_bytes())
    del body["seal"]
    body["claims"].pop()
    (tmp_path / "c.json").write_bytes(sealed(body))
    done = CliRunner().invoke(certificate, asked)
    assert done.exit_code == 1
    assert "nothing is claimed" in done.output
