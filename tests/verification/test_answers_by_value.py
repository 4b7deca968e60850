"""What is said beside a verdict, by value: coverage, caveats, witnesses and their neighbours, shares around images."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, norm

from conspect.core.diagnostics import UserError
from conspect.core.regions import Box
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.core.verdicts import HOLDS, VIOLATED
from conspect.language import check_text, parse
from conspect.language.syntax.tree import (
    And,
    Focus,
    Formula,
    HasConcept,
    Iff,
    Implies,
    Not,
    Predict,
    Stronger,
)
from conspect.verification.certificates.binding import Comparison, _about_sizes, _short, _size
from conspect.verification.certificates.writing import thresholds_of, tie_of
from conspect.verification.engine.prover import Proof
from conspect.verification.engine.rounding import DOUBLE
from conspect.verification.engine.steps import Close, Open
from conspect.verification.extents.classes import _curve, class_extents, extent_name
from conspect.verification.images.describing import NEIGHBOURS, Describer
from conspect.verification.images.exact_truth import ExactTruth, SplitReadouts
from conspect.verification.measures import Rate
from conspect.verification.neighbourhoods.around import NONE, UNCHANGED, Around
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.ellipsoid import ChangeEllipsoid
from conspect.verification.neighbourhoods.extents import Extents
from conspect.verification.neighbourhoods.learning import MeasuredShare, Neighbourhood, kinds_near
from conspect.verification.neighbourhoods.proving import ProofCase
from conspect.verification.neighbourhoods.verdicts import refuting
from conspect.verification.queries.changed import PictureName
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, plan
from conspect.verification.regions.focus import LARGEST, RARE, FocusRegions, caveats_of, rarity, rate
from conspect.verification.regions.readout_regions import ClassRegion, SizedSplit
from conspect.verification.regions.readout_verdicts import Attempt, ReadoutVerdict
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm
from conspect.verification.regions.shapes import Band, SpanEllipsoid
from conspect.verification.verify import Verification, verify
from tests.verification.subjects import plane


def interval(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """Clopper and Pearson's, by quantiles of the beta distribution."""
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return low, high


# ---------------------------------------------------------------- coverage


def test_a_rate_is_a_share_with_its_exact_interval() -> None:
    for successes, trials in ((0, 7), (3, 4), (5, 5)):
        whole = rate(successes, trials, 0.9)
        assert (whole.rate, whole.n) == (successes / trials, trials)
        assert (whole.low, whole.high) == pytest.approx(interval(successes, trials, 0.9), abs=1e-9)
    assert rate(0, 0, 0.9) == Rate(0.0, 0.0, 1.0, 0)


def test_a_region_with_fewer_than_one_in_a_hundred_images_is_called_all_but_empty() -> None:
    assert RARE == 0.01
    assert rarity(Rate(0.01, 0.0, 0.02, 200)) is None
    assert rarity(Rate(0.0, 0.0, 1.0, 0)) is None
    assert rarity(Rate(0.005, 0.0, 0.0275, 1)) == (
        "This region contains 0.50% of the 1 held-out embeddings of the class (at most 2.75%): the verdict says almost "
        "nothing about real images."
    )


def test_caveats_of_a_region_begin_with_its_emptiness() -> None:
    full, empty = Rate(0.5, 0.4, 0.6, 100), Rate(0.0, 0.0, 0.03, 100)
    subject, focus = plane(), Focus("east")
    assert caveats_of(subject, full, [], focus) == ()
    assert caveats_of(subject, empty, ["more"], replace(focus, cut=True)) == (
        rarity(empty),
        "more",
        "claimed only for embeddings that the head assigns to east",
    )
    shaped = "coverage and satisfaction are measured on images that also shaped the region"
    for split in ("train", "val"):
        assert caveats_of(replace(subject, measure_split=split), full, ["more"], focus) == ("more", shaped)


def test_the_images_of_a_region_are_those_within_its_size_that_pass_its_cut() -> None:
    subject = plane()
    regions = FocusRegions(subject, VerifyOptions())
    focus, split = Focus("east"), subject.splits["test"]
    region = regions.estimated("east", "box")
    own = split.embeddings[np.asarray(split.labels) == 0]
    sizes = np.abs((own - region.centre) / region.factor).max(axis=1)
    measured, passed = regions.measure(focus, region)
    assert measured.tolist() == sizes.tolist()
    assert passed.all()
    for size in (sizes.min(), np.median(sizes), sizes.max()):
        at = region.resized(Fraction(float(size)))
        assert regions.covered(focus, at) == (int((sizes <= size).sum()), len(own), "test")
    cut = replace(region, cut=1, size=Fraction(9))
    said_west = own[:, 0] < 0
    assert regions.covered(focus, cut)[0] == int(said_west.sum())
    assert regions.measure(focus, cut)[1].tolist() == said_west.tolist()
    assert regions.members("test", "west").tolist() == [label == 1 for label in split.labels]
    assert regions.members("test", None).all()
    assert regions.predicted("test").tolist() == [0 if x > 0 else 1 for x in split.embeddings[:, 0]]


