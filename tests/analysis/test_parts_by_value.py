"""Numbers of several analyses worked out by hand or by loops: kernels, labels, class orders, losses, moves, grades."""

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize
from scipy.stats import hypergeom, norm

from conspect.analysis import class_order, dominance
from conspect.analysis.alignment import AlignmentSums, fit_arrays, fold_sums, quality, stream_sums
from conspect.analysis.caption_retrieval import retrieval_ranks
from conspect.analysis.class_order import order_in
from conspect.analysis.concepts import suggestions
from conspect.analysis.concepts.grades import ConceptMeasures, Grade, _correlation, _graded, _Shown, _unexplained
from conspect.analysis.diagnosis.labels import calibrated, judge_labels, sharpness
from conspect.analysis.explanation import failure_groups
from conspect.analysis.explanation.counterfactual import concept_moves, counterfactual, shift_of_few, smallest_shift
from conspect.analysis.explanation.maps import concept_map
from conspect.analysis.explanation.standing_out import Sayable
from conspect.analysis.localization import Blame, Culprit, blame_of, part_losses, summary_of, undivided
from conspect.analysis.thresholds import _best_cut
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.core.vectors import log_softmax
from conspect.statistics.intervals import auroc_interval

# ---------------------------------------------------------------- counts


@given(st.lists(st.permutations([1.0, 2.0, 3.0, 4.0]), min_size=1, max_size=6), st.integers(0, 99))
def test_the_kernels_that_are_compiled_count_what_their_source_says(rows: list[list[float]], seed: int) -> None:
    """Interpreted, so that the source itself is run; what is compiled of it is compared elsewhere."""
    first = np.array(rows)
    second = np.random.default_rng(seed).permuted(first, axis=1)
    greater, agreeing = np.zeros((2, 4, 4), dtype=np.uint8)
    dominance._compiled_kernel().py_func(first, greater)  # type: ignore[attr-defined]
    dominance._compiled_agreement().py_func(first, second, agreeing)  # type: ignore[attr-defined]
    by_numpy, agreed = np.zeros((2, 4, 4), dtype=np.uint8)
    dominance._numpy_kernel(first, by_numpy)
    dominance._numpy_agreement(first, second, agreed)
    for i in range(4):
        for j in range(4):
            wins = sum(row[i] > row[j] for row in first)
            alike = sum((a[i] > a[j]) == (b[i] > b[j]) for a, b in zip(first, second, strict=True))
            assert greater[i, j] == by_numpy[i, j] == (wins if i < j else 0)
            assert agreeing[i, j] == agreed[i, j] == (alike if i < j else 0)


@pytest.mark.parametrize("kernel", ["numpy", "numba"])
@pytest.mark.parametrize("threads", [1, 3])
def test_counts_over_several_blocks_with_ties_and_nan_are_those_of_the_definition(kernel: Any, threads: int) -> None:
    values = np.random.default_rng(5).integers(0, 6, (3 * dominance.BLOCK_ROWS + 7, 5)).astype(float)
    values[::50, 2] = np.nan
    expected = [[int((values[:, i] > values[:, j]).sum()) for j in range(5)] for i in range(5)]
    assert dominance.count(values, threads=threads, kernel=kernel).tolist() == expected
    assert dominance.count_reference(values).tolist() == expected
    first, second = np.nan_to_num(values), np.nan_to_num(values)[::-1].copy()
    alike = [
        [int((np.sign(first[:, i] - first[:, j]) == np.sign(second[:, i] - second[:, j])).sum()) for j in range(5)]
        for i in range(5)
    ]
    assert dominance.count_agreeing(first, second, kernel=kernel).tolist() == alike
    assert dominance.count_agreeing_reference(first, second).tolist() == alike
    assert 2 * dominance.BLOCK_ROWS > 255 >= dominance.BLOCK_ROWS


# ---------------------------------------------------------------- judges of labels


def test_log_probabilities_are_those_of_the_definition() -> None:
    scores = np.array([[1.0, 2.0, 4.0], [1000.0, 0.0, -5.0]])
    assert np.exp(log_softmax(scores)).sum(axis=1) == pytest.approx([1.0, 1.0])
    assert log_softmax(scores)[0] == pytest.approx(
        [v - math.log(sum(math.exp(u) for u in (1, 2, 4))) for v in (1, 2, 4)]
    )


