"""The largest size proved of a weaker formula is no smaller than that of a stronger one."""

from __future__ import annotations

import itertools

import pytest

from conspect.language import check_text
from conspect.verification.engine.sizes import RELATIVE
from conspect.verification.verify import verify
from tests.verification.subjects import model_with_images


@pytest.mark.parametrize("shape", ["box", "pca-box", "ellipsoid"])
def test_a_premise_makes_no_largest_size_smaller(shape: str) -> None:
    compared = 0
    for seed in range(3):
        pairs = list(itertools.permutations("abcd", 2))
        text = "\n".join(
            f"property {name}{k}: for all x in focus(car, gamma = 0.05, shape = {shape}): {premise}{a} > {b}"
            for k, (a, b) in enumerate(pairs)
            for name, premise in (("weak", "predict(x, car) implies "), ("strong", ""))
        )
        results = {
            r.name: r for r in verify(check_text(text.encode()).require(), model_with_images(seed, dimension=16))
        }
        for k in range(len(pairs)):
            weak, strong = results[f"weak{k}"].gamma_max, results[f"strong{k}"].gamma_max
            if strong is None or strong.low is None:
                continue
            assert weak is not None
            assert weak.low is not None
            compared += 1
            assert weak.low >= strong.low * (1 - 2 * RELATIVE), (pairs[k], weak, strong)
    assert compared >= 10
