"""Minimal sets of concepts against all subsets, and erasure by sums against erasure by the formula."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conspect.analysis.explanation.counterfactual import concept_moves, counterfactual, shift_of_few, smallest_shift
from conspect.analysis.explanation.erasure import Eraser
from conspect.analysis.explanation.minimal_sets import (
    SMALL,
    Keeps,
    additive_flip,
    additive_keeps,
    behaviour_keeps,
    erasure_only_harms,
    every_minimal_set,
    minimal_sets,
    one_abductive,
    one_contrastive,
)
from conspect.core.spaces import AffineMap, Head, Lens


def lens_and_head(seed: int = 0, concepts: int = 5, size: int = 8, classes: int = 3) -> tuple[Lens, Head, np.ndarray]:
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(concepts, 12))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    names = tuple(f"c{k}" for k in range(concepts))
    lens = Lens(AffineMap(rng.normal(size=(12, size)), rng.normal(size=12)), names, directions)
    return lens, Head.linear(rng.normal(size=(classes, size)), rng.normal(size=classes)), rng.normal(size=(40, size))


def every_minimal(holds: dict[frozenset[int], bool]) -> set[frozenset[int]]:
    """The plain reference: of all subsets, those that hold and of which no proper subset does."""
    good = [members for members, yes in holds.items() if yes]
    return {members for members in good if not any(other < members for other in good)}


def subsets(concepts: int) -> list[frozenset[int]]:
    return [frozenset(c) for size in range(concepts + 1) for c in itertools.combinations(range(concepts), size)]


def mask(members: frozenset[int], concepts: int) -> np.ndarray:
    chosen = np.zeros(concepts, dtype=bool)
    chosen[list(members)] = True
    return chosen


def reference(keeps: Keeps, concepts: int) -> tuple[set[frozenset[int]], set[frozenset[int]]]:
    abductive = {s: bool(keeps(~mask(s, concepts)[None])[0]) for s in subsets(concepts)}
    contrastive = {s: not keeps(mask(s, concepts)[None])[0] for s in subsets(concepts)}
    return every_minimal(abductive), every_minimal(contrastive)


@given(st.integers(0, 2**31), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_where_erasing_is_monotone_all_minimal_sets_are_found(seed: int, concepts: int) -> None:
    rng = np.random.default_rng(seed)
    keeps = additive_keeps(rng.uniform(0.1, 2.0, size=2), -rng.uniform(0.0, 1.0, size=(concepts, 2)))
    sets = minimal_sets(keeps, concepts, order=range(concepts), seconds=60, at_most=10_000, monotone=True)
    abductive, contrastive = reference(keeps, concepts)
    assert sets.complete
    assert set(map(frozenset, sets.abductive.sets)) == abductive
    assert set(map(frozenset, sets.contrastive.sets)) == contrastive


@given(st.integers(0, 2**31), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_every_set_is_what_it_claims_and_no_concept_of_it_can_go(seed: int, concepts: int) -> None:
    rng = np.random.default_rng(seed)
    keeps = additive_keeps(rng.normal(1.0, 1.0, size=3), rng.normal(size=(concepts, 3)))
    minimal = minimal_sets(keeps, concepts, order=rng.permutation(concepts).tolist(), seconds=60, at_most=200)
    assert minimal.abductive.sets or minimal.contrastive.sets
    for sets, holds in ((minimal.abductive.sets, lambda m: keeps(~m)), (minimal.contrastive.sets, lambda m: ~keeps(m))):
        for members in sets:
            whole = mask(frozenset(members), concepts)
            assert holds(whole[None])[0] or len(members) == concepts
            for concept in members:
                smaller = whole.copy()
                smaller[concept] = False
                assert not holds(smaller[None])[0] or len(members) == concepts


@given(st.integers(0, 2**31), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_all_sets_tried_are_all_minimal_sets_also_where_erasing_more_brings_the_output_back(
    seed: int, concepts: int
) -> None:
    rng = np.random.default_rng(seed)
    keeps = additive_keeps(rng.normal(1.0, 1.0, size=3), rng.normal(size=(concepts, 3)))
    minimal = every_minimal_set(keeps, concepts, at_most=10_000)
    abductive, contrastive = reference(keeps, concepts)
    assert minimal.complete
    assert set(map(frozenset, minimal.abductive.sets)) == abductive
    assert set(map(frozenset, minimal.contrastive.sets)) == contrastive
    few = every_minimal_set(keeps, concepts, at_most=3)
    assert len(few.abductive.sets) + len(few.contrastive.sets) == min(3, len(abductive) + len(contrastive))
    assert (few.abductive.known, few.contrastive.known) == (len(abductive), len(contrastive))
    assert few.complete
    for some, all_of_them in ((few.abductive, minimal.abductive), (few.contrastive, minimal.contrastive)):
        assert some.sets == all_of_them.sets[: len(some.sets)]


def test_too_many_concepts_are_not_all_tried() -> None:
    with pytest.raises(ValueError, match="17 concepts"):
        every_minimal_set(additive_keeps(np.ones(1), np.ones((17, 1))), 17, at_most=9)


@given(st.integers(0, 2**31), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_a_set_that_changes_the_output_is_known_where_there_is_one(seed: int, concepts: int) -> None:
    rng = np.random.default_rng(seed)
    start, change = rng.uniform(0.1, 3.0, size=3), rng.normal(size=(concepts, 3))
    keeps = additive_keeps(start, change)
    flip = additive_flip(start, change)
    assert (flip is None) == (not reference(keeps, concepts)[1])
    minimal = minimal_sets(keeps, concepts, order=range(concepts), seconds=60, at_most=200, flip=flip)
    assert bool(minimal.contrastive.sets) == (flip is not None)
    assert all(not keeps(mask(frozenset(members), concepts)[None])[0] for members in minimal.contrastive.sets)


def test_a_set_that_changes_the_output_holds_what_lowers_the_nearest_margin_and_no_other() -> None:
    change = np.array([[-1.0, 0.5], [0.0, -0.5], [-1.0, -0.5], [0.5, 0.0]])
    at_a_tie = additive_flip(np.array([2.0, 2.0]), change)  # 0 is no lead any more
    assert at_a_tie is not None
    assert at_a_tie.tolist() == [True, False, True, False]
    assert additive_flip(np.array([2.5, 2.0]), change) is None
    nearer = additive_flip(np.array([2.5, 0.5]), change)
    assert nearer is not None
    assert nearer.tolist() == [False, True, True, False]


@given(st.integers(0, 2**31), st.integers(4, 8))
@settings(max_examples=60, deadline=None)
def test_no_small_set_is_missed_where_erasing_more_brings_the_output_back(seed: int, concepts: int) -> None:
    rng = np.random.default_rng(seed)
    start, change = rng.uniform(0.1, 3.0, size=3), rng.normal(size=(concepts, 3))
    keeps = additive_keeps(start, change)
    minimal = minimal_sets(
        keeps, concepts, order=range(concepts), seconds=60, at_most=10_000, flip=additive_flip(start, change)
    )
    kinds = list(zip((minimal.abductive, minimal.contrastive), reference(keeps, concepts), strict=True))
    assert len(kinds) == 2
    for kind, every in kinds:
        known = set(map(frozenset, kind.sets))
        assert kind.known == len(kind.sets)
        assert {members for members in known if len(members) <= SMALL} == {
            members for members in every if len(members) <= SMALL
        }
        assert kind.all_up_to >= SMALL
        if minimal.complete:
            assert known == every


@pytest.mark.parametrize("concepts", [17, 100, 400])
@pytest.mark.parametrize("seconds", [1e-9, 0.1])
def test_an_abductive_set_is_always_found_and_a_contrastive_one_where_there_is_one(
    concepts: int, seconds: float
) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        start, change = rng.uniform(0.5, 3.0, size=9), rng.normal(-0.02, 0.4, size=(concepts, 9))
        flip = additive_flip(start, change)
        assert flip is not None
        sets = minimal_sets(
            additive_keeps(start, change), concepts, order=range(concepts), seconds=seconds, at_most=20, flip=flip
        )
        assert sets.abductive.sets
        assert sets.contrastive.sets
        assert not sets.complete


def test_single_concepts_whose_erasure_changes_the_output_are_all_found_though_one_of_them_also_keeps_it() -> None:
    # Concept 0 alone keeps the output, and without it the output changes: hitting sets end there.
    change = np.zeros((40, 2))
    change[0], change[1:13, 0], change[13:, 0] = -2.0, -1.5, 0.7
    keeps = additive_keeps(np.array([1.0, 1.0]), change)
    assert keeps(~np.eye(40, dtype=bool)[:1]).all()
    sets = minimal_sets(keeps, 40, order=range(40), seconds=60, at_most=20)
    alone = {members for members in sets.contrastive.sets if len(members) == 1}
    assert alone == {(k,) for k in range(13)}
    assert sets.contrastive.all_up_to >= 1
    assert sets.abductive.sets


def test_erasure_only_harms_where_no_margin_ever_rises() -> None:
    assert erasure_only_harms(np.array([[-1.0, 0.0], [-0.5, -2.0]]))
    assert not erasure_only_harms(np.array([[-1.0, 1e-3]]))


def test_one_set_by_deletion_keeps_or_changes_the_prediction() -> None:
    keeps = additive_keeps(np.array([1.0]), np.array([[-0.4], [-0.4], [-0.4], [0.0]]))
    assert one_contrastive(keeps, 4, range(4)) == (0, 1, 2)
    assert one_abductive(keeps, 4, range(4)) == (2,)
    assert one_contrastive(additive_keeps(np.array([1.0]), np.zeros((4, 1))), 4, range(4)) is None


def test_twenty_sets_over_a_hundred_concepts_take_a_tenth_of_a_second() -> None:
    rng = np.random.default_rng(0)
    keeps = additive_keeps(rng.uniform(1.0, 3.0, size=9), rng.normal(-0.05, 0.3, size=(100, 9)))
    spent = []
    for _ in range(3):
        start = time.process_time()
        sets = minimal_sets(keeps, 100, order=range(100), seconds=5, at_most=20)
        spent.append(time.process_time() - start)
        assert len(sets.abductive.sets) + len(sets.contrastive.sets) == 20
    assert min(spent) < 0.5  # 0.1 s on an idle machine; the bound leaves room for neighbours


@given(st.integers(0, 2**31), st.integers(1, 6), st.floats(0.05, 1.0))
@settings(max_examples=40, deadline=None)
def test_a_behaviour_keeps_where_so_many_of_its_images_keep(seed: int, concepts: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    start, change = rng.normal(1, 1, size=(7, 2)), rng.normal(size=(7, concepts, 2))
    sets = np.array([mask(s, concepts) for s in subsets(concepts)])
    single = np.array([additive_keeps(start[image], change[image])(sets) for image in range(7)])
    np.testing.assert_array_equal(behaviour_keeps(start, change, share)(sets), single.mean(axis=0) >= share)


@given(st.integers(0, 2**31), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_deleting_blocks_gives_what_one_deletion_after_the_other_gives(seed: int, concepts: int) -> None:
    rng = np.random.default_rng(seed)
    keeps = additive_keeps(rng.uniform(0.1, 2.0, size=2), -rng.uniform(0.0, 1.0, size=(concepts, 2)))
    order = rng.permutation(concepts).tolist()
    kept = np.ones(concepts, dtype=bool)
    for concept in order:
        kept[concept] = False
        if not keeps(~kept[None])[0]:
            kept[concept] = True
    assert one_abductive(keeps, concepts, order) == tuple(np.flatnonzero(kept).tolist())


def test_the_budget_ends_the_search() -> None:
    keeps = additive_keeps(np.full(1, 25.0), -np.ones((60, 1)))
    start = time.perf_counter()
    sets = minimal_sets(keeps, 60, order=range(60), seconds=0.05, at_most=10**6)
    assert time.perf_counter() - start < 2
    assert not sets.complete


def test_small_sets_are_tried_in_half_of_the_time_and_larger_ones_in_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second whenever somebody looks: 60 concepts have one block of single ones and of pairs."""
    keeps = additive_keeps(np.full(1, 25.0), -np.ones((60, 1)))
    for seconds, tried, known in ((6, (2, 1), 1), (8, (2, 2), 2), (2, (1, 0), 1), (12, (2, 2), 4)):
        clock = itertools.count()
        monkeypatch.setattr(time, "monotonic", lambda clock=clock: float(next(clock)))
        sets = minimal_sets(keeps, 60, order=range(60), seconds=seconds, at_most=10**6)
        assert (sets.abductive.all_up_to, sets.contrastive.all_up_to) == tried
        assert sets.abductive.known + sets.contrastive.known == known
        assert not sets.complete