def calibrated_by_loops(scores: Any, labels: Any, absent: Any, by: Any) -> Any:
    kept = [k for k in range(scores.shape[1]) if not absent[k]]
    deviations = np.concatenate([row[kept] - row[kept].mean() for row in scores])
    unit = scores / (deviations.std() or 1.0)
    if any(absent):
        lowest = min(unit[i, k] for i in range(len(unit)) for k in kept) - 100.0
        unit = unit.copy()
        unit[:, [k for k in range(len(absent)) if absent[k]]] = lowest
    rows = np.flatnonzero(by) if by.any() else range(len(labels))
    best = None
    for step in range(71):
        factor = math.exp(-4 + step / 10)
        value = np.mean([factor * unit[i, labels[i]] - np.log(np.exp(factor * unit[i]).sum()) for i in rows])
        if best is None or value > best[0] + 1e-12:
            best = (value, factor)
    assert best is not None
    scaled = best[1] * unit
    return np.array([row - np.log(np.exp(row).sum()) for row in scaled]), best[1]


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_calibrated_by_the_temperature_that_makes_labels_likeliest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 60)
    scores = 7 * (np.eye(4)[labels] + rng.normal(size=(60, 4)))
    for absent in (np.zeros(4, dtype=bool), np.array([False, False, False, True])):
        for by in (np.ones(60, dtype=bool), rng.random(60) < 0.5, np.zeros(60, dtype=bool)):
            expected, _ = calibrated_by_loops(scores, labels, absent, by)
            assert calibrated(scores, labels, absent=absent, by=by) == pytest.approx(expected)
    expected, factor = calibrated_by_loops(scores, labels, np.zeros(4, dtype=bool), np.ones(60, dtype=bool))
    assert calibrated(scores, labels) == pytest.approx(expected)
    spread = (scores - scores.mean(axis=1, keepdims=True)).std()
    assert sharpness(scores, labels) == pytest.approx(factor / spread)
    assert sharpness(scores + 5.0, labels) == pytest.approx(factor / spread)


def wrong_by_loops(probabilities: Any, labels: Any, known: Any) -> Any:
    classes, images = probabilities.shape[1], len(labels)
    given = [[0.98 if k == c else 0.02 / (classes - 1) for c in range(classes)] for k in range(classes)]
    posterior = [[0.0] * classes for _ in range(images)]
    for _ in range(5):
        for i in range(images):
            row = [probabilities[i, k] * given[k][labels[i]] for k in range(classes)]
            posterior[i] = [v / sum(row) for v in row]
        counts = [
            [sum(posterior[i][k] for i in range(images) if known[i] and labels[i] == c) for c in range(classes)]
            for k in range(classes)
        ]
        off = sum(counts[k][c] for k in range(classes) for c in range(classes) if k != c) / (classes * (classes - 1))
        counts = [[counts[k][c] + (0.5 * off if k != c else 0.0) for c in range(classes)] for k in range(classes)]
        given = [[v / sum(row) for v in row] for row in counts]
    return [1 - posterior[i][labels[i]] for i in range(images)]


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_judged_by_expectation_and_maximisation_over_what_looked_right(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 80)
    labels = np.where(rng.random(80) < 0.1, (truth + 1) % 3, truth)
    scores = {name: 3 * (np.eye(4)[truth] + 0.4 * rng.normal(size=(80, 4))) for name in ("a", "b")}
    known = rng.random(80) < 0.8
    absent, kept = np.array([False, False, False, True]), known
    for _ in range(3):
        each = {name: calibrated_by_loops(score, labels, absent, kept)[0] for name, score in scores.items()}
        common = calibrated_by_loops((each["a"] + each["b"]) / 2, labels, absent, kept)[0]
        wrong = np.array(wrong_by_loops(np.exp(common), labels, known))
        kept = known & (wrong < 0.5)
    judged = judge_labels(scores, labels, among=known)
    assert judged.wrong == pytest.approx(wrong, abs=1e-9)
    assert judged.probabilities == pytest.approx(np.exp(common), abs=1e-12)
    instead = [max((k for k in range(4) if k != labels[i]), key=lambda k: common[i, k]) for i in range(80)]
    assert judged.instead.tolist() == instead
    assert judged.votes.tolist() == [
        sum(int(each[name][i].argmax()) == instead[i] for name in ("a", "b")) for i in range(80)
    ]
    assert judged.judges == ("a", "b")
    assert judged.expected == pytest.approx(wrong.sum())
    assert judged.order.tolist() == np.argsort(-wrong, kind="stable").tolist()


