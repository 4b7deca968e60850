"""Minimal sets of concepts: those that alone keep a prediction, and those whose erasure changes it.

A set is *abductive* when erasing all concepts outside it keeps the prediction, *contrastive* when erasing it changes the
prediction; *minimal* when no concept can be left out of it. Sets are tested by `keeps`, which answers many questions at
once: `keeps(erased [set, concept]) -> [set]`. Every minimal contrastive set meets every abductive set, because erasing it
leaves only sets that do not keep the prediction; so sets of the one kind that hit all known of the other are the candidates
(Reiter, 1987; Liffiton et al., 2016). This needs that erasing more never restores a prediction; where that fails, every set
is still tested for what it claims and for being minimal, but some may be missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]
Keeps: TypeAlias = Callable[[Mask], Mask]


# With so many concepts at most every set is tried; a table of all takes 2^16 entries.
ALL_TRIED = 16


@dataclass(frozen=True)
class MinimalSets:
    """Sets of concept numbers, smallest first. `complete`: there are no others; that is known where all sets were tried, or where
    erasing more never restores the prediction.
    """

    abductive: tuple[tuple[int, ...], ...]
    contrastive: tuple[tuple[int, ...], ...]
    complete: bool


def additive_keeps(start: NDArray[np.float64], change: NDArray[np.float64]) -> Keeps:
    """Of margins `start [other class]` and their `change [concept, other class]` by erasure: all stay above 0."""

    def keeps(erased: Mask) -> Mask:
        return np.asarray((erased.astype(np.float64) @ change + start > 0).all(axis=1), dtype=bool)

    return keeps


def erasure_only_harms(change: NDArray[np.float64]) -> bool:
    """Of margins' `change [..., concept, other class]`: no erasure raises any, so erasing more never restores a prediction."""
    return bool((change <= 0).all())


def additive_flip(start: NDArray[np.float64], change: NDArray[np.float64]) -> Mask | None:
    """A set `[concept]` whose erasure changes the prediction, or None where there is none.

    Of the margins of `additive_keeps` each is least where all concepts that lower it are erased, and no other.
    """
    least = start + np.minimum(change, 0.0).sum(axis=0)
    nearest = int(least.argmin())
    return np.asarray(change[:, nearest] < 0, dtype=bool) if least[nearest] <= 0 else None


def behaviour_keeps(start: NDArray[np.float64], change: NDArray[np.float64], share: float) -> Keeps:
    """Of many images at once: at least `share` of them keep their output.

    `start [image, other class]` margins and their `change [image, concept, other class]` by erasure, as in `additive_keeps`.
    """
    images, concepts, others = change.shape
    flat = np.ascontiguousarray(change.transpose(1, 0, 2).reshape(concepts, images * others))

    def keeps(erased: Mask) -> Mask:
        kept = np.empty(len(erased), dtype=bool)
        for row, mask in enumerate(erased):
            margins = (
                flat[mask].sum(axis=0) if mask.sum() < concepts / 2 else flat.sum(axis=0) - flat[~mask].sum(axis=0)
            )
            leads = (margins.reshape(images, others) + start > 0).all(axis=1)
            kept[row] = leads.mean() >= share
        return kept

    return keeps


def one_abductive(keeps: Keeps, concepts: int, order: Sequence[int]) -> tuple[int, ...] | None:
    """A minimal abductive set by deletion, concepts of `order` tried first to last; None when not even all keep it."""
    return _shrunk(np.ones(concepts, dtype=bool), order, lambda kept: keeps(~kept))


def one_contrastive(keeps: Keeps, concepts: int, order: Sequence[int]) -> tuple[int, ...] | None:
    """A minimal contrastive set by deletion, or None when erasing all concepts changes nothing."""
    return _shrunk(np.ones(concepts, dtype=bool), order, lambda erased: ~keeps(erased))


def _shrunk(members: Mask, order: Sequence[int], holds: Callable[[Mask], Mask]) -> tuple[int, ...] | None:
    """`members` less every concept without which it still `holds`, until none can go."""
    members = members.copy()
    if not holds(members[None])[0]:
        return None
    todo = [k for k in order if members[k]]
    while todo:
        left = _undeletable(members, todo, holds)
        # Where erasing is not monotone, what had to stay may be free to go after later deletions.
        if len(left) == len(todo) or not left:
            break
        single = np.repeat(members[None], len(left), axis=0)
        single[np.arange(len(left)), left] = False
        todo = [k for k, free in zip(left, holds(single), strict=True) if free]
    return tuple(int(k) for k in np.flatnonzero(members))


def _undeletable(members: Mask, block: Sequence[int], holds: Callable[[Mask], Mask]) -> list[int]:
    """Takes the concepts of `block` out of `members`, halves of it at once where that is possible; returns those that stay.

    Where erasing is monotone the result is that of one deletion after the other: a block can go at once only if each can.
    """
    smaller = members.copy()
    smaller[list(block)] = False
    if holds(smaller[None])[0]:
        members[:] = smaller
        return []
    if len(block) == 1:
        return list(block)
    middle = len(block) // 2
    return [*_undeletable(members, block[:middle], holds), *_undeletable(members, block[middle:], holds)]