@pytest.mark.parametrize("at_most", [2, 3, 7])
def test_the_search_ends_when_as_many_sets_are_known_as_are_asked_for(at_most: int) -> None:
    def erases_eight(erased: np.ndarray) -> np.ndarray:
        return np.asarray(erased[:, :20].sum(axis=1) < 8)

    sets = minimal_sets(erases_eight, 20, order=range(20), seconds=60, at_most=at_most)
    assert sets.abductive.known + sets.contrastive.known == at_most
    assert len(sets.abductive.sets) + len(sets.contrastive.sets) == at_most

    def erases_four_to_eight(erased: np.ndarray) -> np.ndarray:
        """Erasing all keeps it again, so that the empty set is abductive and hitting sets end at once."""
        number = erased.sum(axis=1)
        return np.asarray((number < 4) | (number > 8))

    flip = np.arange(20) < 6
    sets = minimal_sets(erases_four_to_eight, 20, order=range(20), seconds=60, at_most=at_most, flip=flip)
    assert (sets.abductive.known, sets.contrastive.known) == (1, at_most - 1)
    every = minimal_sets(erases_four_to_eight, 20, order=range(20), seconds=60, at_most=100, flip=flip)
    assert (every.abductive.sets, every.contrastive.known) == (((),), 15)
    assert not every.complete