def test_a_model_of_one_class_has_no_wrong_labels() -> None:
    judged = judge_labels({"a": np.ones((3, 1))}, np.zeros(3, dtype=np.int64))
    assert judged.wrong.tolist() == [0.0, 0.0, 0.0]


# ---------------------------------------------------------------- class orders


def confusion(size: int, cells: dict[tuple[int, int], int]) -> Any:
    table = np.zeros((size, size), dtype=np.int64)
    for cell, number in cells.items():
        table[cell] = number
    return table


def test_two_names_are_exchanged_where_both_show_it() -> None:
    # The sign test of n against 0 is 2 ** -n on one side: below 1e-3 / 3 from 12 on.
    both = confusion(3, {(0, 1): 12, (1, 0): 12, (2, 2): 26})
    order = order_in(both)
    assert order.moved == ((0, 1), (1, 0))
    assert (order.accuracy, order.assigned_accuracy) == (26 / 50, 1.0)
    assert order.shift is None
    assert order.looks_wrong
    said = order.sentence(("cat", "dog", "bird"))
    assert said == (
        "your class order looks wrong: what is 'cat' is called 'dog', 'dog' is called 'cat'. Accuracy 52.0 % would be 100.0 % "
        "with the names in the order that fits"
    )


@pytest.mark.parametrize(("step", "shift"), [(1, 1), (4, -1), (2, 2)])
def test_a_shift_in_a_circle_is_told_and_longer_lists_are_cut(step: int, shift: int) -> None:
    order = order_in(confusion(5, {(k, (k + step) % 5): 20 for k in range(5)}))
    assert order.shift == shift
    said = order.sentence("abcde") or ""
    assert f"; every label is off by {abs(shift)}. Accuracy 0.0 % would be 100.0 %" in said
    assert " and 1 more;" in said
    assert order_in(confusion(4, {(k, k): 9 for k in range(4)})).sentence("abcd") is None


def test_classes_of_few_images_show_it_together_or_not_at_all() -> None:
    # Four classes in two exchanged pairs of 6 images each: together 24 against none, 2 ** -24 times 4! orders.
    pairs = {(0, 1): 6, (1, 0): 6, (2, 3): 6, (3, 2): 6}
    assert order_in(confusion(4, pairs)).moved == ((0, 1), (1, 0), (2, 3), (3, 2))
    few = dict.fromkeys(pairs, 3)
    # 2 ** -12 times 24 is above a thousandth.
    assert order_in(confusion(4, few)).moved == ()
    assert class_order._sign(confusion(4, few), [(0, 1), (1, 0)]) == pytest.approx(0.5**6)
    # Four fifths of the classes that moved together have to show it.
    circle = {(k, (k + 1) % 5): 20 for k in range(5)} | {(0, 0): 15}
    assert len(order_in(confusion(5, circle)).moved) == 5
    assert not class_order._is_shown(confusion(5, circle | {(1, 1): 15}), [(k, (k + 1) % 5) for k in range(5)], 5)
    assert class_order._is_shown(confusion(5, circle), [(k, (k + 1) % 5) for k in range(5)], 5)


# ---------------------------------------------------------------- losses of parts


def test_losses_are_divided_by_both_orders_of_exchange() -> None:
    losses = part_losses(0.9, 0.7, 0.8, 0.5)
    assert losses.head == pytest.approx(((0.9 - 0.7) + (0.8 - 0.5)) / 2)
    assert losses.encoder == pytest.approx(((0.9 - 0.8) + (0.7 - 0.5)) / 2)
    assert losses.head + losses.encoder == pytest.approx(0.4)
    assert (losses.alone_head, losses.alone_encoder) == pytest.approx((0.2, 0.1))


