"""The facade: verdicts, margins, sizes, rates and records of small cases that can be solved by hand."""

from fractions import Fraction

import numpy as np
import pytest

from conspect.checker import check
from conspect.core.diagnostics import UserError
from conspect.core.spaces import Head
from conspect.language import parse
from conspect.study.proving.records import property_record
from conspect.verification.certificates.writing import bundle, write_bundle
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.verify import verify
from tests.records import plain

from .subjects import plane

EAST = "property p: for all x in focus(east, gamma = {gamma}): {formula}\n"


def decide(text, subject=None, **options):
    return verify(parse(text), subject or plane(), VerifyOptions(**options))


def test_the_largest_gamma_of_a_strength_predicate_is_its_closed_form():
    subject = plane()
    (result,) = decide(EAST.format(gamma="0.5", formula="right > up"), subject)
    region = result.region
    expected = (region.centre[0] - region.centre[1]) / region.factor.sum()
    assert result.verdict.outcome == "holds"
    assert result.margin == pytest.approx(region.centre[0] - region.centre[1] - 0.5 * region.factor.sum())
    assert result.gamma_max.low <= expected <= result.gamma_max.high
    assert result.gamma_max.high - result.gamma_max.low < 2e-4 * expected


def test_beyond_the_largest_gamma_the_witness_is_in_the_region_and_breaks_the_property():
    (result,) = decide(EAST.format(gamma="3", formula="right > up"))
    assert result.verdict.outcome == "violated"
    witness = result.witness.embedding
    assert witness[0] <= witness[1]
    assert (np.abs(witness - result.region.centre) <= 3 * result.region.factor).all()
    assert result.witness.predicted in ("east", "west")
    assert [near.distance for near in result.witness.nearest] == sorted(n.distance for n in result.witness.nearest)
    assert result.margin <= 0


def test_the_curve_agrees_with_the_verdict_at_each_gamma():
    (result,) = decide(EAST.format(gamma="0.5", formula="right > up"), curve_gammas=(Fraction(1, 2), Fraction(3)))
    assert [point.verdict.outcome for point in result.curve] == ["holds", "violated"]
    assert result.curve[0].margin == pytest.approx(result.margin)
    assert result.curve[1].margin < 0
    assert result.curve[0].coverage < result.curve[1].coverage


def test_an_implication_can_hold_because_its_condition_never_does():
    (result,) = decide(EAST.format(gamma="0.5", formula="predict(x, west) implies up > right"))
    assert result.verdict.outcome == "holds"


def test_a_cut_leaves_out_what_the_head_assigns_elsewhere():
    (whole,) = decide("property p: for all x in focus(east, gamma = 8): predict(x, east)\n")
    (cut,) = decide("property p: for all x in focus(east, gamma = 8) where predict(x, east): predict(x, east)\n")
    assert whole.verdict.outcome == "violated"
    assert cut.verdict.outcome == "holds"
    assert any("head assigns to east" in caveat for caveat in cut.caveats)


def test_a_tie_satisfies_neither_direction():
    (both,) = decide(EAST.format(gamma="8", formula="right > up or up > right"))
    assert both.verdict.outcome == "violated"
    (never,) = decide(EAST.format(gamma="8", formula="not (right > up and up > right)"))
    assert never.verdict.outcome == "holds"
    assert never.gamma_max.high is None


@pytest.mark.parametrize("shape", ["box", "ellipsoid", "pca-box"])
def test_every_shape_gives_a_certificate_that_the_checker_accepts(shape, tmp_path):
    subject = plane(thresholds={"right": 0.5, "up": -0.25})
    text = "".join(
        f"property p{k}: for all x in focus({c}, gamma = {g}, shape = {shape}): {f}\n"
        for k, (c, g, f) in enumerate(
            (c, g, f)
            for c in ("east", "west")
            for g in ("0.5", "4")
            for f in ("predict(x, east) implies right > up", "hasCon(x, right)", "not hasCon(x, right) iff up > right")
        )
    )
    results = decide(text, subject, search_gamma=False)
    assert {result.verdict.outcome for result in results} >= {"holds", "violated"}
    write_bundle(tmp_path / "c.json", bundle(subject, [result.claim for result in results]))
    claims = check.check_file(tmp_path / "c.json")
    assert [(c.name, c.verdict) for c in claims] == [(r.name, r.verdict.outcome) for r in results]


