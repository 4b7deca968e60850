"""The time that a result names, by a clock that goes on by a second whenever somebody looks."""

import time
from itertools import count

import pytest

from conspect.language import check_text
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.verify import verify
from tests.verification.subjects import changed_model

OPTIONS = VerifyOptions(nearest=0, search_gamma=False)


def seconds_of(*claims: str, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    model = changed_model(0)
    text = "".join(f"property p{k}: {claim}\n" for k, claim in enumerate(claims))
    tree = check_text(text.encode()).require()
    clock = count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    return [result.seconds for result in verify(tree, model, OPTIONS)]


def test_what_properties_around_images_took_together_is_shared_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = [f"for 70% of x in images(car): for all y near x: {pair}" for pair in ("a > b", "b > c", "c > a", "d > a")]
    for number in (1, 2, 4):
        assert seconds_of(*claims[:number], monkeypatch=monkeypatch) == [1 / number] * number


def test_a_property_of_images_or_of_a_region_has_the_time_that_it_took_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = ["for 50% of x in images(car): a > b", 'for x = image("test0"): a > b', "for all x in focus(car): a > b"]
    assert seconds_of(claims[0], claims[0], monkeypatch=monkeypatch) == [1.0, 1.0]
    assert seconds_of(claims[1], claims[1], monkeypatch=monkeypatch) == [1.0, 1.0]
    # Of a region: a second to look at all together, one to decide and one to describe.
    assert seconds_of(claims[2], monkeypatch=monkeypatch) == [3.0]
    assert seconds_of(claims[2], claims[2], monkeypatch=monkeypatch) == [2.5, 2.5]
    assert seconds_of(claims[2].replace("focus(car)", "focus(car, shape = band)"), monkeypatch=monkeypatch) == [1.0]