@pytest.mark.parametrize(
    ("head", "culprit", "confidence"),
    [
        (0.8, Culprit.HEAD, 0.8),
        (0.2, Culprit.ENCODER, 0.8),
        (0.79, Culprit.UNDECIDED, 0.79),
        (None, Culprit.UNDECIDED, None),
    ],
)
def test_a_part_is_to_blame_from_the_least_confidence_on(head: Any, culprit: Culprit, confidence: Any) -> None:
    blame = blame_of(head, least=0.8)
    assert blame == Blame(culprit, head)
    assert blame.confidence == confidence


def test_counts_of_verdicts_are_summed_up() -> None:
    summary = summary_of(np.array([[6, 1], [2, 8], [3, 4]]))
    assert (summary.failures, summary.by_vlm) == (24, {"head": 7, "encoder": 10, "undecided": 7})
    assert summary.by_refitted_head == {"head": 11, "encoder": 13}
    assert summary.cross_table == {
        "head": {"head": 6, "encoder": 1},
        "encoder": {"head": 2, "encoder": 8},
        "undecided": {"head": 3, "encoder": 4},
    }
    assert summary.oracle_agreement == pytest.approx(14 / 17)
    chance = (7 / 17) * (8 / 17) + (10 / 17) * (9 / 17)
    assert summary.kappa == pytest.approx((14 / 17 - chance) / (1 - chance))
    nothing = undivided(5)
    assert (nothing.failures, nothing.by_vlm) == (5, {"head": 0, "encoder": 0, "undecided": 5})
    assert nothing.by_refitted_head == {"head": 0, "encoder": 0}
    assert nothing.cross_table == {name: {"head": 0, "encoder": 0} for name in ("head", "encoder", "undecided")}
    assert (nothing.oracle_agreement, nothing.oracle_agreement_interval, nothing.kappa) == (None, None, None)


# ---------------------------------------------------------------- moves of concepts


def lens_of(rows: Any) -> Lens:
    directions = np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
    return Lens(
        AffineMap(np.eye(len(rows[0])), np.arange(1.0, len(rows[0]) + 1)), tuple("abc"[: len(rows)]), directions
    )


def test_a_move_changes_its_own_strength_by_a_deviation_and_no_other() -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + 3.0
    lens = lens_of(rng.normal(size=(3, 5)))
    moves = concept_moves(lens, embeddings)
    deviations = (embeddings @ lens.directions.T).std(axis=0)
    assert lens.directions @ moves == pytest.approx(np.diag(deviations), abs=1e-6)
    # They lie along how embeddings vary: each is the covariance times a combination of directions.
    covariance = np.cov(embeddings.T, ddof=0)
    part = np.linalg.lstsq(covariance @ lens.directions.T, moves, rcond=None)
    assert covariance @ lens.directions.T @ part[0] == pytest.approx(moves, abs=1e-8)


def test_distances_are_measured_in_those_of_real_neighbours() -> None:
    others = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0], [9.0, 0.0]])
    # To the nearest other: 5, 1, 1, sqrt(52); their median is 3.
    found = counterfactual(np.eye(2), np.array([1.0, 1.0]), np.array([2.0, -3.0]), others)
    assert found.embedding.tolist() == [3.0, -2.0]
    assert found.distance == pytest.approx(math.hypot(3, 2) / 3)
    assert counterfactual(np.eye(2), np.zeros(2), np.zeros(2), others[:1]).distance == math.inf
    assert counterfactual(np.eye(2), np.zeros(2), np.zeros(2), others[:0]).distance == math.inf
    assert counterfactual(np.eye(2), np.ones(2), np.zeros(2), np.zeros((3, 2))).distance == math.inf


