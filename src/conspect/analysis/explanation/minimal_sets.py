"""Minimal sets of concepts: those that alone keep a prediction, and those whose erasure changes it.

A set is *abductive* when erasing all concepts outside it keeps the prediction, *contrastive* when erasing it changes the
prediction; *minimal* when no concept can be left out of it. Sets are tested by `keeps`, which answers many questions at
once: `keeps(erased [set, concept]) -> [set]`. Every minimal contrastive set meets every abductive set, because erasing it
leaves only sets that do not keep the prediction; so sets of the one kind that hit all known of the other are the candidates
(Reiter, 1987; Liffiton et al., 2016). This needs that erasing more never restores a prediction. Where that fails a set may be
of both kinds, and hitting sets end early; so all small sets are tried first, a size at a time, and only what is larger is left
to them. What is not known to be complete is never called so.
"""

from __future__ import annotations

import itertools
import math
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


# Of more, all sets of this size at most, in half of the time: 100 concepts have 4,950 sets of two and 161,700 of three. Of a
# size with more sets than this not all are tried. So many are tested at a time.
SMALL, MOST_OF_A_SIZE, AT_ONCE = 3, 50_000, 4096
# Deletion in another order is given up when so many in a row find nothing new.
IN_VAIN = 50


@dataclass(frozen=True)
class KnownSets:
    """Minimal sets of one kind, the smallest first. `sets`: those that are shown; `known`: how many were found, these among
    them; `all_up_to`: every set of at most so many concepts was tried, so that all minimal ones of that size are among the
    known; -1: not even the empty set was.
    """

    sets: tuple[tuple[int, ...], ...]
    known: int
    all_up_to: int


@dataclass(frozen=True)
class MinimalSets:
    """Sets of concept numbers of both kinds. `complete`: no others exist than those that are known; that is said where all sets
    were tried, or where erasing more never restores the prediction.
    """

    abductive: KnownSets
    contrastive: KnownSets
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
    return _shown(by_size[0], by_size[1], at_most=at_most, all_up_to=(concepts, concepts), complete=True)


def _shown(
    abductive: Sequence[tuple[int, ...]],
    contrastive: Sequence[tuple[int, ...]],
    *,
    at_most: int,
    all_up_to: tuple[int, int],
    complete: bool,
) -> MinimalSets:
    """`at_most` of both kinds together: both have their share of the place, and what one leaves is the other's."""
    half = at_most // 2
    first = tuple(abductive[: max(at_most - half, at_most - len(contrastive))])
    second = tuple(contrastive[: at_most - len(first)])
    return MinimalSets(
        KnownSets(first, len(abductive), all_up_to[0]),
        KnownSets(second, len(contrastive), all_up_to[1]),
        complete,
    )


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


@dataclass
class _Kind:
    """Minimal sets of one kind as they are found. `holds`: whether sets `[set, concept]` are of this kind."""

    holds: Callable[[Mask], Mask]
    found: list[frozenset[int]]
    all_up_to: int = -1

    def add(self, members: frozenset[int]) -> bool:
        """Takes a set in whose proper subsets none is known, and drops those that it makes needless; False if it is needless."""
        if any(known <= members for known in self.found):
            return False
        self.found[:] = [known for known in self.found if not members <= known] + [members]
        return True

    def add_within(self, start: Mask, order: Sequence[int]) -> bool:
        """Takes what deletion leaves of `start`; False where that is no set of the kind, or a needless one."""
        members = _shrunk(start, order, self.holds)
        return members is not None and self.add(frozenset(members))

    def by_size(self) -> list[tuple[int, ...]]:
        return sorted((tuple(sorted(members)) for members in self.found), key=lambda members: (len(members), members))


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
    never restores the prediction. `flip`: a set whose erasure changes it, where one is known. One abductive set is always found,
    since with nothing erased the prediction stays, and a contrastive one within `flip`, whatever the time.
    """
    now = time.monotonic()
    end, small_end = now + seconds, now + seconds / 2
    abductive = _Kind(lambda kept: keeps(~kept), [])
    contrastive = _Kind(lambda erased: ~keeps(erased), [])
    kinds = (abductive, contrastive)
    for size in range(min(SMALL, concepts) + 1):
        for kind in kinds:
            # A kind of which enough are known already waits for the other; that all of a size are tried is said of each.
            if kind.all_up_to == size - 1 and len(kind.found) < at_most:
                _try_all(kind, concepts, size, small_end)
    complete = all(kind.all_up_to == concepts for kind in kinds)
    starts = ((abductive, np.ones(concepts, dtype=bool)), (contrastive, flip))
    for kind, start in starts:
        if not kind.found and start is not None:
            kind.add_within(start, order)
    while not complete and len(abductive.found) + len(contrastive.found) < at_most and time.monotonic() < end:
        candidate = _hitting_set(contrastive.found, abductive.found, order)
        if candidate is None:
            complete = monotone
            break
        kept = np.zeros(concepts, dtype=bool)
        kept[list(candidate)] = True
        kind, start = (abductive, kept) if abductive.holds(kept[None])[0] else (contrastive, ~kept)
        if not kind.add_within(start, order):
            break
    # Where hitting sets have ended early, deletion in other orders may still find some.
    rng, in_vain = np.random.default_rng(0), 0
    while (
        not (complete or monotone)
        and len(abductive.found) + len(contrastive.found) < at_most
        and in_vain < IN_VAIN
        and time.monotonic() < end
    ):
        shuffled = rng.permutation(concepts).tolist()
        new = [kind.add_within(start, shuffled) for kind, start in starts if start is not None]
        in_vain = 0 if any(new) else in_vain + 1
    return _shown(
        abductive.by_size(),
        contrastive.by_size(),
        at_most=at_most,
        all_up_to=(abductive.all_up_to, contrastive.all_up_to),
        complete=complete,
    )


def _try_all(kind: _Kind, concepts: int, size: int, end: float) -> None:
    """Every set of so many concepts, of whose subsets none is of the kind, until `end`."""
    # Whatever holds a known set is not minimal; of single concepts that saves most sets.
    alone = {concept for members in kind.found if len(members) == 1 for concept in members}
    if frozenset() in kind.found:
        kind.all_up_to = concepts
        return
    if math.comb(concepts - len(alone), size) > MOST_OF_A_SIZE:
        return
    candidates = itertools.combinations([k for k in range(concepts) if k not in alone], size)
    smaller = [members for members in kind.found if len(members) > 1]
    while block := list(itertools.islice(candidates, AT_ONCE)):
        if size and time.monotonic() > end:
            return
        sets = np.zeros((len(block), concepts), dtype=bool)
        if size:
            sets[np.repeat(np.arange(len(block)), size), np.array(block).ravel()] = True
        for place in np.flatnonzero(kind.holds(sets)):
            members = frozenset(block[place])
            if not any(known < members for known in smaller):
                kind.found.append(members)
    kind.all_up_to = size


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