def test_a_region_is_estimated_on_what_the_model_gets_right_or_on_all() -> None:
    subject = plane()
    east = np.array([[1.0, 0.0], [2.0, 4.0], [3.0, 2.0], [-2.0, 2.0], [-1.0, 0.0]])
    labels = np.array([0, 0, 0, 0, 1])
    subject = replace(subject, splits={**subject.splits, "train": EmbeddingSplit(east, labels, tuple("abcde"))})
    right, every = (FocusRegions(subject, VerifyOptions(estimate_from=which)) for which in ("correct", "all"))
    rows, note = right.estimation_rows("east")
    assert (rows.tolist(), note) == (
        [True, True, True, False, False],
        "estimated on 3 correctly classified embeddings of east in split train",
    )
    rows, note = every.estimation_rows("east")
    assert (rows.tolist(), note) == (
        [True, True, True, True, False],
        "estimated on 4 all embeddings of east in split train",
    )
    assert right.estimated("east", "box").centre.tolist() == [2.0, 2.0]
    assert every.estimated("east", "box").centre.tolist() == [1.0, 2.0]
    with pytest.raises(UserError, match="has 1 correctly classified embeddings of class 'west'; a region needs two"):
        right.estimation_rows("west")
    two = replace(subject.splits["train"], labels=np.array([0, 1, 1, 1, 0]))
    pair = FocusRegions(replace(subject, splits={**subject.splits, "train": two}), VerifyOptions(estimate_from="all"))
    assert pair.estimation_rows("east")[0].tolist() == [True, False, False, False, True]


def test_a_size_is_the_property_s_then_the_caller_s_then_two_fifths() -> None:
    subject = plane()

    def size(focus: Focus, **options: Any) -> Fraction:
        return FocusRegions(subject, VerifyOptions(**options)).region(focus).size

    assert size(Focus("east")) == Fraction(2, 5)
    assert size(Focus("east"), gamma=Fraction(3)) == 3
    assert size(Focus("east", gamma=Fraction(0)), gamma=Fraction(3)) == 0
    assert size(Focus("east", gamma=Fraction(2)), coverage=Fraction(1, 2)) == 2
    covering = size(Focus("east"), coverage=Fraction(1, 2))
    assert covering == size(Focus("east", coverage=Fraction(1, 2)))
    region = FocusRegions(subject, VerifyOptions()).estimated("east", "box")
    split = subject.splits["val"]
    sizes = np.sort(region.sizes(split.embeddings[np.asarray(split.labels) == 0]))
    assert len(sizes) == 67
    assert sizes[33] <= float(covering) <= sizes[33] * (1 + 1e-12)  # the 34th of 67 + 1
    largest = Fraction(LARGEST)
    assert size(Focus("east", gamma=largest)) == largest == Fraction(1e100)
    with pytest.raises(UserError, match="write a size up to 1e"):
        size(Focus("east", gamma=largest + 1))
    with pytest.raises(UserError, match=r"67 embeddings of 'east' in split 'val' cannot show a coverage of 99\.0%"):
        size(Focus("east", coverage=Fraction(99, 100)))
    assert FocusRegions(subject, VerifyOptions()).region(Focus("east", cut=True)).cut == 0
    assert FocusRegions(subject, VerifyOptions()).region(Focus("west", cut=True)).cut == 1
    assert FocusRegions(subject, VerifyOptions()).region(Focus("west")).cut is None


def test_intervals_of_a_file_hold_together_and_single_images_have_none() -> None:
    text = (
        "property p: for all x in focus(east): right > up\n"
        "property q: for 50% of x in images(east): right > up\n"
        'property r: for x = image("test/test-0"): right > up\n'
    )
    p, q, r = verify(parse(text), plane(), VerifyOptions(confidence=0.9, search_gamma=False))
    split = plane().splits["test"]
    own = split.embeddings[np.asarray(split.labels) == 0]
    true = int((own[:, 0] > own[:, 1]).sum())
    expected = interval(true, len(own), 0.95)  # two properties have intervals: each at 1 - 0.1 / 2
    for result in (p, q):
        assert result.satisfaction is not None
        assert result.satisfaction.rate == true / len(own)
        assert (result.satisfaction.low, result.satisfaction.high) == pytest.approx(expected, abs=1e-9)
    assert r.satisfaction is None
    assert p.coverage is not None
    inside = int(p.coverage.rate * p.coverage.n + 0.5)
    assert (p.coverage.low, p.coverage.high) == pytest.approx(interval(inside, p.coverage.n, 0.9), abs=1e-9)