def test_a_head_with_a_relu_layer_is_decided_by_splitting():
    # logits (|z0|, 0.5): east wins exactly where |z0| > 0.5.
    head = Head((plane().head.layers[0], plane().head.layers[0]))
    weight, offset = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([0.0, 0.5])
    head = Head((head.layers[0], type(head.layers[0])(weight, offset)))
    subject = plane(head=head)
    (near,) = decide(EAST.format(gamma="0.5", formula="predict(x, east)"), subject)
    (far,) = decide(EAST.format(gamma="5", formula="predict(x, east)"), subject)
    assert near.verdict.outcome == "holds"
    assert far.verdict.outcome == "violated"
    assert abs(far.witness.embedding[0]) <= 0.5
    assert far.decided_by == "bounds and splits"


def test_another_kind_of_head_is_refused_by_name_before_any_work():
    class Attention:
        classes = 2

    subject = plane(head=Attention())  # type: ignore[arg-type]
    with pytest.raises(UserError, match="Attention"):
        decide(EAST.format(gamma="1", formula="right > up"), subject)


def test_a_share_of_images_is_decided_by_an_exact_test_and_left_open_near_the_share():
    text = "".join(f"property p{k}: for {p}% of x in images(east): right > up\n" for k, p in enumerate((50, 90, 99)))
    results = decide(text)
    rate = results[0].satisfaction.rate
    assert results[0].verdict.outcome == "holds"
    assert results[2].verdict.outcome == ("violated" if rate < 0.9 else "unknown")
    assert all(r.satisfaction.low <= rate <= r.satisfaction.high for r in results)


def test_one_image_is_decided_by_evaluation():
    text = (
        'property p: for x = image("test/test-0"): right > up\nproperty q: for x = image("test/test-0"): up > right\n'
    )
    first, second = decide(text)
    assert {first.verdict.outcome, second.verdict.outcome} == {"holds", "violated"}
    violated = first if first.verdict.outcome == "violated" else second
    assert violated.witness.image_id == "test/test-0"


def test_a_region_without_real_embeddings_says_so_first():
    (result,) = decide(EAST.format(gamma="0.001", formula="right > up"))
    assert result.caveats[0].startswith("This region contains 0.00%")
    (wide,) = decide(EAST.format(gamma="8", formula="right > up"))
    assert not any("almost nothing" in caveat for caveat in wide.caveats)


def test_a_wanted_coverage_sizes_the_region_and_the_coverage_is_measured_elsewhere():
    (result,) = decide("property p: for all x in focus(east, coverage = 90%): right > up\n")
    assert "split val" in result.region.provenance
    assert 0.75 <= result.coverage.rate <= 1
    assert result.coverage.low <= result.coverage.rate <= result.coverage.high


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("property p: for all x in focus(north): right > up\n", "VERIFY001"),
        ("property p: for all x in focus(east): right > down\n", "VERIFY002"),
        ("property p: right > up\n", "VERIFY004"),
        ("property p: for all x in focus(east): hasCon(x, up)\n", "VERIFY005"),
        ('property p: for 90% of x in images(east, split = "nowhere"): right > up\n', "VERIFY007"),
        ('property p: for x = image("nowhere"): right > up\n', "VERIFY007"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_its_code(text, code):
    with pytest.raises(UserError) as caught:
        decide(text)
    assert caught.value.diagnostics[0].code == code


def test_a_bare_implication_is_about_the_class_it_predicts():
    (result,) = decide("property p: predict(x, east) => >(x, right, up)\n")
    assert result.class_name == "east"


def test_modules_speak_of_their_class_and_repeated_names_stay_apart():
    text = "class east\ncon right\ncon up\nnetwork n\nrep r\nModule m (n, east, r) {\n"
    results = decide(text + " E e1 ::> >(east, right, up)\n E e1 ::> predict(east)\n}\n")
    assert [r.name for r in results] == ["m.e1#1", "m.e1#2"]


def test_a_json_record_has_the_promised_keys():
    (result,) = decide(EAST.format(gamma="3", formula="right > up"))
    record = plain(property_record(result))
    promised = [
        "id",
        "verdict",
        "margin",
        "gamma_max",
        "coverage",
        "satisfaction",
        "witness",
        "certificate",
        "caveats",
        "seconds",
    ]
    assert set(promised) <= set(record)
    assert set(record["satisfaction"]) == {"rate", "low", "high", "n"}


def test_a_threshold_that_is_not_a_number_is_no_threshold():
    with pytest.raises(UserError) as caught:
        decide(EAST.format(gamma="1", formula="hasCon(x, right)"), plane(thresholds={"right": float("nan")}))
    assert caught.value.diagnostics[0].code == "VERIFY005"