@pytest.mark.parametrize("along_variation", [False, True])
def test_erasing_takes_a_concept_out_and_leaves_the_others(along_variation: bool) -> None:
    lens, head, embeddings = lens_and_head()
    covariance = np.cov(embeddings, rowvar=False) if along_variation else None
    eraser = Eraser.of(lens, head, embeddings.mean(axis=0), covariance)
    z = embeddings[0]
    moved = z - mask(frozenset({1, 3}), 5).astype(float) @ eraser.parts(z)
    before, after = (
        lens.folded(point[None])[0] - lens.folded(embeddings.mean(axis=0)[None])[0] for point in (z, moved)
    )
    np.testing.assert_allclose(after[[1, 3]], 0.0, atol=1e-9)
    np.testing.assert_allclose(after[[0, 2, 4]], before[[0, 2, 4]], atol=1e-9)


def test_margins_of_sets_are_sums_and_equal_the_logits_by_the_formula() -> None:
    lens, head, embeddings = lens_and_head(1)
    eraser = Eraser.of(lens, head, embeddings.mean(axis=0))
    z = embeddings[3]
    output = int(head.logits(z[None])[0].argmax())
    sets = np.array([mask(s, 5) for s in subsets(5)])
    logits = eraser.logits(z, sets)
    start, change = eraser.margins(z, output)
    others = np.arange(3) != output
    np.testing.assert_allclose(start + sets @ change, logits[:, [output]] - logits[:, others], atol=1e-8)