def test_the_curve_says_how_many_images_each_size_holds() -> None:
    text = "property p: for all x in focus(east) where predict(x, east): right > up\n"
    subject = plane()
    # An image of east that the model calls west is inside no region that is cut by its prediction.
    data = subject.splits["test"].embeddings.copy()
    data[0, 0] = -0.01
    test = replace(subject.splits["test"], embeddings=data)
    subject = replace(subject, splits={**subject.splits, "test": test})
    gammas = (Fraction(1), Fraction(6))
    (result,) = verify(parse(text), subject, VerifyOptions(curve_gammas=gammas))
    assert result.region is not None
    own = data[np.asarray(test.labels) == 0]
    sizes = result.region.sizes(own)
    expected = [float(((sizes <= g) & (own[:, 0] > 0)).mean()) for g in (1, 6)]
    assert [point.coverage for point in result.curve] == expected
    assert (sizes <= 6).all()
    assert expected[1] == 1 - 1 / len(own)


def test_with_float32_only_a_margin_beyond_the_rounding_holds() -> None:
    run = Verification(plane(), VerifyOptions(float32=True))
    assert run._at_run_time(HOLDS, 1.0, 0.5) == HOLDS
    for margin, slack in ((0.5, 0.5), (0.25, 0.5), (None, 0.5), (1.0, None)):
        said = run._at_run_time(HOLDS, margin, slack)
        allowance = "of unknown size" if slack is None else "of up to 0.5"
        assert said.outcome == "unknown"
        assert said.reason == f"proved in exact arithmetic, but not beyond float32 rounding {allowance}"
    assert run._at_run_time(VIOLATED, 0.0, 0.5) == VIOLATED
    assert Verification(plane(), VerifyOptions())._at_run_time(HOLDS, 0.0, 0.5) == HOLDS


# ---------------------------------------------------------------- witnesses


def line_model(values: list[float]) -> VerificationModel:
    """Images of one number each: a is the number, b one minus it; the class `up` above nought."""
    lens = Lens(AffineMap(np.array([[1.0], [-1.0]]), np.array([0.0, 1.0])), ("a", "b"), np.eye(2))
    data, labels = np.array(values)[:, None], (np.array(values) <= 0).astype(int)
    split = EmbeddingSplit(data, labels, tuple(f"i{k}" for k in range(len(values))))
    head = Head.linear(np.array([[1.0], [-1.0]]), np.zeros(2))
    return VerificationModel(head, lens, ("up", "down"), dict.fromkeys(("train", "val", "test"), split), {"a": 0.5})


def test_images_lie_apart_by_the_distance_within_which_nearly_all_have_another() -> None:
    assert Describer(line_model([1.0]), 1)._apart is None
    assert Describer(line_model([1.0, 4.0]), 1)._apart == 3.0
    describer = Describer(line_model([0.0, 1.0, 3.0]), 1)
    assert describer._apart == pytest.approx(1.98)  # of 1, 1 and 2 the 99th percentile
    assert describer.remoteness(describer.describe(np.array([4.75]), None)) == ()
    far = describer.describe(np.array([5.25]), None)
    assert describer.remoteness(far) == (
        "the witness is no picture's and far from all of them: 2.25 from the nearest held-out image, while of those images "
        "themselves 99 % have another within 1.98",
    )
    pair = Describer(line_model([0.0, 1.0]), 1)
    assert pair.remoteness(pair.describe(np.array([2.0]), None)) == ()  # exactly as far as the images are apart
    assert describer.remoteness(None) == ()
    assert describer.remoteness(replace(far, image_id="i0")) == ()
    assert Describer(line_model([0.0, 1.0]), 0).remoteness(far) != ()


def test_of_many_images_four_hundred_say_how_far_apart_they_lie() -> None:
    assert NEIGHBOURS == 400
    values = np.arange(1200.0)
    values[1:] += 0.5  # the first image lies farther from the others than they from each other
    rows = np.linspace(0, 1199, 400).astype(int)
    gaps = np.diff(values)
    nearest = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    assert Describer(line_model(values.tolist()), 1)._apart == pytest.approx(np.quantile(nearest[rows], 0.99))


def test_a_margin_is_that_of_logits_and_cosines_and_none_where_floats_overflow() -> None:
    describer = Describer(line_model([1.0, 2.0]), 1)
    at = np.array([0.25])
    formula = Stronger("a", "b")
    length = float(np.hypot(0.25, 0.75))
    assert describer.margin(formula, at) == pytest.approx((0.25 - 0.75) / length)
    assert describer.margin(formula, np.array([1e200])) is None
    huge = replace(describer.subject, head=Head.linear(np.array([[1e300], [-1e300]]), np.zeros(2)))
    assert Describer(huge, 1).margin(formula, np.array([1e10])) is None