def test_a_shift_is_the_least_of_those_that_a_quadratic_program_finds_and_is_not_widened_unless_told() -> None:
    rng = np.random.default_rng(2)
    head = Head.linear(rng.normal(size=(3, 4)), rng.normal(size=3))
    moves, z, asked = rng.normal(size=(4, 3)), rng.normal(size=4), 0
    output = int(head.logits(z[None])[0].argmax())
    for label in (k for k in range(3) if k != output):
        options: list[tuple[float, dict[str, Any]]] = [(0.0, {}), (0.25, {"rounded_by": 0.25})]
        for rounded_by, own in options:
            others, weight = [k for k in range(3) if k != label], head.layers[0].weight
            rows = np.array([(weight[label] - weight[k]) @ moves for k in others])
            logits = head.logits(z[None])[0]
            needed = logits[others] - logits[label] + 1e-6 + rounded_by * np.abs(rows).sum(axis=1)
            limits, solve = LinearConstraint(rows, lb=needed), cast("Any", minimize)
            solved = solve(lambda u: float(u @ u), np.ones(3), constraints=[limits], method="SLSQP").fun
            shift = smallest_shift(moves, head, z, label, np.ones(3, dtype=bool), **own)
            few = shift_of_few(moves, head, z, label, at_most=3, **own)
            assert shift is not None
            assert few is not None
            assert few == pytest.approx(shift)
            assert shift @ shift <= solved * (1 + 1e-3)
            assert (rows @ shift - needed).min() == pytest.approx(0.0, abs=1e-8)
            asked += 1
    assert asked == 4


def test_a_map_s_mean_is_what_comparisons_read() -> None:
    lens = lens_of([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]])
    positions = np.arange(12.0).reshape(2, 3, 2)
    maps = concept_map(lens, positions)
    assert maps.shape == (3, 2, 3)
    for k in range(3):
        for y in range(2):
            for x in range(3):
                assert maps[k, y, x] == pytest.approx(lens.directions[k] @ (positions[y, x] + [1.0, 2.0]))


# ---------------------------------------------------------------- grades, thresholds, captions

GOOD = ConceptMeasures(0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5, ())


@pytest.mark.parametrize(
    ("changes", "grade", "reason"),
    [
        ({}, Grade.SEEN, None), ({"separation": 0.8}, Grade.SEEN, None), ({"separation": 0.79}, Grade.PARTLY, "AUROC 0.79"),
        ({"separation": 0.6}, Grade.PARTLY, "AUROC 0.60"), ({"separation": 0.59}, Grade.NOT_SEEN, "AUROC 0.59"),
        ({"shown": 0.7}, Grade.SEEN, None), ({"shown": 0.69}, Grade.PARTLY, "AUROC 0.69"),
        ({"shown": 0.6}, Grade.PARTLY, "AUROC 0.60"),
        ({"shown": 0.59, "shown_high": 0.69}, Grade.NOT_SEEN, "AUROC 0.59"),
        ({"shown": 0.59, "shown_high": 0.7}, Grade.PARTLY, "AUROC 0.59"),
        ({"meaning": 0.009, "separation": None, "shown": None}, Grade.PARTLY, "nothing says"),
        ({"stability": 0.6}, Grade.SEEN, None),
        ({"stability": 0.59}, Grade.PARTLY, "correlation 0.59"), ({"stability": 0.3}, Grade.PARTLY, "correlation 0.30"),
        ({"stability": 0.29}, Grade.NOT_SEEN, "correlation 0.29"), ({"agreement": 0.6}, Grade.SEEN, None),
        ({"agreement": 0.59}, Grade.PARTLY, "correlation 0.59"), ({"agreement": 0.3}, Grade.PARTLY, "correlation 0.30"),
        ({"agreement": 0.29}, Grade.NOT_SEEN, "correlation 0.29"), ({"beyond_classes": 0.05}, Grade.SEEN, None),
        ({"beyond_classes": 0.049}, Grade.PARTLY, "restates"), ({"tolerance": 0.02}, Grade.SEEN, None),
        ({"tolerance": 0.019}, Grade.PARTLY, "a combination of"), ({"group": (3,)}, Grade.PARTLY, "cannot be told from"),
        ({"separation": None}, Grade.SEEN, None), ({"shown": None}, Grade.SEEN, None),
        ({"stability": None}, Grade.SEEN, None),
        ({"separation": None, "shown": None}, Grade.PARTLY, "nothing says which classes"),
    ],
)  # fmt: skip
def test_a_grade_falls_just_below_each_limit(changes: Any, grade: Grade, reason: str | None) -> None:
    graded = _graded(replace(GOOD, **changes))
    assert graded.grade is grade
    assert len(graded.reasons) == (reason is not None)
    assert reason is None or reason in graded.reasons[0]
    assert graded.seen_as_group == ("group" in changes)
    assert not _graded(replace(GOOD, group=(3,), agreement=0.5)).seen_as_group


