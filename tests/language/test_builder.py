from collections.abc import Callable
from fractions import Fraction

import pytest

from conspect.core.diagnostics import UserError
from conspect.language import parse
from conspect.language.syntax.builder import (
    chain,
    claim,
    classes,
    concepts,
    declare,
    each,
    focus,
    for_all,
    for_image,
    for_share,
    has,
    iff,
    images,
    predict,
    specification,
)
from conspect.language.syntax.tree import Stronger

truck, car = classes("truck car")
metallic, ears, wheels, beak = concepts("metallic ears wheels beak")


def test_what_is_built_equals_what_is_parsed() -> None:
    built = specification(
        [
            declare(truck),
            declare(metallic, "made of metal", "shiny"),
            claim("a", for_all(focus(truck, gamma=0.4, cut=True)), predict(truck) >> (metallic > ears)),
            claim(
                "b", for_share("95%".rstrip("%") + "/100", images(truck, split="test")), (metallic > ears) & has(wheels)
            ),
            claim(
                "c", for_image("test/1"), ~chain(metallic, wheels, ears) | (each(metallic, wheels) > each(ears, beak))
            ),
            claim(
                "d", for_all(focus(car, coverage="1/3", shape="ellipsoid")), iff(predict(car), has(metallic, wheels))
            ),
            claim("formula_1", None, (metallic > each(ears, beak)) & (ears < wheels) & ~predict("truck")),
        ]
    )
    text = """
class truck
concept metallic = "made of metal", "shiny"
property a: for all x in focus(truck, gamma = 0.4) where predict(x, truck): predict(x, truck) implies metallic > ears
property b: for 95% of x in images(truck, split = "test"): metallic > ears and hasCon(x, wheels)
property c: for x = image("test/1"): not metallic > wheels > ears or each of {metallic, wheels} > each of {ears, beak}
property d: for all x in focus(car, coverage = 1/3, shape = ellipsoid): predict(x, car) iff hasCon(x, metallic, wheels)
metallic > each of {ears, beak} and wheels > ears and not predict(x, truck)
"""
    assert built == parse(text)


def test_equality_is_a_bool_for_terms_and_trees() -> None:
    assert (metallic == concepts("metallic")[0]) is True
    assert (metallic == ears) is False
    assert ((metallic > ears) == Stronger("metallic", "ears")) is True
    assert ((metallic > ears) == (ears > metallic)) is False
    assert len({metallic > ears, metallic > ears}) == 1


def test_names_with_spaces_are_given_one_by_one() -> None:
    snout, fur = concepts("long snout", "fur")
    assert (snout > fur) == Stronger("long snout", "fur")


@pytest.mark.parametrize(
    ("mistake", "code"),
    [
        (lambda: metallic > ears > wheels, "SPEC301"),
        (lambda: not (metallic > ears), "SPEC301"),
        (lambda: metallic > ears & wheels > beak, "SPEC302"),
        (lambda: predict(truck) >> metallic > ears, "SPEC302"),
        (lambda: metallic | ears, "SPEC302"),
        (lambda: ~metallic, "SPEC302"),
        (has, "SPEC302"),
        (lambda: chain(metallic), "SPEC302"),
        (lambda: metallic > 3, "SPEC302"),
        (lambda: (metallic > ears) & 1, "SPEC302"),
        (lambda: (metallic > ears) > (ears > wheels), "SPEC302"),
        (lambda: iff(metallic, ears), "SPEC302"),  # type: ignore[arg-type]
        (lambda: claim("p", None, metallic), "SPEC302"),  # type: ignore[arg-type]
        (lambda: truck > ears, "SPEC203"),
        (lambda: metallic > truck, "SPEC203"),
        (lambda: has(truck), "SPEC203"),  # type: ignore[arg-type]
        (lambda: predict(metallic), "SPEC204"),  # type: ignore[arg-type]
        (lambda: focus(truck, gamma=1, coverage=1), "SPEC123"),
        (lambda: focus(truck, gamma=-1), "SPEC124"),
        (lambda: focus(truck, coverage=0), "SPEC124"),
        (lambda: focus(truck, gamma=float("nan")), "SPEC124"),
        (lambda: focus(truck, gamma="wide"), "SPEC124"),
        (lambda: for_share(1.5, images()), "SPEC124"),
    ],
)
def test_what_python_would_silently_misread_is_refused(mistake: Callable[[], object], code: str) -> None:
    with pytest.raises(UserError) as raised:
        mistake()
    assert raised.value.diagnostics[0].code == code


def test_a_float_counts_as_the_decimal_it_prints() -> None:
    assert focus(truck, gamma=0.1).gamma == Fraction(1, 10)
