"""The heatmaps of a study as records: counts, from which every share and interval can be read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.heatmaps import DifferentialHeatmap, HeatmapCounts, binarized
from conspect.results.heatmaps import (
    BinarizedMaps,
    CountMatrix,
    Difference,
    ExampleImage,
    Heatmaps,
    LostPair,
    ShareMatrix,
)
from conspect.study.config import Settings
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.concepts import ConceptSample
from conspect.study.recording.shares import count_intervals, counts_matrix

# More concepts than this would not be legible; the report then shows those that differ most.
SHOWN_CONCEPTS = 48
TOP_PAIRS = 6
# Right images that the page can show behind a cell: of each class, and in all.
EXAMPLES_PER_CLASS, EXAMPLES = 12, 600


def shown_concepts(measured: Measurements) -> NDArray[np.int64]:
    """Indices of the concepts whose heatmaps go into results.json: all, or the `SHOWN_CONCEPTS` that tell classes apart.

    With more concepts, those are kept whose mean strength varies most between classes, in their original order.
    """
    concepts = len(measured.lens.concept_names)
    if concepts <= SHOWN_CONCEPTS:
        return np.arange(concepts)
    means = measured.tallies.mean_strengths()[measured.tallies.heatmaps.confusion.sum(1) > 0]
    return np.sort(np.argsort(-np.std(means, axis=0), kind="stable")[:SHOWN_CONCEPTS])


def heatmap_results(
    measured: Measurements,
    settings: Settings,
    shown: NDArray[np.int64],
    *,
    believed: NDArray[np.bool_],
    examples: tuple[ExampleImage, ...] = (),
    orders: str | None = None,
) -> Heatmaps:
    """Ground-truth (both ways), output-label, differential (by label and by output) and binarized heatmaps per class.

    Top pairs name only concepts that are `believed [concept]`.
    """
    names = tuple(measured.lens.concept_names[k] for k in shown)
    maps, confidence = measured.tallies.heatmaps.taken(shown), settings.confidence
    by_vlm = [
        HeatmapCounts(counts.greater[np.ix_(shown, shown)], counts.images)
        for counts in measured.tallies.ground_truth_by_vlm()
    ]
    truth = maps.ground_truth()
    cells = [binarized(counts, settings.binarize_at, confidence=confidence).tolist() for counts in truth]
    by_label, by_output = (
        tuple(_difference(heatmap, confidence, names, believed[shown]) for heatmap in heatmaps)
        for heatmaps in (
            maps.differential_by_label(confidence=confidence),
            maps.differential_by_output(confidence=confidence),
        )
    )
    return Heatmaps(
        concepts=names,
        of_concepts=len(measured.lens.concept_names),
        ground_truth=tuple(_shares(counts, confidence) for counts in truth),
        ground_truth_by_vlm=tuple(_shares(counts, confidence) for counts in by_vlm),
        output_label=tuple(_shares(counts, confidence) for counts in maps.output_label()),
        differential_by_label=by_label,
        differential_by_output=by_output,
        binarized=BinarizedMaps(
            threshold=settings.binarize_at, cells=tuple(tuple(tuple(row) for row in matrix) for matrix in cells)
        ),
        examples=examples,
        orders=orders,
    )


def example_images(measured: Measurements, sample: ConceptSample, classes: tuple[str, ...]) -> tuple[ExampleImage, ...]:
    """The first right images of each class, class by class."""
    most = min(EXAMPLES_PER_CLASS, EXAMPLES // len(classes))
    chosen = [np.flatnonzero((sample.labels == k) & (sample.outputs == k))[:most] for k in range(len(classes))]
    return tuple(
        ExampleImage(
            id=measured.ids[int(sample.images[place])],
            label=classes[k],
            strengths=tuple(round(float(strength), 5) for strength in sample.by_model[place]),
        )
        for k, places in enumerate(chosen)
        for place in places
    )


def _counts(heatmap: HeatmapCounts) -> CountMatrix:
    return CountMatrix(images=int(heatmap.images), greater=counts_matrix(heatmap.greater))


def _shares(heatmap: HeatmapCounts, confidence: float) -> ShareMatrix:
    return ShareMatrix(
        images=int(heatmap.images),
        greater=counts_matrix(heatmap.greater),
        intervals=count_intervals(heatmap, confidence),
    )


def _difference(
    heatmap: DifferentialHeatmap, confidence: float, names: tuple[str, ...], believed: NDArray[np.bool_]
) -> Difference:
    correct, incorrect, alpha = heatmap.correct, heatmap.incorrect, 1 - confidence
    significant = np.argwhere(np.triu(heatmap.p_value < alpha, 1)).tolist()
    return Difference(
        correct=_counts(correct),
        incorrect=_counts(incorrect),
        p_value=tuple(tuple(row) for row in np.round(heatmap.p_value, 6).tolist()),
        significant_pairs=len(significant),
        significant=tuple((i, j) for i, j in significant),
        top_pairs=tuple(
            LostPair(
                stronger=names[i],
                weaker=names[j],
                correct_share=float(correct.share[i, j]),
                incorrect_share=float(incorrect.share[i, j]),
                difference=float(heatmap.difference[i, j]),
                low=float(heatmap.low[i, j]),
                high=float(heatmap.high[i, j]),
                p_value=float(heatmap.p_value[i, j]),
            )
            for i, j in [
                (i, j) for i, j in heatmap.top_pairs(len(names) ** 2, alpha=alpha) if believed[i] and believed[j]
            ][:TOP_PAIRS]
        ),
    )