def test_measures_of_concepts_are_those_of_plain_statistics() -> None:
    rng = np.random.default_rng(2)
    strength, labels = rng.normal(size=40), rng.integers(0, 3, 40)
    presence = rng.integers(0, 2, 40).astype(float)
    presence[::7] = np.nan
    wins = pairs = 0.0
    for i in range(40):
        for j in range(40):
            if labels[i] == labels[j] and presence[i] == 1 and presence[j] == 0:
                pairs += 1
                wins += float(strength[i] > strength[j]) + 0.5 * float(strength[i] == strength[j])
    shown = _Shown.of(strength, presence, labels)
    assert shown is not None
    assert shown.value == pytest.approx(wins / pairs)
    assert shown.images == int((~np.isnan(presence)).sum())
    kinds = [int((presence == kind).sum()) for kind in (1, 0)]
    assert shown.high == auroc_interval(shown.value, *kinds)[1]
    assert _Shown.of(strength, np.ones(40), labels) is None
    other = rng.normal(size=40)
    assert _correlation(strength, other) == pytest.approx(np.corrcoef(strength, other)[0, 1])
    assert _correlation(strength, np.ones(40)) == 0.0
    classes = rng.normal(size=(40, 2))
    strengths = np.column_stack([classes @ [1.0, 2.0], other, np.zeros(40), classes[:, 0] + other])
    left = [1 - 1.0, None, 0.0, None]
    for k in (1, 3):
        residual = strengths[:, k] - classes @ np.linalg.lstsq(classes, strengths[:, k], rcond=None)[0]
        left[k] = float(residual @ residual / (strengths[:, k] @ strengths[:, k]))
    assert _unexplained(strengths, classes) == pytest.approx(left, abs=1e-12)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_the_best_cut_is_midway_above_the_first_value_of_the_largest_sum(present: list[int], absent: list[int]) -> None:
    values = sorted({*present, *absent})
    sums = [np.mean([v > cut for v in present]) + np.mean([v <= cut for v in absent]) for cut in values]
    best = int(np.argmax(np.round(sums, 12)))
    following = values[min(best + 1, len(values) - 1)]
    cut = _best_cut(np.array(present, dtype=float), np.array(absent, dtype=float))
    assert cut == (values[best] + following) / 2 or sums[
        values.index(math.floor(cut)) if math.floor(cut) in values else best
    ] == pytest.approx(sums[best])


def test_captions_are_ranked_by_cosine_and_ties_count_against() -> None:
    images = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [0.0, 0.0]])
    captions = np.array([[5.0, 0.0], [0.0, 0.5], [1.0, 0.0], [7.0, 0.1], [-1.0, 0.0], [0.0, -2.0]])
    ranks = retrieval_ranks(images, captions, np.array([0, 1, 4, 0]))
    # Image 0: captions 0 and 2 tie at 1; image 1 is first; image 2: its caption is one of the two last; image 3: all tie at 0.
    assert (ranks.images, ranks.captions, ranks.first) == (4, 6, 1)
    assert ranks.in_five == 2
    assert ranks.median_rank == 4.0


@pytest.mark.parametrize(("rank", "in_five"), [(1, 1), (5, 1), (6, 0)])
def test_the_fifth_caption_is_among_the_five_nearest_and_the_sixth_is_not(rank: int, in_five: int) -> None:
    captions = np.array([[1.0, 0.1 * k] for k in range(8)])
    ranks = retrieval_ranks(np.array([[1.0, 0.0]]), captions, np.array([rank - 1]))
    assert (ranks.first, ranks.in_five, ranks.median_rank) == (int(rank == 1), in_five, rank)


# ---------------------------------------------------------------- alignment


