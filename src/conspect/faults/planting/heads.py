"""Faults of a linear head, each with a strength from 0 (sound) to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from conspect.core.spaces import AffineMap, Floats
from conspect.statistics.logistic import fit_logistic

# Takes the sound head, the strength and a generator of random numbers; equal seeds give one path of heads over strengths.
HeadMutation: TypeAlias = Callable[[AffineMap, float, np.random.Generator], AffineMap]

RAISE, NOISE = 8.0, 8.0


@dataclass(frozen=True)
class HeadMutator:
    """A fault with its name in the results."""

    name: str
    mutate: HeadMutation


def _two(head: AffineMap, rng: np.random.Generator) -> tuple[int, int]:
    first, second = rng.permutation(len(head.offset))[:2]
    return int(first), int(second)


def swap_rows(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Two classes exchange a share `strength` of their weights, in random order; at 1 the whole rows, and the biases."""
    pair = np.array(_two(head, rng))
    order = rng.permutation(head.weight.shape[1])
    moved = order[: round(strength * len(order))]
    weight, offset = head.weight.copy(), head.offset.copy()
    weight[np.ix_(pair, moved)] = weight[np.ix_(pair[::-1], moved)]
    if len(moved) == len(order):
        offset[pair] = offset[pair[::-1]]
    return AffineMap(weight, offset)


def raise_bias(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """One class's bias grows by `strength` times `RAISE` row norms."""
    chosen, _ = _two(head, rng)
    offset = head.offset.copy()
    offset[chosen] += strength * RAISE * float(np.linalg.norm(head.weight[chosen]))
    return AffineMap(head.weight, offset)


def shrink_row(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """One class's row is multiplied by 1 - `strength`."""
    chosen, _ = _two(head, rng)
    weight = head.weight.copy()
    weight[chosen] *= 1 - strength
    return AffineMap(weight, head.offset)


def noise_row(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Gaussian noise on one class's row, `strength` times `NOISE` times the row's own deviation."""
    chosen, _ = _two(head, rng)
    weight = head.weight.copy()
    weight[chosen] += strength * NOISE * weight[chosen].std() * rng.standard_normal(weight.shape[1])
    return AffineMap(weight, head.offset)


def rotate_row(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """One class's row turns towards another's by `strength` of the angle between them; its length stays."""
    chosen, other = _two(head, rng)
    length = float(np.linalg.norm(head.weight[chosen]))
    start = head.weight[chosen] / length
    aim = head.weight[other] / np.linalg.norm(head.weight[other])
    angle = float(np.arccos(np.clip(start @ aim, -1, 1)))
    across = aim - (start @ aim) * start
    across /= max(float(np.linalg.norm(across)), 1e-12)
    weight = head.weight.copy()
    weight[chosen] = length * (np.cos(strength * angle) * start + np.sin(strength * angle) * across)
    return AffineMap(weight, head.offset)


def zero_inputs(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """A share `strength` of the head's inputs, in random order, is multiplied by zero."""
    order = rng.permutation(head.weight.shape[1])
    weight = head.weight.copy()
    weight[:, order[: round(strength * len(order))]] = 0.0
    return AffineMap(weight, head.offset)


def quantise(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """A share `strength` of the weights, in random order, is rounded to the four values that two bits have."""
    scale = float(np.abs(head.weight).max()) / 2 or 1.0
    rounded = scale * np.clip(np.round(head.weight / scale), -2, 1)
    chosen = rng.random(rounded.shape) < strength
    return AffineMap(np.where(chosen, rounded, head.weight), head.offset)


def mixed_labels(embeddings: Floats, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> HeadMutation:
    """A head trained anew on `embeddings [image, D]`, with a share `strength` of two classes' labels exchanged."""

    def mutate(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
        first, second = _two(head, rng)
        chosen = rng.random(len(labels)) < strength
        mixed = np.where(chosen & (labels == first), second, np.where(chosen & (labels == second), first, labels))
        fitted = fit_logistic(embeddings, mixed, len(head.offset), iterations=60)
        return AffineMap(np.ascontiguousarray(fitted.weight.T), fitted.bias)

    return mutate


def head_mutators(embeddings: Floats, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[HeadMutator, ...]:
    """All faults of the head; the last is trained on `embeddings [image, D]` with `labels [image]`."""
    return (
        HeadMutator("rows swapped", swap_rows),
        HeadMutator("bias raised", raise_bias),
        HeadMutator("row shrunk", shrink_row),
        HeadMutator("row noised", noise_row),
        HeadMutator("row rotated", rotate_row),
        HeadMutator("inputs zeroed", zero_inputs),
        HeadMutator("quantised to 2 bits", quantise),
        HeadMutator("labels mixed", mixed_labels(embeddings, labels)),
    )
