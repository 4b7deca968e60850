"""What `conspect explain` prints: sets, shifts and what is said of them."""

from __future__ import annotations

import pytest

from conspect.cli.explain import _at_most, _counterfactual, _set
from conspect.results.explanations import Counterfactual, SetMember, Shift

TALL = SetMember(concept="tall", twins=("long",), by="lack", seen="seen")
TEXT = SetMember(concept="text", by="presence", seen="seen")


def test_a_group_beside_other_concepts_stands_in_brackets_and_alone_it_does_not() -> None:
    assert _set((TALL, TEXT)) == "(lack of “tall” or “long”) and “text”"
    assert _set((TALL,)) == "lack of “tall” or “long”"
    assert _set((TEXT, TEXT)) == "“text” and “text”"


@pytest.mark.parametrize(
    ("deviations", "said"),
    [
        (0.0, "less than 0.001"),
        (0.001, "at most 0.01"),
        (0.03, "at most 0.03"),
        (0.07, "at most 0.07"),
        (0.531, "at most 0.54"),
    ],
)
def test_how_far_cosines_move_is_rounded_up_and_never_to_nothing(deviations: float, said: str) -> None:
    assert _at_most(deviations) == said


@pytest.mark.parametrize("border", [True, False])
def test_where_hardly_anything_has_to_change_the_image_is_said_to_lie_on_the_border(*, border: bool) -> None:
    change = Counterfactual(
        restored="cat",
        shifts=(Shift(concept="ears", deviations=0.6), Shift(concept="wet", deviations=0.001)),
        decimals=3,
        of_the_two=True,
        cosines_move=0.01,
        distance=1.0,
        on_the_border=border,
    )
    assert any("on the border" in line for line in _counterfactual(change, "dog")) is border
