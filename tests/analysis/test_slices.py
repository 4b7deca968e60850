import tracemalloc

import numpy as np
import pytest
from scipy import stats

from conspect.analysis.slices import by_slice, satisfied_shares
from conspect.core.concepts import ClassAttributes


def test_a_planted_bad_slice_comes_first_with_its_counts_and_test() -> None:
    weather = ["rain"] * 20 + ["sun"] * 60 + [None] * 20
    camera = ["a", "b"] * 50
    right = np.ones(100, dtype=bool)
    right[[0, 1, 2, 3, 4, 5, 6, 7, 30, 90]] = False
    verdicts = [None if ok else ("encoder" if row < 6 else "head") for row, ok in enumerate(right)]
    satisfied = np.where(np.arange(100) < 20, 0.25, np.nan)
    slices = by_slice({"weather": weather, "camera": camera}, right, verdicts, satisfied)
    worst = slices[0]
    assert (worst.column, worst.value, worst.images, worst.correct) == ("weather", "rain", 20, 12)
    assert (worst.rest_images, worst.rest_correct) == (60, 59), "images without a value are in no slice and in no rest"
    assert worst.failures == {"encoder": 6, "head": 2}
    assert worst.satisfied == 0.25
    assert [part.value for part in slices] == ["rain", "a", "b", "sun"]
    tails = stats.hypergeom(80, 71, 20)
    plain = 2 * min(tails.cdf(12), tails.sf(11))
    assert worst.p_value == pytest.approx(4 * plain), "Holm: the smallest of four"
    assert slices[-1].satisfied is None


def test_a_column_with_one_value_or_none_at_all_is_no_finding() -> None:
    right = np.array([True, False])
    (part,) = by_slice({"a": ["x", "x"], "b": [None, None]}, right, [None, "head"], np.full(2, np.nan))
    assert (part.images, part.rest_images, part.p_value) == (2, 0, 1.0)
    assert by_slice({}, right, [None, "head"], np.full(2, np.nan)) == []


def test_the_share_of_satisfied_predicates_counts_relevant_over_irrelevant() -> None:
    table = ClassAttributes(("cat", "dog"), ("fur", "wheels", "wings"), np.array([[0.9, 0.0, 0.05], [0.3, 0.2, 0.4]]))
    strengths = np.array([[0.5, 0.1, 0.2], [0.5, 0.6, 0.2], [0.5, 0.5, 0.9], [0.1, 0.0, 0.0]])
    shares = satisfied_shares(strengths, np.array([0, 0, 0, 1]), table)
    assert shares[:3].tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(shares[3]), "nothing is expected of a dog"
    assert np.isnan(satisfied_shares(strengths, np.zeros(4, dtype=np.int64), None)).all()


def test_memory_does_not_grow_with_the_values_of_a_column() -> None:
    images, rng = 50_000, np.random.default_rng(0)

    def peak(values: int) -> int:
        column: list[str | None] = [f"v{k}" for k in rng.integers(0, values, images)]
        tracemalloc.start()
        by_slice({"place": column}, rng.random(images) < 0.5, [None] * images, np.full(images, np.nan))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(150) < 1.5 * peak(2) + 50_000