def test_the_smallest_shift_restores_the_label_and_moves_no_other_strength() -> None:
    lens, head, embeddings = lens_and_head(2, concepts=4)
    moves = concept_moves(lens, embeddings)
    spread = lens.folded(embeddings).std(axis=0)
    np.testing.assert_allclose(lens.folded.weight @ moves, np.diag(spread), atol=1e-8)
    may_move = np.array([True, True, False, True])
    for z in embeddings[:10]:
        output = int(head.logits(z[None])[0].argmax())
        label = (output + 1) % 3
        shift = smallest_shift(moves, head, z, label, may_move)
        if shift is None:
            continue
        assert shift[2] == 0
        assert head.logits((z + moves @ shift)[None])[0].argmax() == label
        # No shorter shift in the same directions restores it: a little less of it does not.
        assert head.logits((z + 0.999 * moves @ shift)[None])[0].argmax() != label


def test_a_shift_is_not_needed_where_the_label_leads_and_not_found_where_none_exists() -> None:
    lens, head, embeddings = lens_and_head(3, concepts=2)
    z = embeddings[0]
    output = int(head.logits(z[None])[0].argmax())
    moves = concept_moves(lens, embeddings)
    may_move = np.ones(2, dtype=bool)
    np.testing.assert_array_equal(smallest_shift(moves, head, z, output, may_move), 0.0)
    assert smallest_shift(np.zeros_like(moves), head, z, (output + 1) % 3, may_move) is None
    with pytest.raises(ValueError, match="linear"):
        smallest_shift(moves, Head((head.layers[0], AffineMap(np.eye(3), np.zeros(3)))), z, output, may_move)


