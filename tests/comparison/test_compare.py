"""What changed between two studies, by value."""

import pytest
from msgspec.structs import replace
from scipy.stats import binomtest

from conspect.comparison.accuracy import Failures
from conspect.comparison.compare import compare
from conspect.report.comparison import comparison_lines, render_comparison
from conspect.results.comparison import ChangedImage
from conspect.results.failure_groups import FailureGroup as FoundGroup
from conspect.results.failure_groups import GroupCondition
from conspect.results.results import Results
from conspect.results.shares import CulpritCounts
from conspect.results.slices import Slice, SliceColumn, Slices
from conspect.statistics.paired import mcnemar, tango
from tests.comparison.studies import failure, property_of, share, verified, with_failures

NAMES = ("old", "new")


def test_a_study_against_itself_shows_no_change(before: Results) -> None:
    same = compare(before, before, names=NAMES)
    assert (same.same_images, same.same_model, same.same_lens) == (True, True, True)
    assert same.accuracy is not None
    assert (same.accuracy.overall.fixed, same.accuracy.overall.broken, same.accuracy.overall.difference) == (0, 0, 0)
    assert same.accuracy.overall.p_value == 1
    assert same.heatmaps is not None
    assert same.heatmaps.changed == 0
    assert same.heatmaps.tested == len(before.classes) * 6  # four concepts make six pairs
    assert (same.failure_groups, same.concepts) == ((), ())
    assert [entry.what for entry in same.not_compared] == [
        "24 of 24 heatmap cells image by image"
    ]  # no tables are given


def test_images_are_paired_by_id(before: Results) -> None:
    kept = before.localization.images[3:]
    broken = [failure(before, f"new{k}", "blue", "red") for k in range(8)]
    comparison = compare(before, with_failures(before, [*kept, *broken]), names=NAMES)
    assert comparison.accuracy is not None
    overall = comparison.accuracy.overall
    assert (overall.pairing, overall.fixed, overall.broken) == ("paired", 3, 8)
    assert overall.difference == pytest.approx(-5 / 75)
    assert (overall.low, overall.high) == tango(3, 8, 75, before.asked.confidence)
    assert overall.p_value == mcnemar(3, 8)
    assert comparison.accuracy.fixed is not None
    assert comparison.accuracy.broken is not None
    assert {image.id for image in comparison.accuracy.fixed} == {image.id for image in before.localization.images[:3]}
    assert [(image.label, image.output) for image in comparison.accuracy.broken] == [("blue", "red")] * 8
    blue = next(change for change in comparison.accuracy.by_class if change.name == "blue")
    assert (blue.before.successes, blue.after.successes, blue.broken) == (20, 12, 8)


def test_a_group_of_failures_that_grew_beyond_chance_is_named(before: Results) -> None:
    broken = [failure(before, f"new{k}", "blue", "red") for k in range(12)]
    comparison = compare(before, with_failures(before, [*before.localization.images, *broken]), names=NAMES)
    assert [(group.label, group.output, group.before, group.after) for group in comparison.failure_groups] == [
        ("blue", "red", 0, 12)
    ]
    assert any(
        '"blue" taken for "red" grew: 0 of 20 images before, 12 of 20 now' in line for line in comparison.sentences
    )


def test_other_images_are_compared_as_two_samples_and_that_is_said(before: Results) -> None:
    other = replace(before, dataset=replace(before.dataset, digest="other"))
    comparison = compare(before, other, names=NAMES)
    assert comparison.accuracy is not None
    assert comparison.accuracy.overall.pairing == "independent"
    assert comparison.accuracy.fixed is None
    assert [entry.what for entry in comparison.not_compared] == ["single images"]


def test_failures_that_are_not_all_listed_are_not_paired(before: Results) -> None:
    cut = replace(before, localization=replace(before.localization, images=before.localization.images[:5]))
    comparison = compare(before, cut, names=NAMES)
    assert comparison.accuracy is not None
    assert comparison.accuracy.overall.pairing == "independent"


def test_other_classes_are_named_and_accuracy_is_left_out(before: Results) -> None:
    other = replace(before, classes=("scarlet", *before.classes[1:]))
    comparison = compare(before, other, names=NAMES)
    assert comparison.accuracy is None
    assert "only before: red; only after: scarlet" in comparison.not_compared[0].why
    assert comparison.heatmaps is not None  # of the classes that both have
    assert comparison.heatmaps.tested == (len(before.classes) - 1) * 6


def test_strengths_of_another_lens_are_not_compared(before: Results) -> None:
    comparison = compare(before, replace(before, vlm=replace(before.vlm, digest="other")), names=NAMES)
    assert comparison.heatmaps is None
    assert [entry.what for entry in comparison.not_compared] == ["heatmaps and concepts"]
    assert comparison.not_compared[0].parts == ("heatmaps", "concepts")


def test_properties_flip_by_name_and_statement(before: Results) -> None:
    old = verified(before, property_of("kept", "holds"), property_of("lost", "holds"), property_of("gone", "holds"),
                   property_of("said", "holds"))  # fmt: skip
    new = verified(before, property_of("kept", "holds"), replace(property_of("lost", "violated"), quantifier="for all x"),
                   property_of("new", "holds"), property_of("said", "violated", "b > a"))  # fmt: skip
    properties = compare(old, new, names=NAMES).properties
    assert properties is not None
    assert [(flip.id, flip.before, flip.after) for flip in properties.flipped] == [("lost", "holds", "violated")]
    assert [flip.quantifier for flip in properties.flipped] == ["for all x"]
    assert (properties.in_both, properties.only_before, properties.only_after, properties.restated) == (
        2,
        ("gone",),
        ("new",),
        ("said",),
    )