def every_minimal_set(keeps: Keeps, concepts: int, *, at_most: int) -> MinimalSets:
    """The smallest `at_most` of all minimal sets, every set of at most `ALL_TRIED` concepts tried: nothing is asked of `keeps`.

    A set is minimal here when none of its proper subsets will do.
    """
    if concepts > ALL_TRIED:
        raise ValueError(f"{concepts} concepts have too many sets to try them all")
    numbers = np.arange(1 << concepts)
    erased = (numbers[:, None] >> np.arange(concepts) & 1).astype(bool)
    kept = np.concatenate([keeps(part) for part in np.array_split(erased, max(1, len(erased) >> 12))])
    everything = len(numbers) - 1
    sets = {
        "abductive": _minimal(kept[everything ^ numbers], concepts),
        "contrastive": _minimal(~kept, concepts),
    }
    by_size = [
        sorted(
            (tuple(np.flatnonzero(erased[number]).tolist()) for number in minimal),
            key=lambda members: (len(members), members),
        )
        for minimal in sets.values()
    ]
    # Both kinds have their share of the place, and what one leaves is the other's.
    half = at_most // 2
    abductive = by_size[0][: max(at_most - half, at_most - len(by_size[1]))]
    contrastive = by_size[1][: at_most - len(abductive)]
    complete = len(abductive) + len(contrastive) == sum(map(len, by_size))
    return MinimalSets(tuple(abductive), tuple(contrastive), complete)


def _minimal(holds: Mask, concepts: int) -> NDArray[np.int64]:
    """Of sets as binary numbers those that hold and of which no proper subset does."""
    below = np.zeros_like(holds)
    numbers = np.arange(len(holds))
    with_subsets = holds.copy()
    for concept in range(concepts):
        rows = numbers[numbers >> concept & 1 == 1]
        with_subsets[rows] |= with_subsets[rows ^ 1 << concept]
    for concept in range(concepts):
        rows = numbers[numbers >> concept & 1 == 1]
        below[rows] |= with_subsets[rows ^ 1 << concept]
    return np.flatnonzero(holds & ~below)


def minimal_sets(
    keeps: Keeps,
    concepts: int,
    *,
    order: Sequence[int],
    seconds: float,
    at_most: int,
    monotone: bool = False,
    flip: Mask | None = None,
) -> MinimalSets:
    """Minimal sets of both kinds until all are found, `at_most` of both together are, or `seconds` have passed.

    `order`: concepts by how much one would like to be rid of them; it decides which sets come first. `monotone`: erasing more
    never restores the prediction. `flip`: a set whose erasure changes it, where one is known; one within it comes first.
    """
    end = time.monotonic() + seconds
    abductive: list[frozenset[int]] = []
    contrastive: list[frozenset[int]] = []
    everything = frozenset(range(concepts))
    if flip is not None:
        contrastive.append(frozenset(_shrunk(flip, order, lambda erased: ~keeps(erased)) or ()))
    complete = False
    while len(abductive) + len(contrastive) < at_most and time.monotonic() < end:
        candidate = _hitting_set(contrastive, abductive, order)
        if candidate is None:
            complete = monotone
            break
        kept = np.zeros(concepts, dtype=bool)
        kept[list(candidate)] = True
        if keeps(~kept[None])[0]:
            smaller = _shrunk(kept, order, lambda sets: keeps(~sets))
            smallest, known = frozenset(smaller or ()), abductive
        else:
            rest = np.ones(concepts, dtype=bool)
            rest[list(candidate)] = False
            smaller = _shrunk(rest, order, lambda erased: ~keeps(erased))
            smallest, known = frozenset(smaller if smaller is not None else everything), contrastive
        if smallest in known:
            break
        known.append(smallest)

    def sort(sets: list[frozenset[int]]) -> tuple[tuple[int, ...], ...]:
        return tuple(sorted((tuple(sorted(members)) for members in sets), key=lambda members: (len(members), members)))

    return MinimalSets(sort(abductive), sort(contrastive), complete)


def _hitting_set(
    to_hit: list[frozenset[int]], not_within: list[frozenset[int]], order: Sequence[int]
) -> frozenset[int] | None:
    """A set that meets all of `to_hit` and contains none of `not_within`, or None: depth first, most useful concept first."""
    value = {concept: place for place, concept in enumerate(order)}

    def grow(chosen: frozenset[int], barred: frozenset[int]) -> frozenset[int] | None:
        if any(block <= chosen for block in not_within):
            return None
        open_sets = [members - barred for members in to_hit if not members & chosen]
        if not open_sets:
            return chosen
        smallest = min(open_sets, key=len)
        tried = barred
        for concept in sorted(smallest, key=lambda k: -value[k]):
            grown = grow(chosen | {concept}, tried)
            if grown is not None:
                return grown
            tried = tried | {concept}
        return None

    return grow(frozenset(), frozenset())