def test_a_counterfactual_says_how_far_it_is_from_the_embeddings_of_other_images() -> None:
    lens, _, embeddings = lens_and_head(4)
    moves = concept_moves(lens, embeddings)
    z, others = embeddings[0], embeddings[1:]
    shift = np.array([0.1, 0.0, -0.2, 0.0, 0.0])
    moved = counterfactual(moves, z, shift, others)
    np.testing.assert_allclose(moved.embedding, z + moves @ shift)
    gaps = np.linalg.norm(others[:, None] - others[None], axis=2) + np.diag(np.full(39, np.inf))
    usual = np.median(gaps.min(axis=1))
    assert moved.distance == pytest.approx(np.linalg.norm(others - moved.embedding, axis=1).min() / usual)
    assert counterfactual(moves, z, shift, others[:0]).distance == np.inf


@pytest.mark.parametrize("at_most", [1, 2, 3, 9])
def test_a_shift_of_few_concepts_restores_the_label_as_it_is_printed(at_most: int) -> None:
    rng = np.random.default_rng(5)
    lens, head, embeddings = lens_and_head(5, concepts=9)
    moves = concept_moves(lens, embeddings)
    restored = 0
    for z in embeddings[:15]:
        label = (int(head.logits(z[None])[0].argmax()) + 1) % 3
        of_all = smallest_shift(moves, head, z, label, np.ones(9, dtype=bool))
        shift = shift_of_few(moves, head, z, label, at_most=at_most, rounded_by=0.05)
        assert (shift is None) == (of_all is None)
        if shift is None or of_all is None:
            continue
        restored += 1
        assert np.linalg.norm(shift) >= np.linalg.norm(of_all) - 1e-9
        assert np.count_nonzero(shift) <= at_most or at_most < 3
        for wrong in (np.round(shift, 1), shift + rng.uniform(-0.05, 0.05, 9) * (shift != 0)):
            assert head.logits((z + moves @ wrong)[None])[0].argmax() == label
    assert restored > 5
