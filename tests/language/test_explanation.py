import pytest
from hypothesis import given

from conspect.language import explain, parse
from conspect.language.syntax.grammar import SHAPES
from conspect.language.syntax.tree import Module, Property, Specification
from tests.language.strategies import specifications


def claim(formula: str) -> str:
    return explain(parse(f"property p: for all x in focus(truck): {formula}"))[0].claim


def test_claims_read_as_english() -> None:
    assert claim("predict(x, truck) => metallic > ears") == (
        "If the model assigns 'truck', then 'metallic' is stronger than 'ears'."
    )
    assert claim("not predict(x, truck) or hasCon(x, wet) and not ears > beak") == (
        "The model does not assign 'truck', or ('wet' is present, and 'ears' is not stronger than 'beak')."
    )
    assert claim("a > b > c iff not hasCon(x, d)") == (
        "'a' is stronger than 'b', which is stronger than 'c' exactly when 'd' is not present."
    )
    assert claim("each of {a, b} > each of {c, d}") == "Each of 'a' and 'b' is stronger than each of 'c' and 'd'."
    assert claim("hasCon(x, a, b, c)") == "'a', 'b' and 'c' are present."


def test_regions_and_quantifiers_are_told() -> None:
    text = """concept a = "made of metal"
property p: for all x in focus(truck, gamma = 0.4, shape = box) where predict(x, truck): a > b
property q: for 95% of x in images(truck, split = "test"): a > b
property r: for x = image("test/1"): a > b
a > b
Module m (net, ship, clip) { E e ::> predict(ship) }
"""
    region, share, image, bare, module = explain(parse(text))
    assert "0.4 standard deviations to each side" in region.region
    assert "that the model assigns to 'truck'" in region.region
    assert "coverage" in region.region
    assert region.quantifier.startswith("without exception: for every point of the region")
    assert region.notes[-1] == "'a' is read as: made of metal."
    assert share.quantifier.startswith("for at least 95% of all images like these; an exact binomial test")
    assert share.region == "the images of class 'truck' in the split 'test'."
    assert image.region == "the image 'test/1'."
    assert bare.quantifier.startswith("not said: the formula is bare")
    assert (module.name, module.line) == ("m.e", 6)
    assert "network 'net', read through the representation 'clip'" in module.region
    assert str(share).splitlines()[0] == "q (line 3)"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_region_is_told(shape: str) -> None:
    (told,) = explain(parse(f"property p: for all x in focus(truck, shape = {shape}): a > b"))
    assert "embeddings around the mean of class 'truck'" in told.region


@given(specifications)
def test_whatever_can_be_written_can_be_explained(specification: Specification) -> None:
    told = explain(specification)
    written = [
        part.name if isinstance(item, Property) else f"{item.name}.{part.name}"
        for item in specification.items
        if isinstance(item, Property | Module)
        for part in ([item] if isinstance(item, Property) else item.properties)
    ]
    assert [explanation.name for explanation in told] == written
    assert all("claims: " in str(explanation) for explanation in told)