def test_a_witness_has_its_strengths_in_order_what_the_model_says_and_its_size() -> None:
    describer = Describer(line_model([-1.0, 1.0, 2.0]), 2)
    region = Box(np.array([1.0]), np.array([0.5]), Fraction(1))
    record = describer.describe(np.array([-0.5]), region)
    length = float(np.hypot(0.5, 1.5))
    assert [name for name, _ in record.profile] == ["b", "a"]
    assert [value for _, value in record.profile] == pytest.approx([1.5 / length, -0.5 / length])
    assert (record.predicted, record.size) == ("down", 3.0)
    assert [(near.image_id, near.distance, near.class_name) for near in record.nearest] == [
        ("i0", 0.5, "down"),
        ("i1", 1.5, "up"),
    ]


def test_an_image_is_found_by_its_id_or_by_split_and_id() -> None:
    describer = Describer(plane(), 1)
    assert describer.find("val-3") == ("val", 3)
    assert describer.find("test/test-5") == ("test", 5)
    for unknown in ("val/test-5", "test/", "nowhere/test-5", "/test-5", "test-5/"):
        with pytest.raises(UserError, match="no image that properties can name"):
            describer.find(unknown)


# ---------------------------------------------------------------- extents over a class


def test_the_curve_ends_where_a_tenth_of_the_images_are_left() -> None:
    class Reaching:
        def __init__(self, reach: int) -> None:
            self.reach = Fraction(reach)

    extents: Any = [Reaching(k) for k in (10, 1, 9, 2, 8, 3, 7, 4, 6, 5)]
    steps = _curve(extents, 12)
    assert [step.change for step in steps] == pytest.approx([10 * k / 20 for k in range(1, 21)])
    expected = [sum(k >= 10 * n / 20 for k in range(1, 11)) / 12 for n in range(1, 21)]
    assert [step.share for step in steps] == expected
    twenty: Any = [Reaching(k) for k in range(1, 21)]
    assert _curve(twenty, 20)[-1].change == 19.0
    assert _curve(extents[:1], 1)[-1].change == 10.0
    assert _curve([], 4) == ()
    assert _curve(extents, 0) == ()


def obligations(subject: VerificationModel, text: str) -> list[Obligation]:
    return plan(check_text(text).require(), subject, "f.cspec")


def test_images_at_a_tie_are_counted_as_changing_at_once() -> None:
    subject = line_model([0.0, 1.0, -2.25, 0.5, 3.0, 0.0])
    jobs = obligations(subject, "property p: for all x in focus(down): a > b\n")
    output, own = class_extents(jobs, subject, "a")
    # Of `down` are the images 0, -2.25 and 0; the model is undecided at 0, where the smallest step changes what it says.
    assert (output.of, output.class_name, output.images, output.at_once) == ("output", "down", 3, 2)
    assert (own.of, own.images, own.at_once) == ("p", 3, 0)
    assert [claim.name for claim in own.claims] == [extent_name("p", "down", f"i{k}", "a") for k in (0, 2, 5)]
    assert extent_name("p", "down", "i0", "a") == "p of down along a in i0"
    # a > b beyond 1/2; the strength of a rises by one with each step.
    reaches = [float(claim.extent.reach) for claim in own.claims]
    assert reaches == pytest.approx([0.5, 2.75, 0.5])
    assert [step.change for step in own.curve][-1] == pytest.approx(2.75)
    assert [step.share for step in own.curve] == [1.0] * 3 + [1 / 3] * 17


def test_a_property_called_output_is_refused() -> None:
    subject = line_model([0.0, 1.0])
    job = replace(obligations(subject, "property p: for all x in focus(up): a > b\n")[0], name="output")
    with pytest.raises(UserError, match="a property is called 'output'"):
        class_extents([job], subject, "a")


# ---------------------------------------------------------------- around images


def test_what_refutes_is_a_picture_before_an_embedding_that_was_searched() -> None:
    centres = Centres(np.zeros((4, 1), dtype=np.int64), 0)
    found = {1: np.array([7.0]), 2: np.array([8.0])}
    around = Around(ProofCase(), centres, np.zeros(4, bool), np.array([NONE, NONE, UNCHANGED, 1]), found)
    assert around.refuted.tolist() == [False, True, True, True]
    embeddings = np.array([[10.0], [11.0], [12.0], [13.0]])
    pictures = embeddings[:, None] + np.array([[0.25], [0.5]])
    assert {place: point.tolist() for place, point in refuting(around, embeddings, pictures).items()} == {
        1: [7.0],
        2: [12.0],
        3: [13.5],
    }
    assert (UNCHANGED, NONE) == (-1, -2)


# ---------------------------------------------------------------- certificates against a study


class Expected:
    def __init__(self, name: str) -> None:
        self.name = name