def test_sums_over_shards_and_folds_give_the_errors_of_arrays() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(37, 3)) + 1.0, rng.normal(size=(37, 2)) - 2.0
    whole = AlignmentSums.of(x, y)
    by_chunks = stream_sums(x, y, chunk=10)
    rest = whole - AlignmentSums.of(x[:5], y[:5])
    again = AlignmentSums.of(x[5:], y[5:])
    for one, other in ((whole, by_chunks), (rest, again)):
        assert one.count == other.count
        for name in ("x", "y", "xx", "xy", "yy"):
            assert getattr(one, name) == pytest.approx(getattr(other, name))
    fitted = AffineMap(rng.normal(size=(2, 3)), rng.normal(size=2))
    assert whole.squared_error(fitted) == pytest.approx(np.square(y - fitted(x)).sum())
    assert whole.total_variation() == pytest.approx(np.square(y - y.mean(axis=0)).sum())
    # Image k of all belongs to fold k mod 4, whatever its shard begins with.
    shards = [fold_sums(x[start:stop], y[start:stop], start, 4) for start, stop in ((0, 10), (10, 25), (25, 37))]
    for fold in range(4):
        joined = shards[0][fold] + shards[1][fold] + shards[2][fold]
        assert joined.count == len(x[fold::4])
        assert joined.xy == pytest.approx(AlignmentSums.of(x[fold::4], y[fold::4]).xy)


def ridge(x: Any, y: Any, penalty: float) -> AffineMap:
    centred = x - x.mean(axis=0)
    gram = centred.T @ centred
    weight = np.linalg.solve(
        gram + penalty * np.trace(gram) / len(gram) * np.eye(len(gram)), centred.T @ (y - y.mean(axis=0))
    ).T
    return AffineMap(weight, y.mean(axis=0) - weight @ x.mean(axis=0))


def test_the_penalty_is_the_one_of_the_best_cross_validated_r2() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 4))
    y = x @ rng.normal(size=(4, 3)) + rng.normal(size=(60, 3))
    penalties = (1e-3, 0.1, 1.0, 10.0)
    fitted = fit_arrays(x, y, folds=3, penalties=penalties)
    expected = []
    for penalty in penalties:
        error = 0.0
        for fold in range(3):
            rows = np.arange(60) % 3 == fold
            error += float(np.square(y[rows] - ridge(x[~rows], y[~rows], penalty)(x[rows])).sum())
        expected.append(1 - error / np.square(y - y.mean(axis=0)).sum())
    assert [r2 for _, r2 in fitted.r2_by_penalty] == pytest.approx(expected)
    assert fitted.penalty == penalties[int(np.argmax(expected))]
    best = ridge(x, y, fitted.penalty)
    assert fitted.map.weight == pytest.approx(best.weight)
    assert fitted.map.offset == pytest.approx(best.offset)
    assert fitted.images == 60
    measured = quality(fitted.map, x, y)
    mapped = fitted.map(x)
    cosine = np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(mapped, y, strict=True)])
    assert measured.r2 == pytest.approx(1 - np.square(y - mapped).sum() / np.square(y - y.mean(axis=0)).sum())
    assert measured.mean_cosine == pytest.approx(cosine)
    assert measured.images == 60
    assert quality(fitted.map, x[:1], y[:1]).r2 == 0.0


# ---------------------------------------------------------------- failure groups


def scope_of(images: int, failures: int) -> failure_groups._Scope:
    fails = np.arange(images) < failures
    return failure_groups._Scope(None, None, np.arange(images), fails, np.arange(2))


@pytest.mark.parametrize(
    ("images", "failures", "tried", "asked"),
    [
        (10, 3, 1, True), (9, 3, 0, False), (10, 2, 1, False), (90, 9, 1, False), (90, 10, 1, True),
        (91, 10, 0, False), (40, 4, 1, False), (40, 5, 1, True),
    ],
)  # fmt: skip
def test_a_condition_is_put_to_the_test_where_it_holds_of_enough_images_and_failures(
    images: int, failures: int, *, tried: int, asked: bool
) -> None:
    """Of 100 images and 10 failures."""
    counted = failure_groups._counted(np.array([images]), np.array([failures]), scope_of(100, 10))
    assert counted.tried == tried
    assert counted.rate[0] == failures / images
    # Twice the smaller tail of the hypergeometric law: of more failures than there were.
    expected = min(1.0, 2 * float(hypergeom.sf(failures - 1, 100, 10, images))) if asked else 1.0
    assert counted.p_value[0] == pytest.approx(expected)
    nothing = failure_groups._counted(np.zeros(1, dtype=int), np.zeros(1, dtype=int), scope_of(100, 10))
    assert (nothing.tried, nothing.rate[0], nothing.p_value[0]) == (0, 0.0, 1.0)


