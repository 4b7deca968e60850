import numpy as np
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests

from conspect.analysis import heatmaps
from conspect.analysis.heatmaps import (
    ABOVE,
    BELOW,
    UNCLEAR,
    HeatmapCounts,
    aggregate,
    binarized,
    by_group,
    differential,
)
from conspect.statistics.intervals import newcombe, wilson

# Strengths of three concepts in five images; the fourth has a tie.
STRENGTHS = np.array([[0.3, 0.2, 0.1], [0.3, 0.1, 0.2], [0.1, 0.2, 0.3], [0.2, 0.2, 0.1], [0.0, 0.5, -0.5]])


def test_one_image_gives_ones_and_zeros_and_a_tie_satisfies_neither_direction() -> None:
    assert heatmaps.single_input(STRENGTHS[1]).tolist() == [
        [False, True, True],
        [False, False, False],
        [False, True, False],
    ]
    tied = heatmaps.single_input(STRENGTHS[3])
    assert not tied[0, 1]
    assert not tied[1, 0]


def test_an_aggregate_is_the_sum_of_its_images() -> None:
    counts = aggregate(STRENGTHS)
    assert counts.greater.tolist() == [[0, 2, 4], [2, 0, 3], [1, 2, 0]]
    assert counts.images == 5
    assert np.array_equal(counts.greater, sum(heatmaps.single_input(row).astype(int) for row in STRENGTHS))
    np.testing.assert_allclose(counts.share, [[0, 0.4, 0.8], [0.4, 0, 0.6], [0.2, 0.4, 0]])


def test_a_positive_factor_per_image_changes_nothing() -> None:
    factors = np.array([[1.0], [1e-6], [3.0], [1e6], [0.1]])
    assert np.array_equal(aggregate(STRENGTHS * factors).greater, aggregate(STRENGTHS).greater)


def test_shards_merge_to_the_whole() -> None:
    merged = aggregate(STRENGTHS[:2]) + aggregate(STRENGTHS[2:])
    assert np.array_equal(merged.greater, aggregate(STRENGTHS).greater)
    assert merged.images == 5


def test_groups_are_labels_or_outputs_and_an_empty_one_has_no_share() -> None:
    ground_truth = by_group(STRENGTHS, np.array([0, 0, 2, 2, 2]), 3)
    assert [counts.images for counts in ground_truth] == [2, 0, 3]
    assert ground_truth[0].greater.tolist() == [[0, 2, 2], [0, 0, 1], [0, 1, 0]]
    assert np.isnan(ground_truth[1].share).all()
    output_label = by_group(STRENGTHS, np.array([1, 1, 1, 1, 0]), 3)
    assert output_label[0].greater.tolist() == [[0, 0, 1], [1, 0, 1], [0, 0, 0]]


def test_the_interval_of_a_cell_is_wilsons() -> None:
    low, high = aggregate(STRENGTHS).interval(0.9)
    assert (low[0, 2], high[0, 2]) == tuple(float(v) for v in wilson(4, 5, 0.9))


def counts(cells: dict[tuple[int, int], int], images: int, concepts: int = 3) -> HeatmapCounts:
    """Counts without ties: the cells that are given, and what is left of `images` in the mirrored ones."""
    greater = np.zeros((concepts, concepts), dtype=np.int64)
    for (i, j), number in cells.items():
        greater[i, j], greater[j, i] = number, images - number
    return HeatmapCounts(greater, images)


CORRECT = counts({(0, 1): 95, (0, 2): 60, (1, 2): 10}, 100)
INCORRECT = counts({(0, 1): 5, (0, 2): 11, (1, 2): 18}, 20)