def test_the_page_and_the_lines_escape_what_studies_hold(before: Results) -> None:
    hostile = "\x1b[31m<script>alert(1)</script>"
    comparison = compare(before, before, names=(hostile, "new"))
    assert "<script>" not in render_comparison(comparison)
    assert "\x1b" not in "".join(comparison_lines(comparison))


def test_where_accuracy_fell_the_comparison_says_how_to_ask_what_was_lost(before: Results) -> None:
    broken = [failure(before, f"new{k}", "blue", "red") for k in range(12)]
    worse = with_failures(before, [*before.localization.images, *broken])
    call = "conspect localize --study new --sound old"
    assert any(call in line for line in compare(before, worse, names=NAMES).sentences)
    spaced = compare(before, worse, names=("the old", "new")).sentences
    assert any("--sound 'the old'" in line for line in spaced)
    assert not any("localize" in line for line in compare(worse, before, names=NAMES).sentences)
    assert not any("localize" in line for line in compare(before, before, names=NAMES).sentences)


def found_group(shown: str, failures: int) -> FoundGroup:
    return FoundGroup(
        label="red",
        output=None,
        conditions=(GroupCondition(concept="bright", shown=shown),),  # type: ignore[arg-type]
        sentence=f"Of the quarter of red images that shows “bright” {shown}, many are misclassified.",
        failures=failures,
        share=0.5,
        inside=share(failures, 20),
        outside=share(1, 20),
        p_value=0.01,
        images=("a",),
    )


def test_found_groups_are_new_kept_or_not_found_any_more(before: Results) -> None:
    old = replace(before, failure_groups=(found_group("most", 8), found_group("least", 6)))
    new = replace(before, failure_groups=(found_group("least", 9),))
    gone = compare(old, new, names=NAMES)
    assert [(group.before is None, group.after is None) for group in gone.found_groups] == [
        (False, False),
        (False, True),
    ]
    assert any("6 of 20 of its images failed before" in line for line in gone.sentences)
    assert any("is not found now (such images may still fail)" in line for line in gone.sentences)
    come = compare(new, old, names=NAMES)
    assert come.found_groups[0].before is None
    assert any(line.startswith("A group of failures that was not found before") for line in come.sentences)
    assert "such images may still fail" in render_comparison(gone)
    assert compare(before, before, names=NAMES).found_groups == ()


def sliced(results: Results, failing: dict[str, str], images: int) -> tuple[Results, Failures]:
    """The study with one slice of so many images, `failing` ids to values in the column `light`, and its table of failures."""
    inside = sum(value == "night" for value in failing.values())
    part = Slice(
        column="light",
        value="night",
        accuracy=share(images - inside, images),
        rest=None,
        p_value=1.0,
        failures=CulpritCounts(encoder=0, head=0, undecided=inside),
        satisfied=None,
    )
    slices = Slices(columns=(SliceColumn(name="light", unknown=0),), slices=(part,))
    failures = [failure(results, name, "blue", "red") for name in failing]
    table = Failures(
        tuple(ChangedImage(id=failed.id, label=failed.label, output=failed.output) for failed in failures),
        {"light": failing},
    )
    return replace(with_failures(results, failures), slices=slices), table


def test_slices_of_the_same_images_meet_image_by_image(before: Results) -> None:
    theirs = sliced(before, {"a": "night", "b": "night", "c": "day", "d": "night"}, 30)
    ours = sliced(before, {"d": "night", "e": "night", "f": "day"}, 30)
    comparison = compare(theirs[0], ours[0], names=NAMES, failures=(theirs[1], ours[1]))
    assert comparison.accuracy is not None
    (change,) = comparison.accuracy.by_slice
    assert (change.pairing, change.fixed, change.broken) == ("paired", 2, 1)
    assert change.difference == pytest.approx(1 / 30)
    assert change.p_value == binomtest(1, 3, 0.5).pvalue == mcnemar(2, 1)
    assert (change.low, change.high) == tango(2, 1, 30, before.asked.confidence)


@pytest.mark.parametrize("kind", ["no table", "no column", "another value", "another count", "another size"])
def test_slices_that_may_hold_other_images_meet_as_two_samples(before: Results, kind: str) -> None:
    theirs = sliced(before, {"a": "night", "b": "night", "d": "night"}, 30)
    failing = {"d": "day", "e": "night", "x": "night"} if kind == "another value" else {"d": "night", "e": "night"}
    ours = sliced(before, failing, 31 if kind == "another size" else 30)
    table = {"no table": None, "no column": Failures(ours[1].images)}.get(kind, ours[1])
    if kind == "another count":
        table = Failures(ours[1].images, {"light": {"d": "night", "e": "day"}})
    comparison = compare(theirs[0], ours[0], names=NAMES, failures=(theirs[1], table))
    assert comparison.accuracy is not None
    (change,) = comparison.accuracy.by_slice
    assert (change.pairing, change.fixed) == ("independent", None)


def test_the_page_names_properties_that_are_gone_new_or_claim_something_else(before: Results) -> None:
    old = verified(before, property_of("old <b>", "holds"), replace(property_of("p", "holds"), quantifier="for all x"))
    new = verified(before, property_of("fresh", "holds"), replace(property_of("p", "holds"), quantifier="for 5% of x"))
    page = render_comparison(compare(old, new, names=("a", "b")))
    for words in ("1 gone: old &lt;b&gt;.", "1 new: fresh.", "1 the same in name, with another claim: p."):
        assert words in page