def test_the_verdict_of_a_property_and_the_ends_of_its_sizes_belong_together() -> None:
    low, high = "at its largest proved size", "at its smallest refuted size"
    names: Any = [Expected(name) for name in ("p", f"p {low}", f"p {high}", "alone")]

    def said(verdict: str, size: str, ends: dict[str, tuple[str, str]]) -> list[str]:
        claims: Any = {("f", "p"): {"verdict": verdict, "size": size}}
        claims |= {("f", f"p {end}"): {"verdict": word, "size": at} for end, (word, at) in ends.items()}
        claims["f", "alone"] = {"verdict": "holds", "size": "1"}
        return _about_sizes(claims, "f", names)

    assert said("holds", "1", {low: ("holds", "1"), high: ("violated", "2")}) == []
    assert said("holds", "1", {low: ("holds", "3/4")}) == [f"p {low}: that is '3/4', though it holds at '1'"]
    assert said("holds", "1", {}) == [f"p {low}: nothing is claimed of it"]
    assert said("violated", "2", {high: ("violated", "2"), low: ("holds", "1")}) == []
    assert said("violated", "2", {high: ("violated", "9/4")}) == [f"p {high}: that is '9/4', though it violated at '2'"]
    assert said("unknown", "1", {low: ("holds", "1")}) == [f"p: unknown at '1', though {low} it holds there, too"]
    assert said("unknown", "1", {low: ("holds", "3/4"), high: ("violated", "5/4")}) == []
    assert said("unknown", "2", {high: ("violated", "2")}) == [
        f"p: unknown at '2', though {high} it violated there, too"
    ]
    assert said("unknown", "1", {low: ("unknown", "3")}) == []


def test_what_a_certificate_says_is_shown_with_120_characters() -> None:
    assert _short("a" * 118) == "'" + "a" * 118 + "'"
    assert _short("a" * 119) == "'" + "a" * 119 + "..."
    assert _short("\u2028") == "'\\u2028'"
    assert _size({"size": "3/4"}) == Fraction(3, 4)
    assert _size({}) == -1


def test_thresholds_names_and_the_model_of_a_certificate_are_those_of_the_study() -> None:
    subject = replace(plane(thresholds={"right": 0.25, "up": 0.5}), digests={"model": "m"})
    comparison = Comparison(subject, [])
    tie = tie_of(subject)
    body: Any = {
        "names": {"classes": ["east", "west"], "concepts": ["right", "up"]},
        "thresholds": thresholds_of(subject),
        "digests": dict(tie),
        "study": {"model": "m"},
        "sources": {},
        "claims": [],
    }

    def told(**changes: Any) -> list[str]:
        changed: Any = body | changes
        return comparison.differences(changed)

    assert told() == []
    assert told(names={"classes": ["west", "east"], "concepts": ["right", "up"]}) == [
        "its classes are ['west', 'east'], those of the study ['east', 'west']",
    ]
    (threshold,) = told(thresholds={"up": body["thresholds"]["up"]})
    assert threshold.startswith("the threshold of 'right' is None, in the study ")
    for part in tie:
        assert told(digests={**tie, part: "0"}) == [f"its {part} is not that of the study"]
    assert told(study={}) == ["the digests of the study (model, data, preprocessing) are others"]
    assert told(sources={"a": "1", "b": "1"})[-1] == "two sources of the certificate are one text"
    assert told(claims=[{"file": "f", "name": "p"}]) == ["'p': the specification gives rise to no such claim"]


# ---------------------------------------------------------------- searches over sizes


def test_a_largest_size_is_enclosed_within_a_ten_thousandth_in_both_directions() -> None:
    """East minus its tie: a > b on the line beyond 1/2, at sizes in units of the standard deviation."""
    values = [2.0, 3.0, 4.0, 5.0]
    subject = line_model([*values, -1.0, -2.0, -3.0])
    deviation = float(np.std(values, ddof=1))
    exact = (3.5 - 0.5) / deviation
    for gamma in ("0.5", "2", "8"):
        (result,) = verify(
            parse(f"property p: for all x in focus(up, gamma = {gamma}): a > b\n"), subject, VerifyOptions()
        )
        assert result.gamma_max is not None
        low, high = result.gamma_max.low, result.gamma_max.high
        assert low is not None
        assert high is not None
        assert low < exact <= high
        assert high - low <= 1e-4 * high
        assert result.gamma_max.searched == 8.0 * max(1.0, float(gamma))
        assert result.verdict.outcome == ("holds" if float(gamma) < exact else "violated")


