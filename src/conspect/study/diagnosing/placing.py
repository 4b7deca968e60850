"""Where the parts of a picture arrive: a bright square is set in each place of a grey picture, and its answer looked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.preparation import LEAST_ENLARGED, Placement
from conspect.core.spaces import Float64
from conspect.study.diagnosing.feeding import Picture

# Squares along a side (of small pictures); how bright they are on which grey; and what part of the strongest answer is one.
SQUARES, FEWER, SMALL, GREY, BRIGHT, ANSWERED = 8, 4, 32, 48, 96, 0.1
# A part is elsewhere when it is so many squares from where the others say, or so many times as wide as a square.
ELSEWHERE, WIDER = 0.7, 1.5
# Fewer squares than this that arrive say nothing of the others.
LEAST_SQUARES = 3


def placement_of(answer: Callable[[Picture], Float64], side: int) -> Placement | None:
    """From the prepared form `[channel, y, x]` of pictures with sides of `side` pixels; None where too few parts arrive."""
    squares = SQUARES if side >= SMALL else FEWER
    plain = np.full((side, side, 3), GREY, dtype=np.uint8)
    before = answer(plain)
    edges = np.linspace(0, side, squares + 1).round().astype(int)
    answers = np.zeros((squares, squares, *before.shape[-2:]))
    for row in range(squares):
        for column in range(squares):
            changed = plain.copy()
            changed[edges[row] : edges[row + 1], edges[column] : edges[column + 1]] += BRIGHT
            moved = np.abs(answer(changed) - before).max(0)
            # A picture that is scaled by itself answers everywhere: what is common to most places is no answer.
            answers[row, column] = np.maximum(moved - np.median(moved), 0)
    return _placement(answers)


def _placement(answers: Float64) -> Placement | None:
    """`answers [row, column, y, x]` of the square in each row and column."""
    squares, (height, width) = answers.shape[0], answers.shape[-2:]
    weight = answers.sum((-2, -1))
    arrived = weight > ANSWERED * weight.max()
    rows, columns = (np.flatnonzero(arrived.any(axis)) for axis in (1, 0))
    if min(len(rows), len(columns)) < LEAST_SQUARES:
        return None
    total = np.where(arrived, weight, 1.0)
    y, x = (np.arange(length) + 0.5 for length in (height, width))
    centre = np.stack([answers.sum(3) @ y / height / total, answers.sum(2) @ x / width / total], axis=-1)
    spread = np.stack(
        [
            answers.sum(3) @ np.square(y / height) / total - centre[..., 0] ** 2,
            answers.sum(2) @ np.square(x / width) / total - centre[..., 1] ** 2,
        ],
        axis=-1,
    )
    slope = np.stack([_step(centre, arrived, axis) for axis in (0, 1)], axis=1) * squares
    if not np.isfinite(slope).all() or abs(np.linalg.det(slope)) < 1e-6:
        return None
    places = np.stack(np.meshgrid(np.arange(squares), np.arange(squares), indexing="ij"), axis=-1)
    given = (places + 0.5) / squares
    start = np.median((centre - given @ slope.T)[arrived], axis=0)
    side = np.abs(slope).sum(1) / squares
    apart = np.abs(centre - given @ slope.T - start) / side
    # A square at the edge of what is shown arrives in part: its middle is off, and it is narrower, never wider.
    whole = arrived & (weight > 0.6 * np.median(weight[arrived]))
    wide = np.sqrt(np.maximum(spread, 0)) * np.sqrt(12) / np.maximum(side, 2 / np.array([height, width]))
    elsewhere = (apart.max(-1) > ELSEWHERE) | (wide.max(-1) > WIDER)
    middle = slice(squares // 2 - 1, squares // 2 + 1)
    if min(np.linalg.norm(slope, axis=0)) < LEAST_ENLARGED and not elsewhere[middle, middle].any():
        elsewhere[:] = False  # a small picture amid its own mirror image: the parts at the border arrive twice
    return Placement(slope, start, float(elsewhere[whole].mean()))


def _step(centre: Float64, arrived: NDArray[np.bool_], axis: int) -> Float64:
    """How far the next square along an axis arrives from the one before it, `[2]`: the median, so that a seam does not count."""
    ahead = np.diff(centre, axis=axis)
    both = arrived[1:] & arrived[:-1] if axis == 0 else arrived[:, 1:] & arrived[:, :-1]
    if not both.any():
        return np.full(2, np.nan)
    return np.asarray(np.median(ahead[both], axis=0))
