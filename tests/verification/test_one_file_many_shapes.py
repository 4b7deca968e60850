"""A property's verdict is its own, whatever stands beside it in the file; sizes asked for on the command line are obeyed."""

from fractions import Fraction
from itertools import permutations

import pytest

from conspect.language import check_text
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.verify import verify
from tests.verification.subjects import model_with_images, plane

SHAPES = ("box", "pca-box", "ellipsoid", "span", "band")
BODIES = ("a > b", "predict(x, car) implies a > b", "not hasCon(x, d)")


def text_of(name: str, shape: str, gamma: str, body: str) -> str:
    return f"property {name}: for all x in focus(car, gamma = {gamma}, shape = {shape}): {body}\n"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("first", "second"), list(permutations(SHAPES, 2)))
def test_shapes_in_one_file_are_decided_as_each_alone(first: str, second: str, seed: int) -> None:
    model = model_with_images(seed)
    pieces = [
        text_of(f"p{k}{n}", shape, "3/2", body)
        for n, shape in enumerate((first, second))
        for k, body in enumerate(BODIES)
    ]
    together = verify(check_text("".join(pieces)).require(), model, VerifyOptions())
    alone = [verify(check_text(piece).require(), model, VerifyOptions())[0] for piece in pieces]
    assert [r.verdict.outcome for r in together] == [r.verdict.outcome for r in alone]
    assert [r.gamma_max for r in together] == [r.gamma_max for r in alone]
    assert [r.margin for r in together] == [r.margin for r in alone]


@pytest.mark.parametrize("shape", ["span", "band"])
def test_a_size_asked_for_by_option_is_that_of_regions_of_readouts_too(shape: str) -> None:
    text = f"property p: for all x in focus(east, shape = {shape}): right > up"
    (asked,) = verify(check_text(text).require(), plane(), VerifyOptions(gamma=Fraction(1, 2)))
    (written,) = verify(check_text(text.replace("east,", "east, gamma = 1/2,")).require(), plane(), VerifyOptions())
    (default,) = verify(check_text(text).require(), plane(), VerifyOptions())
    assert asked.region is not None
    assert written.region is not None
    assert default.region is not None
    assert asked.region.size == written.region.size == Fraction(1, 2)
    assert "90.0%" in default.region.provenance


@pytest.mark.parametrize("shape", ["span", "band"])
def test_what_is_false_in_the_middle_of_a_region_is_refuted_there_though_no_image_is_inside(shape: str) -> None:
    text = f"property p: for all x in focus(east, shape = {shape}, gamma = 1/1000): up > right"
    (result,) = verify(check_text(text).require(), plane(), VerifyOptions())
    assert result.verdict.outcome == "violated"


def test_a_proof_that_is_a_bound_of_the_band_itself_says_so_and_one_of_several_bounds_does_not() -> None:
    note = "the band's own definition"
    model = model_with_images(1)

    def notes(body: str, gamma: str) -> tuple[str, str]:
        (result,) = verify(check_text(text_of("p", "band", gamma, body)).require(), model, VerifyOptions())
        return result.verdict.outcome, " ".join(result.caveats)

    outcomes = [notes(f"{first} > {second}", "1/100") for first, second in permutations("abcd", 2)]
    assert any(outcome == "holds" for outcome, _ in outcomes)
    assert all((note in said) == (outcome == "holds") for outcome, said in outcomes)