def test_scopes_are_all_images_each_class_that_fails_and_each_confusion() -> None:
    labels = np.repeat([0, 1, 2], 10)
    outputs = labels.copy()
    outputs[:6] = [1, 1, 1, 2, 2, 2]
    outputs[10:13] = 0
    outputs[20:22] = 0
    sayable = Sayable(np.ones((3, 2), dtype=bool), np.zeros((3, 2), dtype=bool))
    scopes = list(failure_groups._scopes(labels, outputs, np.arange(30), sayable))
    # Class 1 fails in one way alone, class 2 twice only.
    assert [(scope.label, scope.output) for scope in scopes] == [(None, None), (0, None), (0, 1), (0, 2), (1, None)]
    assert [int(scope.fails.sum()) for scope in scopes] == [11, 6, 3, 3, 3]
    assert scopes[1].rows.tolist() == list(range(10))
    some = list(failure_groups._scopes(labels, outputs, np.arange(1, 30), sayable))
    assert [(scope.label, scope.output) for scope in some] == [(None, None), (0, None), (0, 2), (1, None)]


def test_proposals_are_so_many_so_promising_and_no_two_of_the_same_failures() -> None:
    assert (failure_groups.LEAST_IMAGES, failure_groups.LEAST_FAILURES, failure_groups.PROPOSALS) == (10, 3, 30)
    assert (failure_groups.PROMISING, failure_groups.ADDS, failure_groups.SAME_FAILURES) == (0.01, 1.25, 0.5)
    assert failure_groups._jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == 0.5
    # Forty conditions of ten images each, all of which fail, of four hundred: each is its own group of failures.
    labels, count = np.zeros(1000, dtype=np.int64), 40
    literals = np.zeros((1000, 2 * count), dtype=bool)
    for k in range(count):
        literals[10 * k : 10 * k + 10, k] = True
    outputs = (np.arange(1000) < 10 * count).astype(np.int64)
    sayable = Sayable(np.ones((2, count), dtype=bool), np.zeros((2, count), dtype=bool))
    chosen, tried = failure_groups._proposals(literals, labels, outputs, np.arange(1000), sayable)
    assert len(chosen) == 30
    # All images and the class are searched: 40 conditions each; no pair of them holds together.
    assert tried == 80
    assert all(len(proposal.literals) == 1 for proposal in (*chosen, chosen[0]))
    # A copy of one condition is one proposal, though its images are a few more.
    literals[0:10, 1], literals[10:20, 1] = True, False
    again, _ = failure_groups._proposals(literals, labels, outputs, np.arange(1000), sayable)
    assert sum(proposal.literals in ((0,), (1,)) for proposal in again) <= 1


def test_halves_divide_each_class_by_the_seed() -> None:
    labels = np.repeat([0, 1, 2], [7, 4, 1])
    searching = failure_groups._halves(labels, 3)
    assert [int(searching[labels == k].sum()) for k in range(3)] == [4, 2, 1]
    assert (searching == failure_groups._halves(labels, 3)).all()
    assert any((searching != failure_groups._halves(labels, seed)).any() for seed in range(4, 9))


# ---------------------------------------------------------------- suggestions


@pytest.mark.parametrize(("failed", "right", "known"), [(1, 20, False), (2, 20, True), (20, 1, False), (20, 2, True)])
def test_failures_and_right_images_are_compared_from_two_of_each_on(failed: int, right: int, known: bool) -> None:
    rng = np.random.default_rng(0)
    strengths, wrong = rng.normal(size=(failed + right, 3)), np.arange(failed + right) < failed
    difference, p_value = suggestions._failures(strengths, np.zeros(failed + right, dtype=np.int64), wrong)
    if not known:
        assert (difference.tolist(), p_value.tolist()) == ([0.0] * 3, [1.0] * 3)
        return
    own = strengths - strengths[~wrong].mean(axis=0)
    a, b = own[wrong], own[~wrong]
    error = np.sqrt(a.var(axis=0, ddof=1) / failed + b.var(axis=0, ddof=1) / right)
    assert difference == pytest.approx((a.mean(axis=0) - b.mean(axis=0)) / b.std(axis=0))
    assert p_value == pytest.approx(2 * norm.sf(np.abs((a.mean(axis=0) - b.mean(axis=0)) / error)))