def test_what_fails_in_the_middle_has_no_size_and_what_never_fails_has_no_end() -> None:
    subject = line_model([2.0, 3.0, 4.0, 5.0, -1.0, -2.0])
    everywhere = "a > b or b > a or not a > b"
    text = (
        "property p: for all x in focus(up, gamma = 3): b > a\n"
        f"property q: for all x in focus(up, gamma = 3): {everywhere}\n"
    )
    p, q = verify(parse(text), subject, VerifyOptions())
    assert p.gamma_max is not None
    assert (p.gamma_max.low, p.gamma_max.high, p.gamma_max.searched) == (None, 0.0, 24.0)
    assert q.gamma_max is not None
    assert (q.gamma_max.low, q.gamma_max.high, q.gamma_max.searched) == (24.0, None, 24.0)
    ends = [[claim.name for claim in result.ends] for result in (p, q)]
    assert [len(some) for some in ends] == [1, 1]


def test_pairs_of_sizes_are_those_of_the_ball_as_well() -> None:
    subject = line_model([2.0, 3.0, 4.0, 5.0, -1.0, -2.0])
    text = "property p: for all x in focus(up, gamma = 1/2, shape = ellipsoid): a > b\n"
    (result,) = verify(parse(text), subject, VerifyOptions(curve_gammas=(Fraction(1), Fraction(2), Fraction(3))))
    deviation = float(np.std([2.0, 3.0, 4.0, 5.0], ddof=1))
    exact = 3.0 / deviation
    assert [point.verdict.outcome for point in result.curve] == [
        "holds" if size < exact else "violated" for size in (1, 2, 3)
    ]
    margins = [point.margin for point in result.curve]
    assert margins == pytest.approx([2 * (3.0 - size * deviation) for size in (1, 2, 3)], rel=1e-6)
    assert all(a > b for a, b in pairwise(m for m in margins if m is not None))


# ---------------------------------------------------------------- proofs that the region's drawing makes easy

ONE, TWO = Close(((0, 1),)), Close(((0, 1), (1, 2)))
BOUND, BOUNDS = Close(((0, 1),), band=(3,)), Close(((0, 1),), band=(3, 5))
BY_DEFINITION = "what is proved is the band's own definition: each case is one of its bounds"
EACH, LENGTH, RELATIVE = StrengthForm.EACH, StrengthForm.LENGTH, StrengthForm.RELATIVE


def answered(shape: str, kinds: ReadoutKinds, steps: list[Any] | None) -> ReadoutVerdict:
    drawn: Any = Band(np.zeros(1), np.ones(1), Fraction(1)) if shape == "band" else None
    region = drawn or SpanEllipsoid(np.zeros(1), np.eye(1), Fraction(1))
    place = ClassRegion(kinds, region, SizedSplit(np.zeros(0)), np.zeros(0))
    proof = None if steps is None else Proof(steps)
    return ReadoutVerdict(HOLDS, Attempt((), place, False), Rate(0, 0, 1, 0), "", "", proof=proof)


@pytest.mark.parametrize(
    ("shape", "kinds", "steps", "by_definition", "one_line"),
    [
        ("span", ReadoutKinds(None, (0, 1), EACH), [ONE], False, True),
        ("span", ReadoutKinds(None, (0, 1), EACH), [Open(0), ONE, ONE], False, True),
        ("span", ReadoutKinds(None, (0, 1), EACH), [ONE, TWO], False, False),
        ("span", ReadoutKinds(None, (0, 1), EACH), [Open(0)], False, False),
        ("span", ReadoutKinds(None, (0, 1), EACH), None, False, False),
        ("span", ReadoutKinds(0, (0, 1), EACH), [ONE], False, False),
        ("span", ReadoutKinds(None, (0, 1, 2), EACH), [ONE], False, False),
        ("span", ReadoutKinds(None, (2,), LENGTH), [ONE], False, True),
        ("span", ReadoutKinds(None, (0, 1), LENGTH), [ONE], False, False),
        ("span", ReadoutKinds(None, (0, 1, 2), RELATIVE), [ONE], False, True),
        ("band", ReadoutKinds(None, (0, 1), EACH), [ONE], False, False),
        ("band", ReadoutKinds(None, (0, 1), EACH), [BOUND], True, False),
        ("band", ReadoutKinds(None, (0, 1), EACH), [Open(0), BOUND, BOUND], True, False),
        ("band", ReadoutKinds(None, (0, 1), EACH), [BOUND, BOUNDS], False, False),
        ("band", ReadoutKinds(None, (0, 1), EACH), [Close(((0, 1), (1, 1)), band=(3,))], False, False),
        ("band", ReadoutKinds(None, (0, 1), EACH), [], False, False),
        ("band", ReadoutKinds(None, (0, 1), EACH), None, False, False),
    ],
)
def test_a_proof_of_one_bound_or_one_line_says_so(
    shape: str, kinds: ReadoutKinds, steps: list[Any] | None, by_definition: bool, one_line: bool
) -> None:
    answer = answered(shape, kinds, steps)
    assert (answer.is_by_definition, answer.is_one_line) == (by_definition, one_line)
    caveats = answer.proof_caveats
    assert len(caveats) == (by_definition or one_line)
    assert (caveats == (BY_DEFINITION,)) == by_definition
    assert any("one side of their tie" in caveat for caveat in caveats) == one_line


