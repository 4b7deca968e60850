"""Pairs that hardly any image shows, against a count of every pair of every class."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from conspect.analysis.explanation.thin_combinations import thin_combinations

CONCEPTS, CLASSES, TAKING_PART = 7, 3, np.array([0, 1, 3, 4, 6])


def images(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some pairs of some classes go together less often than chance, from hardly to never."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, 900)
    more = rng.random((900, CONCEPTS)) < rng.uniform(0.2, 0.4, CONCEPTS)
    for label, first, second, kept in ((0, 0, 1, 0.0), (0, 3, 4, 0.2), (1, 1, 6, 0.4), (2, 0, 6, 0.1), (1, 2, 5, 0.0)):
        both = (labels == label) & more[:, first] & more[:, second]
        more[both & (rng.random(900) >= kept), second] = False
    ruled_out = np.zeros((CLASSES, CONCEPTS), dtype=bool)
    ruled_out[2, 0] = seed % 2 == 0
    return more, labels, ruled_out


@pytest.mark.parametrize("seed", range(8))
def test_every_pair_is_found_that_a_count_of_all_pairs_finds(seed: int) -> None:
    more, labels, ruled_out = images(seed)
    pairs = list(combinations(TAKING_PART.tolist(), 2))
    expected = []
    for label in range(CLASSES):
        own = more[labels == label]
        for first, second in pairs:
            a, b = own[:, first], own[:, second]
            together, chance = int((a & b).sum()), a.sum() * b.sum() / len(own)
            table = np.array([[together, (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]])
            p_value = min(1.0, 2 * min(fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")))
            if (
                not ruled_out[label, [first, second]].any()
                and together <= 0.25 * chance
                and together < 10 <= chance
                and p_value * len(pairs) * CLASSES < 0.05
            ):
                expected.append((label, (first, second), together, float(chance)))
    rare = thin_combinations(more[:, TAKING_PART], labels, TAKING_PART, ruled_out[:, TAKING_PART])
    thin = sorted((each.label, each.concepts, each.images, each.expected) for each in rare)
    assert [entry[:3] for entry in thin] == [entry[:3] for entry in sorted(expected)]
    assert [entry[3] for entry in thin] == pytest.approx([entry[3] for entry in sorted(expected)])
    shares = [each.images / each.expected for each in rare]
    assert shares == sorted(shares)
    assert 1 <= len(rare) <= 10
