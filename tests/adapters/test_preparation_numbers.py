"""What a preprocessing made in Python is given: numbers of other libraries are taken, what makes no image is refused by name."""

import json
from typing import Any

import numpy as np
import pytest

from conspect.adapters.preprocessing.steps import Preprocessing
from conspect.core.diagnostics import UserError


def test_numbers_of_numpy_are_pythons() -> None:
    given: Any = np.asarray([0.5, 0.25, 0.125], np.float32)
    steps = Preprocessing(resize=(2, 2), mean=given, deviation=list(given), scale=np.float32(0.5))  # type: ignore[arg-type]
    assert json.loads(json.dumps(steps.to_json()))["mean"] == [0.5, 0.25, 0.125]
    assert (steps.deviation, steps.scale) == ((0.5, 0.25, 0.125), 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", (0.0, float("nan"), 0.0)),
        ("mean", (0.0, 0.0)),
        ("mean", 0.5),
        ("mean", None),
        ("deviation", (1.0, 0.0, 1.0)),
        ("deviation", ("a", "b", "c")),
        ("scale", 0.0),
        ("scale", float("inf")),
        ("scale", None),
    ],
)
def test_what_makes_no_image_is_refused_by_name(name: str, value: object) -> None:
    given: Any = {name: value}
    with pytest.raises(UserError, match=f"MODEL004.*{name}"):
        Preprocessing(resize=None, **given)
