"""What is nearly all is not printed as all, and what is nearly none not as none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.percentages import level, narrow, percent, percent_range, rounded_share


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (None, 1, "–"), (0.0, 1, "0.0 %"), (1.0, 1, "100.0 %"), (0.9999, 1, "over 99.9 %"), (0.0001, 1, "under 0.1 %"),
        (0.9994, 1, "99.9 %"), (0.0005, 1, "0.1 %"), (0.123456, 2, "12.35 %"), (0.99996, 2, "over 99.99 %"),
        (0.999, 0, "over 99 %"), (0.004, 0, "under 1 %"), (1.5, 1, "150.0 %"),
    ],
)  # fmt: skip
def test_a_share_is_rounded_but_never_to_an_end_that_it_is_not(share: float | None, digits: int, text: str) -> None:
    assert percent(share, digits) == text
    assert narrow(share, digits) == text.replace(" %", "%")


@given(st.floats(0, 1), st.integers(0, 4))
def test_only_all_is_all_and_only_none_is_none(share: float, digits: int) -> None:
    text = percent(share, digits)
    assert (text.split()[0].rstrip("0.") == "1" and "100" in text) == (share == 1)
    assert text.startswith("0") is False or share == 0 or any(c in "123456789" for c in text)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.931, 0.9504, "93.1 to 95.0 %"), (0.9997, 0.99999, "99.9 to 100.0 %"), (1.0, 1.0, "100.0 to 100.0 %"),
        (0.0, 0.0, "0.0 to 0.0 %"), (0.0, 0.0001, "0.0 to 0.1 %"),
    ],
)  # fmt: skip
def test_the_ends_of_an_interval_are_no_more_than_what_is_known(low: float, high: float, text: str) -> None:
    assert percent_range(low, high) == text


@given(st.floats(0, 1), st.integers(1, 6))
def test_a_rounded_share_is_all_or_none_only_where_the_share_is(share: float, digits: int) -> None:
    rounded = rounded_share(share, digits)
    assert (rounded == 1, rounded == 0) == (share == 1, share == 0)
    assert abs(rounded - share) <= 10**-digits


def test_a_level_that_was_asked_for_has_the_digits_that_it_has() -> None:
    assert [level(share) for share in (0.9, 0.95, 0.975, 0.07, 1.0, 1e-5)] == [
        "90 %",
        "95 %",
        "97.5 %",
        "7 %",
        "100 %",
        "0.001 %",
    ]
    assert level(0.9999, "%") == "99.99%"
