"""Heatmap cells and failure groups of the same images meet image by image, by value."""

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.stats import binomtest

from conspect.comparison.compare import compare
from conspect.comparison.concepts import cell_tests
from conspect.comparison.orders import Orders, PairedOrders
from conspect.report.comparison import render_comparison
from conspect.results.heatmaps import ShareMatrix
from conspect.results.results import Results
from conspect.statistics.testing import fisher_two_sided, holm
from tests.comparison.studies import failure, with_failures

NAMES = ("old", "new")


def ordered(results: Results, seed: int) -> tuple[Results, Orders]:
    """The study with other strengths in every image, and its table of orders; the counts are those of the table."""
    rng, concepts = np.random.default_rng(seed), results.heatmaps.concepts
    sizes = [matrix.images for matrix in results.heatmaps.ground_truth]
    labels = [name for name, size in zip(results.classes, sizes, strict=True) for _ in range(size)]
    ranks = np.argsort(rng.random((len(labels), len(concepts))), axis=1).astype(np.uint8)
    return counted(results, Orders(tuple(f"image {k}" for k in range(len(labels))), tuple(labels), concepts, ranks))


def counted(results: Results, orders: Orders) -> tuple[Results, Orders]:
    truth = []
    for name in results.classes:
        own = orders.ranks[[label == name for label in orders.labels]]
        greater = (own[:, :, None] > own[:, None, :]).sum(0).tolist()
        truth.append(ShareMatrix(images=len(own), greater=tuple(map(tuple, greater))))
    return replace(results, heatmaps=replace(results.heatmaps, ground_truth=tuple(truth))), orders


def exchanged(orders: Orders, first: int, second: int, images: slice) -> Orders:
    """The same table, but two concepts change places in some images."""
    ranks = orders.ranks.copy()
    ranks[images, first], ranks[images, second] = orders.ranks[images, second], orders.ranks[images, first]
    return replace_ranks(orders, ranks)


def replace_ranks(orders: Orders, ranks: np.ndarray) -> Orders:
    return Orders(orders.ids, orders.labels, orders.concepts, ranks)


def test_each_cell_is_mcnemars_test_of_its_images_corrected_over_all_cells(before: Results) -> None:
    (old, then), (new, now) = ordered(before, 1), ordered(before, 2)
    tests = cell_tests(old, new, (then, now))
    assert tests is not None
    assert tests.paired.all()
    raw = []
    for label, first, second in tests.cells:
        i, j = then.concepts.index(first), then.concepts.index(second)
        own = [k for k, name in enumerate(then.labels) if name == label]
        held = [then.ranks[k, i] > then.ranks[k, j] for k in own]
        holds = [now.ranks[k, i] > now.ranks[k, j] for k in own]
        gained = sum(b and not a for a, b in zip(held, holds, strict=True))
        lost = sum(a and not b for a, b in zip(held, holds, strict=True))
        raw.append(binomtest(gained, gained + lost).pvalue if gained + lost else 1.0)
    assert tests.p_values == pytest.approx(holm(np.asarray(raw)))


def test_a_change_that_two_samples_would_hide_is_seen_image_by_image(before: Results) -> None:
    old, then = ordered(before, 3)
    ranks = then.ranks.copy()
    first, second = 0, 1
    weaker = np.flatnonzero((then.ranks[:, first] < then.ranks[:, second]) & (np.asarray(then.labels) == "red"))[:9]
    ranks[weaker, first], ranks[weaker, second] = then.ranks[weaker, second], then.ranks[weaker, first]
    new, now = counted(before, replace_ranks(then, ranks))
    lone, pairs = cell_tests(old, new, (None, None)), cell_tests(old, new, (then, now))
    assert lone is not None
    assert pairs is not None
    cell = pairs.cells.index(("red", then.concepts[first], then.concepts[second]))
    assert pairs.moved[cell].tolist() == [len(weaker), 0]
    assert not lone.paired.any()
    assert (lone.old == pairs.old).all()
    assert (
        lone.p_values[cell]
        == holm(fisher_two_sided(lone.new[:, 0], lone.new[:, 1], lone.old[:, 0], lone.old[:, 1]))[cell]
    )
    assert pairs.p_values[cell] < lone.p_values[cell]