def test_each_count_has_its_interval_once_and_is_decided_where_that_leaves_out_one_half() -> None:
    table = HeatmapCounts(np.array([[0, 8, 5], [2, 0, 9], [5, 8, 0]]), 10).counts_and_intervals(0.95)
    assert table.counts.tolist() == [0, 2, 5, 8, 9]
    # Wilson (1927), by hand: 8 of 10 is 0.490 to 0.943, 9 of 10 is 0.596 to 0.982, and nothing of 10 ends at 0.278.
    assert table.low == pytest.approx([0.0, 0.0567, 0.2366, 0.4902, 0.5958], abs=1e-4)
    assert table.high == pytest.approx([0.2775, 0.5098, 0.7634, 0.9433, 0.9821], abs=1e-4)
    assert table.decided.tolist() == [True, False, False, False, True]
    nothing = HeatmapCounts(np.zeros((2, 2), dtype=np.int64), 0).counts_and_intervals()
    assert (nothing.low.tolist(), nothing.high.tolist(), nothing.decided.tolist()) == ([0.0], [1.0], [False])


def test_the_difference_is_correct_minus_incorrect_with_newcombes_interval() -> None:
    loss = differential(CORRECT, INCORRECT, confidence=0.9)
    np.testing.assert_allclose(loss.difference, [[0, 0.7, 0.05], [-0.7, 0, -0.8], [-0.05, 0.8, 0]], atol=1e-12)
    assert (loss.low[0, 1], loss.high[0, 1]) == tuple(float(v) for v in newcombe(95, 100, 5, 20, 0.9))


def test_p_values_are_exact_tests_corrected_for_the_three_pairs() -> None:
    raw = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        k, m = int(CORRECT.greater[i, j]), int(INCORRECT.greater[i, j])
        tails = [
            fisher_exact(np.array([[k, 100 - k], [m, 20 - m]]), alternative=side).pvalue for side in ("less", "greater")
        ]
        raw.append(min(1.0, 2 * min(tails)))
    adjusted = multipletests(raw, method="holm")[1]
    loss = differential(CORRECT, INCORRECT)
    np.testing.assert_allclose([loss.p_value[0, 1], loss.p_value[0, 2], loss.p_value[1, 2]], adjusted)
    assert np.array_equal(loss.p_value, loss.p_value.T)
    assert np.array_equal(np.diag(loss.p_value), [1, 1, 1])


def test_top_pairs_are_the_significant_losses_largest_first() -> None:
    loss = differential(CORRECT, INCORRECT)
    assert loss.top_pairs(5) == [(2, 1), (0, 1)]
    assert loss.top_pairs(1) == [(2, 1)]
    assert loss.top_pairs(5, alpha=1e-30) == []


def test_nothing_is_significant_where_one_side_has_no_images() -> None:
    empty = HeatmapCounts(np.zeros((3, 3), dtype=np.int64), 0)
    for loss in (differential(CORRECT, empty), differential(empty, INCORRECT), differential(empty, empty)):
        assert np.all(loss.p_value == 1)
        assert loss.top_pairs(5) == []
        assert np.all((loss.low == -1) & (loss.high == 1))


def test_one_concept_has_no_pairs() -> None:
    lone = HeatmapCounts(np.zeros((1, 1), dtype=np.int64), 4)
    assert differential(lone, lone).top_pairs(3) == []
    assert binarized(lone, 0.5).tolist() == [[BELOW]]


def test_a_summary_is_cut_where_the_whole_interval_lies_on_one_side() -> None:
    summary = counts({(0, 1): 95, (0, 2): 75, (1, 2): 70}, 100)
    # Wilson at 0.95: 95 of 100 gives 0.888..0.978, 75 gives 0.657..0.825, 70 gives 0.604..0.781, 25 gives 0.175..0.343.
    assert binarized(summary, 0.75).tolist() == [
        [BELOW, ABOVE, UNCLEAR],
        [BELOW, BELOW, UNCLEAR],
        [BELOW, BELOW, BELOW],
    ]
    # Without an interval the cut is the plain one of paper B; its threshold belongs to the upper side.
    assert binarized(summary, 0.75, confidence=0).tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("confidence", [0.95, 0])
def test_a_summary_of_no_images_is_unclear(confidence: float) -> None:
    empty = HeatmapCounts(np.zeros((2, 2), dtype=np.int64), 0)
    assert binarized(empty, 0.75, confidence=confidence).tolist() == [[BELOW, UNCLEAR], [UNCLEAR, BELOW]]