def test_what_readouts_are_is_said_in_words_and_what_they_cover() -> None:
    names = ("a", "b", "c")
    said = {
        ReadoutKinds(None, (0,), EACH): "strengths of a",
        ReadoutKinds(None, (0, 2), EACH): "strengths of a and c",
        ReadoutKinds(0, (0, 1, 2), EACH): "logits, strengths of all concepts",
        ReadoutKinds(0, (), EACH): "logits",
        ReadoutKinds(None, (1,), LENGTH): "strengths of b, the length of the mapped embedding",
    }
    assert {kinds: kinds.words(names) for kinds in said} == said
    assert ReadoutKinds(None, (0, 1), EACH).words(("a", "b")) == "strengths of a and b"
    assert ReadoutKinds(None, (0, 1, 2), EACH).words(("a", "b", "c", "d")) == "strengths of a, b and c"
    sizes = {kinds: kinds.dimension(4) for kinds in said}
    assert list(sizes.values()) == [1, 2, 6, 3, 2]
    assert ReadoutKinds(None, (0, 1, 2), RELATIVE).dimension(4) == 2
    whole = ReadoutKinds(1, (0, 1), LENGTH)
    assert whole.covers(ReadoutKinds(1, (1,), EACH))
    assert whole.covers(ReadoutKinds(None, (), LENGTH))
    assert not whole.covers(ReadoutKinds(0, (1,), EACH))
    assert not whole.covers(ReadoutKinds(1, (2,), EACH))
    assert not ReadoutKinds(1, (0, 1), EACH).covers(whole)
    assert not ReadoutKinds(None, (0, 1), LENGTH).covers(whole)


# ---------------------------------------------------------------- what floats can tell


def truths(formula: Formula, **read: Any) -> tuple[bool, bool]:
    """Of one image of the plane: certainly true, and possibly."""
    nothing: dict[str, Any] = {
        "logits": [0.0, 0.0], "numerators": [0.0, 0.0], "norm": 1.0,
        "logit_errors": [0.0, 0.0], "numerator_errors": [0.0, 0.0], "norm_errors": 0.0,
    }  # fmt: skip
    model = plane(thresholds={"right": 0.5, "up": -0.25})
    bounds = ExactTruth(model).bounds(
        formula, SplitReadouts(**{name: np.array([value]) for name, value in (nothing | read).items()})
    )
    return bool(bounds.surely[0]), bool(bounds.maybe[0])


YES, OPEN, NO = (True, True), (False, True), (False, False)