def test_a_table_in_another_order_of_images_gives_the_same_pairs(before: Results) -> None:
    (old, then), (new, now) = ordered(before, 1), ordered(before, 2)
    turned = Orders(now.ids[::-1], now.labels[::-1], now.concepts, now.ranks[::-1])
    straight, other = cell_tests(old, new, (then, now)), cell_tests(old, new, (then, turned))
    assert straight is not None
    assert other is not None
    assert np.array_equal(straight.moved, other.moved)


@pytest.mark.parametrize("kind", ["no table", "other ids", "an id twice", "other classes", "a concept missing"])
def test_tables_that_do_not_hold_the_same_images_are_not_paired(before: Results, kind: str) -> None:
    _, then = ordered(before, 1)
    ids, labels, concepts = list(then.ids), list(then.labels), then.concepts
    if kind == "other ids":
        ids[0] = "another"
    if kind == "an id twice":
        ids[0] = ids[1]
    if kind == "other classes":
        labels[0], labels[-1] = labels[-1], labels[0]
    if kind == "a concept missing":
        concepts = ("another", *concepts[1:])
    other = None if kind == "no table" else Orders(tuple(ids), tuple(labels), concepts, then.ranks)
    assert PairedOrders.of(then, other, then.concepts) is None


def test_cells_whose_table_does_not_give_the_counts_of_the_results_meet_as_two_samples_and_that_is_said(
    before: Results,
) -> None:
    (old, then), (new, now) = ordered(before, 1), ordered(before, 2)
    red = slice(0, now.labels.count("red"))
    forged = exchanged(now, 0, 1, red)
    comparison = compare(old, new, names=NAMES, orders=(then, forged))
    assert comparison.heatmaps is not None
    assert 0 < comparison.heatmaps.paired < comparison.heatmaps.tested
    assert any("heatmap cells image by image" in entry.what for entry in comparison.not_compared)
    whole = compare(old, new, names=NAMES, orders=(then, now))
    assert whole.heatmaps is not None
    assert whole.heatmaps.paired == whole.heatmaps.tested
    assert not any("heatmap cells" in entry.what for entry in whole.not_compared)


def test_other_images_are_never_paired_by_their_names(before: Results) -> None:
    (old, then), (new, now) = ordered(before, 1), ordered(before, 2)
    other = replace(new, dataset=replace(new.dataset, digest="other"))
    comparison = compare(old, other, names=NAMES, orders=(then, now))
    assert comparison.heatmaps is not None
    assert comparison.heatmaps.paired == 0


def test_sentences_and_page_say_how_many_images_gained_and_lost_an_order(before: Results) -> None:
    old, then = ordered(before, 4)
    ranks = then.ranks.copy()
    ranks[:, [0, 1]] = np.sort(then.ranks[:, [0, 1]], axis=1)  # the second is the stronger in every image
    new, now = counted(before, replace_ranks(then, ranks))
    comparison = compare(old, new, names=NAMES, orders=(then, now))
    assert comparison.heatmaps is not None
    cell = comparison.heatmaps.cells[0]
    assert (cell.pairing, cell.gained is None) == ("paired", False)
    said = "\n".join(comparison.sentences)
    assert "heatmap cells changed beyond chance (image by image; corrected over all of them)" in said
    assert f"({cell.gained} images gained this order, {cell.lost} lost it)" in said
    assert f"+{cell.gained} −{cell.lost}" in render_comparison(comparison)


def test_failure_groups_of_the_same_images_are_counted_by_who_came_and_who_went(before: Results) -> None:
    kept = [image for image in before.localization.images if (image.label, image.output) != ("blue", "red")]
    theirs = with_failures(before, [*kept, *(failure(before, f"old{k}", "blue", "red") for k in range(1))])
    ours = with_failures(before, [*kept, *(failure(before, f"new{k}", "blue", "red") for k in range(14))])
    comparison = compare(theirs, ours, names=NAMES)
    (group,) = comparison.failure_groups
    assert (group.pairing, group.joined, group.left) == ("paired", 14, 1)
    assert group.p_value == pytest.approx(
        min(1.0, binomtest(1, 15).pvalue * len(before.classes) * (len(before.classes) - 1))
    )
    assert any("(14 came, 1 went)" in line for line in comparison.sentences)
    assert "+14 −1" in render_comparison(comparison)
