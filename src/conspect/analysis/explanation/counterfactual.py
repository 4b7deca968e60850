"""The smallest change of concept strengths, or of a few of them, that restores the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from conspect.core.spaces import Float64, Floats, Head, Lens

# Below this share of the largest, directions in which concepts vary together count as none.
RELATIVE_CUTOFF = 1e-4
# What real embeddings have to their nearest other is the median over so many.
COMPARED = 200
# Concepts of the two classes are preferred to others while they need no longer a shift than this times; and rounding may make a
# shift so much longer before another decimal is taken.
MUCH_LONGER, HARDLY_LONGER = 2.0, 1.05
LEAST_DECIMALS, MOST_DECIMALS = 2, 12


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """`shift [concept]`: by how many standard deviations (over images) each strength moves; 0 for concepts that may not move.

    `embedding [D]`: the moved embedding. `distance`: from it to the nearest embedding of another real image, over the median of
    what real ones have to their nearest other: about 1 is where images lie, much more is where none does.
    """

    shift: Float64
    embedding: Float64
    distance: float


def concept_moves(lens: Lens, embeddings: Floats) -> Float64:
    """`[D, concept]`: the moves of an embedding that change one concept's strength by a standard deviation and no other's.

    They lie along how `embeddings [image, D]` vary: with covariance S and folded directions C, V = S C' (C S C')^+.
    """
    centred = embeddings - np.mean(embeddings, axis=0, dtype=np.float64)
    covariance = np.asarray(centred.T @ centred, dtype=np.float64) / len(centred)
    folded = lens.folded.weight
    spread = np.sqrt(np.maximum(np.einsum("kd,de,ke->k", folded, covariance, folded), 0.0))
    scaled = folded / np.where(spread > 0, spread, 1.0)[:, None]
    return np.asarray(
        covariance @ scaled.T @ np.linalg.pinv(scaled @ covariance @ scaled.T, rcond=RELATIVE_CUTOFF, hermitian=True),
        dtype=np.float64,
    )


def smallest_shift(
    moves: Float64,
    head: Head,
    embedding: Floats,
    label: int,
    may_move: NDArray[np.bool_],
    *,
    lead: float = 1e-6,
    rounded_by: float = 0.0,
    signs: Float64 | None = None,
) -> Float64 | None:
    """The shift of least Euclidean length after which a linear head prefers `label`, or None where no shift does.

    `signs [concept]`: 1 for concepts that may only rise, -1 for those that may only fall; None: all may do either. The head still
    prefers it when each concept's part is off by at most `rounded_by`, as it is when it has been printed.
    Least-distance programming (Lawson and Hanson, 1974, chapter 23): minimise |u| with A u >= b is one non-negative
    least-squares problem. Raises ValueError for heads that are not linear.
    """
    if not head.is_linear:
        raise ValueError("a smallest shift needs a linear head")
    weight = head.layers[0].weight
    others = np.arange(len(weight)) != label
    logits = head.logits(np.asarray(embedding, dtype=np.float64)[None, :])[0]
    rows = (weight[label] - weight[others]) @ moves[:, may_move]
    shift = np.zeros(len(may_move))
    if (logits[others] < logits[label]).all():
        return shift
    needed = logits[others] - logits[label] + lead + rounded_by * np.abs(rows).sum(axis=1)
    if signs is not None:
        # Each sign is one more inequality: what moves the way it may is at least 0.
        rows = np.vstack([rows, np.diag(signs[may_move])])
        needed = np.concatenate([needed, np.zeros(int(may_move.sum()))])
    system = np.vstack([rows.T, needed])
    aim = np.zeros(len(system))
    aim[-1] = 1.0
    solution, _ = nnls(system, aim, maxiter=10 * system.shape[1] + 100)
    residual = system @ solution - aim
    if -residual[-1] <= 1e-10:
        return None
    moved = -residual[:-1] / residual[-1]
    if ((rows @ moved - needed) < -1e-6 * (1 + np.abs(needed))).any():
        return None
    # What is at a bound is there but for rounding.
    shift[may_move] = moved if signs is None else np.where(moved * signs[may_move] > 0, moved, 0.0)
    return shift


@dataclass(frozen=True, eq=False)
class PrintedShift:
    """A shift as it is printed: `shift [concept]` is rounded to `decimals`, and so rounded it restores the label. `of_the_two`:
    the concepts that moved are those that belong to one of the two classes, each the way that it may.
    """

    shift: Float64
    decimals: int
    of_the_two: bool


def shift_of_few(
    moves: Float64,
    head: Head,
    embedding: Floats,
    label: int,
    *,
    at_most: int,
    rounded_by: float = 0.0,
    ways: Float64 | None = None,
) -> Float64 | None:
    """The least shift of the `at_most` concepts that the least shift of all moves most; of twice as many where those cannot.

    `ways [concept]`: 1 for concepts that may only rise, -1 for those that may only fall, 0 for those that may not move; None: all
    may move either way.
    """
    concepts = moves.shape[1]
    everything = np.ones(concepts, dtype=bool) if ways is None else ways != 0

    def least(may_move: NDArray[np.bool_]) -> Float64 | None:
        return smallest_shift(moves, head, embedding, label, may_move, rounded_by=rounded_by, signs=ways)

    of_all = least(everything)
    few = at_most
    while of_all is not None and few < concepts:
        may_move = np.zeros(concepts, dtype=bool)
        may_move[np.argsort(-np.abs(of_all), kind="stable")[:few]] = True
        shift = least(may_move & everything)
        if shift is not None:
            return shift
        few *= 2
    return of_all


def printed_shift(
    moves: Float64, head: Head, embedding: Floats, label: int, *, at_most: int, ways: Float64
) -> PrintedShift | None:
    """The least shift of a few concepts, of those of `ways` where they need no more than `MUCH_LONGER` times what any others do,
    with as few decimals as it can be printed with: rounded, it restores the label and is hardly longer. None where none does.
    """
    of_any = shift_of_few(moves, head, embedding, label, at_most=at_most)
    if of_any is None:
        return None
    of_the_two = shift_of_few(moves, head, embedding, label, at_most=at_most, ways=ways) if ways.any() else None
    theirs = of_the_two is not None and bool(np.linalg.norm(of_the_two) <= MUCH_LONGER * np.linalg.norm(of_any))
    exact, allowed = (of_the_two, ways) if theirs and of_the_two is not None else (of_any, None)
    for decimals in range(LEAST_DECIMALS, MOST_DECIMALS + 1):
        half = 0.5 * 10.0**-decimals
        shift = shift_of_few(moves, head, embedding, label, at_most=at_most, rounded_by=half, ways=allowed)
        if shift is None:
            continue
        # Adding 0 turns -0 into 0.
        rounded = np.round(shift, decimals) + 0.0
        if np.linalg.norm(rounded) > HARDLY_LONGER * np.linalg.norm(exact):
            continue
        logits = head.logits((np.asarray(embedding, dtype=np.float64) + moves @ rounded)[None, :])[0]
        if (np.delete(logits, label) < logits[label]).all():
            return PrintedShift(rounded, decimals, theirs)
    return None


def counterfactual(moves: Float64, embedding: Floats, shift: Float64, others: Floats) -> Counterfactual:
    """What `shift` makes of an embedding, and how far that is from the real embeddings of `others [image, D]`."""
    moved = np.asarray(embedding, dtype=np.float64) + moves @ shift
    real = np.asarray(others, dtype=np.float64)
    usual = float(np.median(_nearest(real[:COMPARED], real, skip_self=True))) if len(real) > 1 else 0.0
    distance = float(_nearest(moved[None, :], real, skip_self=False).min(initial=np.inf)) if len(real) else np.inf
    return Counterfactual(shift, moved, distance / usual if usual > 0 else float("inf"))


def _nearest(points: Float64, real: Float64, *, skip_self: bool) -> Float64:
    squared = np.square(points).sum(1)[:, None] - 2 * points @ real.T + np.square(real).sum(1)[None, :]
    if skip_self:
        np.fill_diagonal(squared, np.inf)
    return np.asarray(np.sqrt(np.maximum(squared.min(axis=1), 0.0)), dtype=np.float64)
