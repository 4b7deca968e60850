"""The heatmaps as counts, from which every share and interval can be read."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from conspect.results.shares import Count, CountInterval, Counts, Fraction


class CountMatrix(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`greater[i][j]`: images in which concept i is stronger than concept j, out of `images`."""

    images: Count
    greater: Counts


class ShareMatrix(CountMatrix, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counts as shares: `intervals` of every count that stands in `greater`, ascending. None in results of old versions."""

    intervals: tuple[CountInterval, ...] = ()


class LostPair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pair that failures lose: shares among right and wrong images, their difference with its Newcombe interval."""

    stronger: str
    weaker: str
    correct_share: Fraction
    incorrect_share: Fraction
    difference: float
    low: float
    high: float
    p_value: Fraction


class Difference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Correct minus incorrect behaviour of a class. `p_value`: Holm-adjusted over the pairs of this heatmap.

    `significant_pairs`: pairs below 1 - confidence, `significant [pair]` their two places, the smaller first (none in results of
    old versions); `top_pairs`: those that failures lose, largest difference first.
    """

    correct: CountMatrix
    incorrect: CountMatrix
    p_value: tuple[tuple[Fraction, ...], ...]
    significant_pairs: Count
    significant: tuple[tuple[Count, Count], ...] = ()
    top_pairs: tuple[LostPair, ...]


class BinarizedMaps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ground truth cut at `threshold`; `cells [class][i][j]`: 1 at or above, 0 below, -1 when the interval straddles it."""

    threshold: Fraction
    cells: tuple[tuple[tuple[Literal[-1, 0, 1], ...], ...], ...]


class ExampleImage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image that the model gets right. `strengths`: the cosine of each of the study's concepts, higher = more present."""

    id: str
    label: str
    strengths: tuple[float, ...]


class Heatmaps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the shown `concepts`, out of `of_concepts`. Lists by true class, or by output where the name says so.

    `examples`: the first few right images of each class, so that a cell can be seen; wrong ones are in `localization`.
    `orders`: the table beside results.json with the order of the shown concepts in every image; none in results of old versions.
    """

    concepts: tuple[str, ...]
    of_concepts: Count
    ground_truth: tuple[ShareMatrix, ...]
    ground_truth_by_vlm: tuple[ShareMatrix, ...]
    output_label: tuple[ShareMatrix, ...]
    differential_by_label: tuple[Difference, ...]
    differential_by_output: tuple[Difference, ...]
    binarized: BinarizedMaps
    examples: tuple[ExampleImage, ...] = ()
    orders: str | None = None


def order_column(name: str) -> str:
    """What the table of orders calls the ranks of a concept."""
    return f"rank {name}"
