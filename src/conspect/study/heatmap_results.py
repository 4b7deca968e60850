"""The heatmaps of a study as JSON values: counts, from which every share and interval can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.heatmaps import HeatmapCounts, aggregate, binarized, by_group, differential
from conspect.study.config import Settings
from conspect.study.measurements import Measurements

Json = dict[str, Any]
# More concepts than this would not be legible; the report then shows those that differ most.
SHOWN_CONCEPTS = 48
TOP_PAIRS = 6


def shown_concepts(measured: Measurements, classes: int) -> NDArray[np.int64]:
    """Indices of the concepts whose heatmaps go into results.json: all, or the `SHOWN_CONCEPTS` that tell classes apart.

    With more concepts, those are kept whose mean strength varies most between classes, in their original order.
    """
    strengths = measured.lens.strengths(measured.embeddings)
    if strengths.shape[1] <= SHOWN_CONCEPTS:
        return np.arange(strengths.shape[1])
    means = [strengths[measured.labels == c].mean(0) for c in range(classes) if (measured.labels == c).any()]
    return np.sort(np.argsort(-np.std(means, axis=0), kind="stable")[:SHOWN_CONCEPTS])


def heatmap_results(measured: Measurements, classes: int, settings: Settings, shown: NDArray[np.int64]) -> Json:
    """Ground-truth (both ways), output-label, differential (by label and by output) and binarized heatmaps per class."""
    lens, vlm = measured.lens_numerators[:, shown], measured.vlm_numerators[:, shown]
    labels, outputs = measured.labels, measured.outputs
    right = labels == outputs
    truth = by_group(lens, labels, classes)
    names = [measured.lens.concept_names[k] for k in shown]

    def changed(members: NDArray[np.bool_]) -> Json:
        return _difference(aggregate(lens[members & right]), aggregate(lens[members & ~right]), settings, names)

    return {
        "concepts": names,
        "of_concepts": len(measured.lens.concept_names),
        "ground_truth": [_counts(h) for h in truth],
        "ground_truth_by_vlm": [_counts(h) for h in by_group(vlm, labels, classes)],
        "output_label": [_counts(h) for h in by_group(lens, outputs, classes)],
        "differential_by_label": [changed(labels == c) for c in range(classes)],
        "differential_by_output": [changed(outputs == c) for c in range(classes)],
        "binarized": {
            "threshold": settings.binarize_at,
            "cells": [binarized(h, settings.binarize_at, confidence=settings.confidence).tolist() for h in truth],
        },
    }


def _counts(heatmap: HeatmapCounts) -> Json:
    return {"images": heatmap.images, "greater": heatmap.greater.tolist()}


def _difference(correct: HeatmapCounts, incorrect: HeatmapCounts, settings: Settings, names: list[str]) -> Json:
    found = differential(correct, incorrect, confidence=settings.confidence)
    top = found.top_pairs(TOP_PAIRS, alpha=1 - settings.confidence)
    return {
        "correct": _counts(correct),
        "incorrect": _counts(incorrect),
        "p_value": np.round(found.p_value, 6).tolist(),
        "significant_pairs": int((np.triu(found.p_value < 1 - settings.confidence, 1)).sum()),
        "top_pairs": [
            {
                "stronger": names[i],
                "weaker": names[j],
                "correct_share": float(correct.share[i, j]),
                "incorrect_share": float(incorrect.share[i, j]),
                "difference": float(found.difference[i, j]),
                "low": float(found.low[i, j]),
                "high": float(found.high[i, j]),
                "p_value": float(found.p_value[i, j]),
            }
            for i, j in top
        ],
    }
