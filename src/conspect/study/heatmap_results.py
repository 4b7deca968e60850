"""The heatmaps of a study as JSON values: counts, from which every share and interval can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.heatmaps import DifferentialHeatmap, HeatmapCounts, binarized
from conspect.analysis.tallies import Reading
from conspect.core.protocols import Engine
from conspect.core.spaces import Lens
from conspect.study.config import Settings
from conspect.study.measurements import Measurements
from conspect.study.streaming import KnownAnswers, tallied

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


def heatmap_results(measured: Measurements, settings: Settings, shown: NDArray[np.int64], engine: Engine) -> Json:
    """Ground-truth (both ways), output-label, differential (by label and by output) and binarized heatmaps per class."""
    names = [measured.lens.concept_names[k] for k in shown]
    lens = Lens(measured.lens.alignment, tuple(names), measured.lens.directions[shown])
    answers = KnownAnswers(measured.labels, measured.outputs, measured.refitted)
    tallies = tallied(measured.pairs, Reading(lens, measured.class_directions), answers, engine)
    maps, confidence = tallies.heatmaps, settings.confidence
    truth = maps.ground_truth()
    return {
        "concepts": names,
        "of_concepts": len(measured.lens.concept_names),
        "ground_truth": [_counts(h) for h in truth],
        "ground_truth_by_vlm": [_counts(h) for h in tallies.ground_truth_by_vlm()],
        "output_label": [_counts(h) for h in maps.output_label()],
        "differential_by_label": [
            _difference(one, settings, names) for one in maps.differential_by_label(confidence=confidence)
        ],
        "differential_by_output": [
            _difference(one, settings, names) for one in maps.differential_by_output(confidence=confidence)
        ],
        "binarized": {
            "threshold": settings.binarize_at,
            "cells": [binarized(h, settings.binarize_at, confidence=settings.confidence).tolist() for h in truth],
        },
    }


def _counts(heatmap: HeatmapCounts) -> Json:
    return {"images": heatmap.images, "greater": heatmap.greater.tolist()}


def _difference(found: DifferentialHeatmap, settings: Settings, names: list[str]) -> Json:
    correct, incorrect = found.correct, found.incorrect
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
