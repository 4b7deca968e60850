"""Neighbourhoods in the language: what is read, what it means, how it is laid out and explained, what is refused."""

from fractions import Fraction

import pytest

from conspect.core.diagnostics import UserError
from conspect.language import check_text, explain, format_text, parse, write
from conspect.language.syntax.builder import (
    claim,
    concepts,
    for_image_near,
    for_share_near,
    images,
    near,
    predict,
    specification,
)
from conspect.language.syntax.tree import ForImageNear, ForShareNear, Images, Near, Property, Stronger

SHARE = "for 90% of x in images(truck): for all y near x (changes = ordinary, share = 90%):"
FULL = ForShareNear(Fraction(9, 10), Images("truck"), Near("ordinary", Fraction(9, 10)))


def closed(text: str) -> Property:
    (item,) = parse(text).items
    assert isinstance(item, Property)
    return item


@pytest.mark.parametrize(
    "quantifier",
    [
        SHARE,
        "for 90% of x in images(truck): for all y near x:",
        "for at least 0.9 of x in images(truck): for every y near x (share = 9/10):",
        "for 9/10 of x in images(truck):\n    ∀ y near x (share = 90%, changes = ordinary):",
        "for 90% of x in images(truck): forall y near x ():",
    ],
)
def test_a_share_of_images_with_their_neighbourhoods(quantifier: str) -> None:
    statement = closed(f"property p: {quantifier} predict(y, truck) implies metallic > ears")
    assert statement.quantifier == FULL
    assert statement.variable == "y"


@pytest.mark.parametrize(
    "quantifier",
    [
        'for all y near image("test/17") (changes = mirror, share = 95%):',
        'for x = image("test/17"): for all y near x (changes = mirror, share = 95%):',
    ],
)
def test_the_neighbourhood_of_one_image(quantifier: str) -> None:
    statement = closed(f"property p: {quantifier} metallic > ears")
    assert statement.quantifier == ForImageNear("test/17", Near("mirror", Fraction(19, 20)))
    assert statement.formula == Stronger("metallic", "ears")


def test_the_layout_says_what_was_left_open_and_keeps_the_names() -> None:
    text = "property p: for 50% of photo in images(): for all z near photo: predict(z, truck)"
    laid = (
        "property p:\n"
        "    for 50% of photo in images(): for all z near photo (changes = ordinary, share = 90%):\n"
        "        predict(z, truck)\n"
    )
    assert format_text(text).text == laid
    assert parse(laid) == parse(text)
    assert parse(write(parse(text), "paper")) == parse(text)


def test_the_builder_makes_the_same_tree() -> None:
    metallic, ears = concepts("metallic ears")
    claims = [
        claim("p", for_share_near("0.9", images("truck"), near()), predict("truck") >> (metallic > ears)),
        claim("q", for_image_near("test/17", near("mirror", share="0.95")), metallic > ears),
    ]
    assert specification(claims) == parse(
        f"property p: {SHARE} predict(y, truck) => metallic > ears\n"
        'property q: for all y near image("test/17") (changes = mirror, share = 95%): metallic > ears'
    )
    for share in (0, 1, "3/2"):
        with pytest.raises(UserError, match="SPEC124"):
            near(share=share)


def test_it_is_explained_in_plain_english() -> None:
    (told,) = explain(parse(f"property p: {SHARE} predict(y, truck) implies metallic > ears"))
    assert told.quantifier.startswith(
        "for at least 90% of all images like these, without exception in the whole neighbour"
    )
    assert "holds the image and 90% of the pictures that the ordinary changes that the study names make" in told.region
    (explained,) = explain(parse('property q: for all y near image("a") (changes = mirror): metallic > ears'))
    assert "the image 'a'" in explained.region
    assert "the change 'mirror'" in explained.region


@pytest.mark.parametrize(
    ("quantifier", "code", "told"),
    [
        ("for all y near x:", "SPEC128", "does not say around which image it lies: 'x'"),
        ("for all y near focus(truck):", "SPEC128", "around which image it lies: 'focus'"),
        ("for 90% of x in images(truck): for all y near z:", "SPEC128", "'z' is not an image"),
        ("for 90% of x in images(truck): for all x near x:", "SPEC128", "'x' stands for the image already"),
        ("for 90% of x in images(truck): for all y in focus(truck):", "SPEC122", "a neighbourhood alone"),
        ("for 90% of x in images(truck): for 50% of y near x:", "SPEC111", "'all' is expected"),
        ("for 90% of x in images(truck): for all y near x (share = 100%):", "SPEC124", "a share of 100%"),
        ("for 90% of x in images(truck): for all y near x (share = 0):", "SPEC124", "a share of 0%"),
        ("for 90% of x in images(truck): for all y near x (size = 3):", "SPEC123", "unknown option 'size'"),
        ("for 90% of x in images(truck): for all y near x (share = 50%, share = 60%):", "SPEC123", "given twice"),
        ("for 90% of x in images(truck): for all y near x (changes ordinary):", "SPEC111", "'=' is expected"),
        ("for 90% of x in images(truck): for all y near x", "SPEC111", "':' is expected"),
        ("for all y near image:", "SPEC111", "'(' is expected"),
    ],
)
def test_what_is_wrong_is_told_with_a_remedy(quantifier: str, code: str, told: str) -> None:
    checked = check_text(f"property p: {quantifier} metallic > ears")
    assert (checked.errors[0].code, told in checked.errors[0].problem) == (code, True)
    assert checked.errors[0].fix


def test_the_formula_speaks_of_the_points_and_not_of_the_image() -> None:
    checked = check_text(f"property p: {SHARE} predict(x, truck) implies metallic > ears")
    assert [problem.code for problem in checked.errors] == ["SPEC205"]
    assert "'y'" in checked.errors[0].fix


def test_names_of_the_language_are_still_names() -> None:
    text = "concept near\nconcept ordinary\nproperty p: for all near in focus(truck): predict(near, truck) => near > ordinary"
    assert check_text(text).errors == ()