@pytest.mark.parametrize(
    ("formula", "read", "told"),
    [
        (Stronger("right", "up"), {"numerators": [2.0, 1.5], "numerator_errors": [0.25, 0.125]}, YES),
        (Stronger("right", "up"), {"numerators": [2.0, 1.5], "numerator_errors": [0.25, 0.25]}, OPEN),
        (Stronger("right", "up"), {"numerators": [1.5, 2.0], "numerator_errors": [0.25, 0.25]}, OPEN),
        (Stronger("right", "up"), {"numerators": [1.5, 2.0], "numerator_errors": [0.125, 0.25]}, NO),
        # Four units for both numbers: 1 and what is k units below it.
        (Stronger("right", "up"), {"numerators": [1.0, 1 - 7 * DOUBLE]}, OPEN),
        (Stronger("right", "up"), {"numerators": [1.0, 1 - 9 * DOUBLE]}, YES),
        (Stronger("right", "up"), {"numerators": [-1 - 16 * DOUBLE, -1.0]}, NO),
        (Stronger("right", "up"), {"numerators": [-1 - 6 * DOUBLE, -1.0]}, OPEN),
        (Stronger("right", "up"), {"numerators": [np.nan, 1.0]}, OPEN),
        (Predict("east"), {"logits": [2.0, 1.5], "logit_errors": [0.25, 0.125]}, YES),
        (Predict("east"), {"logits": [2.0, 1.5], "logit_errors": [0.25, 0.25]}, OPEN),
        (Predict("west"), {"logits": [2.0, 1.5], "logit_errors": [0.25, 0.125]}, NO),
        (Predict("west"), {"logits": [2.0, 1.5], "logit_errors": [0.25, 0.25]}, OPEN),
        (Predict("east", Fraction(1, 4)), {"logits": [2.0, 1.5], "logit_errors": [0.125, 0.0]}, YES),
        (Predict("east", Fraction(1, 4)), {"logits": [2.0, 1.5], "logit_errors": [0.25, 0.0]}, OPEN),
        (Predict("east", Fraction(1)), {"logits": [2.0, 1.5], "logit_errors": [0.25, 0.125]}, NO),
        (Predict("east", Fraction(1)), {"logits": [2.0, 1.5], "logit_errors": [0.25, 0.25]}, OPEN),
        (Predict("east", Fraction(1)), {"logits": [2.0, 1.0 - 17 * DOUBLE]}, YES),
        (Predict("east", Fraction(1)), {"logits": [2.0, 1.0 - 11 * DOUBLE]}, OPEN),
        # 1 against a threshold of 1/2 times the length.
        (HasConcept("right"), {"numerators": [1.0, 0.0], "norm": 1.5, "norm_errors": 0.25}, YES),
        (HasConcept("right"), {"numerators": [1.0, 0.0], "norm": 1.5, "norm_errors": 0.5}, OPEN),
        (HasConcept("right"), {"numerators": [1.0, 0.0], "norm": 2.5, "norm_errors": 0.25}, NO),
        (HasConcept("right"), {"numerators": [1.0, 0.0], "norm": 2.5, "norm_errors": 0.5}, OPEN),
        (HasConcept("right"), {"numerators": [1.0, 0.0], "norm": 1.5, "numerator_errors": [0.25, 0.0]}, OPEN),
        (HasConcept("up"), {"numerators": [0.0, -0.25], "norm": 2.0, "norm_errors": 0.5}, YES),
        (HasConcept("up"), {"numerators": [0.0, -0.25], "norm": 2.0, "norm_errors": 1.0}, OPEN),
        # Where the length may be 0 nothing is present, and no one can tell.
        (HasConcept("up"), {"numerators": [0.0, 1.0], "norm": 0.5, "norm_errors": 0.5}, OPEN),
        (HasConcept("up"), {"numerators": [0.0, -1.0], "norm": 0.5, "norm_errors": 0.5}, OPEN),
        (HasConcept("up"), {"numerators": [0.0, -1.0], "norm": 0.5, "norm_errors": 0.25}, NO),
    ],
)
def test_floats_say_what_is_true_beyond_their_rounding_and_leave_the_rest_open(
    formula: Formula, read: dict[str, Any], told: tuple[bool, bool]
) -> None:
    assert truths(formula, **read) == told
    denied = {YES: NO, NO: YES, OPEN: OPEN}[told]
    assert truths(Not(formula), **read) == denied
    assert truths(Iff(formula, formula), **read) == (OPEN if told == OPEN else YES)
    assert truths(Implies(formula, Not(formula)), **read) == denied
    assert truths(And((formula, Not(formula))), **read) == (OPEN if told == OPEN else NO)


def test_the_share_of_pictures_inside_is_that_of_images_by_change_and_by_class() -> None:
    ellipsoid = ChangeEllipsoid(np.eye(1), np.eye(1))
    pictures = (PictureName("mirror", "m"), PictureName("shift", "left"), PictureName("shift", "right"))

    def measured(sizes: Any, classes: list[str]) -> MeasuredShare:
        values = np.array(sizes, dtype=float).reshape(-1, 3)
        hood = Neighbourhood(
            ReadoutKinds(0, (), EACH), "ordinary", pictures, ellipsoid, Extents(np.eye(1)), values, values,
            np.array(classes), 9,
        )  # fmt: skip
        return hood.measure(Fraction(2))

    share = measured([[1, 2, 3], [2, 2, 2], [3, 3, 1], [1, 1, 4]], ["a", "b", "b", "a"])
    own = np.array([2 / 3, 1, 1 / 3, 2 / 3])
    half = norm.ppf(0.975) * own.std(ddof=1) / 2
    assert share.share == pytest.approx(own.mean())
    assert share.images == 4
    assert (share.low, share.high) == pytest.approx((own.mean() - half, min(1.0, own.mean() + half)))
    assert share.by_change == {"mirror": 0.75, "shift": 0.625}
    assert share.by_class == pytest.approx({"a": 2 / 3, "b": 2 / 3})
    alone = measured([[1, 2, 3]], ["a"])
    assert (alone.share, alone.low, alone.high) == pytest.approx((2 / 3, 0.0, 1.0))
    nothing = measured([], [])
    assert (nothing.share, nothing.low, nothing.high, nothing.images) == (0.0, 0.0, 1.0, 0)
    assert nothing.by_change == {"mirror": 0.0, "shift": 0.0}


def test_a_neighbourhood_reads_all_concepts_and_the_length_where_it_asks_for_presence() -> None:
    assert kinds_near((("stronger", 0, 1),), 3) == ReadoutKinds(0, (0, 1, 2), RELATIVE)
    assert kinds_near((("predict", 1), ("has", 2), ("or", 0, 1)), 3) == ReadoutKinds(0, (0, 1, 2), LENGTH)
