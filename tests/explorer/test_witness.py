"""What breaks a property, by value: counts against the language's own reference, verdicts against verification itself."""

from fractions import Fraction

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.language import Readouts, holds
from conspect.language.meaning.checker import check_text
from conspect.language.syntax.tree import ForAll, Property
from conspect.results.witnesses import WitnessPage
from conspect.study import Study
from conspect.study.exploration.opening import OpenedStudy
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.queries.vocabulary import vocabulary_of
from conspect.verification.regions.focus import FocusRegions

TEXT = """\
property bluer:
    for all x in focus(green, gamma = 1):
        greenish > bluish

property other:
    for all x in focus(red):
        reddish > bluish
"""
SHAPES = ("box", "ellipsoid", "span", "band")


def page_of(study: OpenedStudy, text: str = TEXT, name: str | None = None, size: float | None = None) -> WitnessPage:
    exploration = study.exploration
    return exploration.views.witnesses.page(exploration.annotations, text=text, name=name, size=size)


def test_steps_count_the_held_out_images_that_lie_inside_and_those_that_break_it(study: OpenedStudy) -> None:
    page, subject = page_of(study), Study.open(study.folder).verification_subject()
    tree = check_text(TEXT.encode(), vocabulary_of(subject), "x").require()
    item = next(entry for entry in tree.items if isinstance(entry, Property))
    regions = FocusRegions(subject, VerifyOptions())
    assert isinstance(item.quantifier, ForAll)
    region = regions.region(item.quantifier.region)
    split = subject.splits["test"]
    members = split.embeddings[regions.members("test", "green")].astype(float)
    sizes = region.sizes(members)
    strengths, logits = subject.lens.strengths(members), subject.head.logits(members)
    thresholds = np.full(len(subject.concept_names), np.nan)
    false = ~holds(item.formula, Readouts(subject.class_names, subject.concept_names, logits, strengths, thresholds))
    assert page.members == len(members) > 5
    assert page.satisfied == int((~false).sum())
    for step in page.steps:
        assert step.inside == int((sizes <= step.size).sum())
        assert step.breaking == int((false & (sizes <= step.size)).sum())
    sizes_shown = [entry.size for entry in page.breaking if entry.size is not None]
    assert len(sizes_shown) == len(page.breaking)
    assert sizes_shown == sorted(sizes_shown)
    assert all(entry.margin is not None and entry.margin <= 0 for entry in page.breaking)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_verdict_of_a_step_is_that_of_verification_at_its_size(study: OpenedStudy, shape: str) -> None:
    text = f"property p:\n    for all x in focus(green, shape = {shape}, gamma = 30):\n        greenish > bluish\n"
    page = page_of(study, text)
    assert page.property.region is not None
    own = Study.open(study.folder)
    if shape in ("box", "ellipsoid"):  # of the others no largest size is looked for here
        assert page.property.gamma_max == max(
            step.size for step in page.steps if step.verdict == "holds"
        )  # to the last digit
    told = [step for step in page.steps if step.verdict != "unknown"]
    assert {step.verdict for step in told} == {"holds", "violated"}
    for step in told[:: max(1, len(told) // 7)]:
        decided = own.verify(text.replace("gamma = 30", f"gamma = {Fraction(str(step.size))!s}"))[0].verdict.outcome
        assert decided in (step.verdict, "unknown"), (shape, step.size)
    verdicts = [step.verdict for step in page.steps]
    order = {"holds": 0, "unknown": 1, "violated": 2}
    assert verdicts == sorted(verdicts, key=order.__getitem__)


def test_a_size_that_is_asked_takes_the_place_of_the_one_that_is_written(study: OpenedStudy) -> None:
    wide = page_of(study, size=60.0)
    assert wide.size == 60.0
    assert wide.property.verdict == "violated"
    assert wide.property.witness is not None
    assert page_of(study, size=0.001).property.verdict != "violated"
    assert "gamma = 1" in wide.text
    assert wide.names == ("bluer", "other")
    assert page_of(study, name="other").property.class_name == "red"


@pytest.mark.parametrize(
    ("text", "name", "size", "code"),
    [
        (TEXT, "nobody", None, "EXPLORE001"), ("", None, None, "EXPLORE001"), (TEXT, None, -1.0, "EXPLORE002"),
        (TEXT, None, float("nan"), "EXPLORE002"), ("property p", None, None, "SPEC111"),
        ("property p:\n    for at least 90% of x in images(red): reddish > bluish\n", None, 1.0, "EXPLORE002"),
    ],
)  # fmt: skip
def test_a_witness_of_nothing_is_refused(
    study: OpenedStudy, text: str, name: str | None, size: float | None, code: str
):
    with pytest.raises(UserError) as error:
        page_of(study, text, name, size)
    assert error.value.diagnostics[0].code == code


def test_a_property_of_images_lists_those_that_break_it(study: OpenedStudy) -> None:
    page = page_of(study, "property p:\n    for at least 90% of x in images(green): predict(x, green)\n")
    assert page.steps == ()
    assert page.members - page.satisfied == len(page.breaking) > 0
    assert all(entry.image.label == "green" != entry.image.output for entry in page.breaking)


@pytest.mark.parametrize("around", ["near image", "near x"])
def test_a_property_about_neighbourhoods_is_looked_at_as_well(study: OpenedStudy, around: str) -> None:
    image = next(name for name in study.exploration.index.ids if "right" in name)
    whole = "near x" in around
    quantifier = "for 90% of x in images(green): for all y near x" if whole else f'for all y near image("{image}")'
    page = page_of(study, f"property p:\n    {quantifier}:\n        reddish > greenish\n")
    assert page.steps == ()
    assert page.members >= 1
    assert page.property.kind == "near"
