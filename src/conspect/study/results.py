"""From measurements to results.json: runs every analysis and writes down what it says. See docs/results.md."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect import __version__
from conspect.analysis import evidence, heatmaps, lens_quality, localization, validation
from conspect.core.protocols import Engine, ImageDataset, ImageEncoder
from conspect.core.statements import statement_of
from conspect.statistics.intervals import wilson
from conspect.study.blame import blame_results
from conspect.study.config import StudyConfig
from conspect.study.heatmap_results import heatmap_results, shown_concepts
from conspect.study.inputs import Inputs
from conspect.study.measurements import Measurements, Timings
from conspect.study.slice_results import concept_label_results, slice_results

Json = dict[str, Any]
SCHEMA = 1
WEAKEST_PAIRS, BROKEN_PAIRS = 8, 3


def assemble(config: StudyConfig, inputs: Inputs, measured: Measurements, timings: Timings, engine: Engine) -> Json:
    """Everything the report shows, as JSON values."""
    classes, confidence = len(inputs.model.class_names), config.settings.confidence
    with timings.stage("heatmaps"):
        shown = shown_concepts(measured, classes)
        maps = heatmap_results(measured, config.settings, shown, engine)
    with timings.stage("localization"):
        found = localization.localize(
            measured.labels,
            measured.outputs,
            vlm_on_image=measured.vlm_on_image,
            vlm_on_mapped=measured.vlm_on_mapped,
            refitted=measured.refitted,
        )
        usual = heatmaps.by_group(measured.lens_numerators, measured.labels, classes)
        located = _localization(found, measured, inputs, usual, confidence)
        located["default"], blames = blame_results(inputs, measured, seed=config.settings.seed)
        for image, blame in zip(located["images"], blames, strict=True):
            image["blame"], image["head_probability"] = blame.culprit.value, blame.head
    with timings.stage("validation"):
        validated = _validation(measured, inputs, shown, confidence)
    results: Json = {
        "schema": SCHEMA,
        "conspect": __version__,
        "asked": _asked(config, inputs),
        "dataset": _dataset(inputs.test, measured),
        "classes": list(inputs.model.class_names),
        "concepts": [{"name": c.name, "phrases": list(c.phrases)} for c in inputs.concepts.concepts],
        "model": _model(inputs, measured, confidence),
        "vlm": _vlm(inputs, measured, confidence),
        "alignment": _alignment(measured, confidence),
        "validation": validated,
        "heatmaps": maps,
        "localization": located,
        "unreadable": [{"split": split, "id": name, "reason": why} for split, name, why in measured.unreadable],
        "environment": {"python": platform.python_version(), "numpy": np.__version__},
        "timings": {name: round(seconds, 3) for name, seconds in timings.seconds.items()},
    }
    seen = concept_label_results(inputs, measured, confidence)
    if seen is not None:
        results["concept_labels"] = seen
    if config.data.slices:
        results["slices"] = slice_results(config, inputs, measured, located["images"])
    return results


def _share(successes: int, trials: int, confidence: float) -> Json:
    low, high = wilson(successes, trials, confidence)
    value = successes / trials if trials else None
    return {"value": value, "low": float(low), "high": float(high), "successes": int(successes), "n": int(trials)}


def _asked(config: StudyConfig, inputs: Inputs) -> Json:
    return {
        "data": config.data.kind,
        "train": {"split": inputs.train.split, "images": len(inputs.train), "digest": inputs.train.digest},
        "seed": config.settings.seed,
        "confidence": config.settings.confidence,
        "binarize_at": config.settings.binarize_at,
    }


def _dataset(test: ImageDataset, measured: Measurements) -> Json:
    return {
        "name": test.name,
        "split": test.split,
        "images": len(test),
        "readable": len(measured.rows),
        "digest": test.digest,
    }


def _statement(encoder: ImageEncoder) -> Json:
    said = statement_of(encoder)
    return {
        "library": said.library,
        "device": said.device,
        "precision": said.precision,
        "checked": list(said.checked),
        "cannot": list(said.cannot),
    }


def _model(inputs: Inputs, measured: Measurements, confidence: float) -> Json:
    classes = len(inputs.model.class_names)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (measured.labels, measured.outputs), 1)
    hits = int(np.trace(confusion))
    return {
        "name": inputs.model.name,
        "digest": inputs.model.digest,
        "preprocessing": inputs.model.preprocessing,
        "embedding_size": inputs.model.embedding_size,
        "head": "linear" if inputs.model.head.is_linear else f"{len(inputs.model.head.layers)} layers with ReLUs",
        "statement": _statement(inputs.model),
        "accuracy": hits / len(measured.labels),
        "accuracy_interval": _share(hits, len(measured.labels), confidence),
        "confusion": confusion.tolist(),
        "by_class": [
            {
                "class": name,
                "recall": _share(int(confusion[k, k]), int(confusion[k].sum()), confidence),
                "precision": _share(int(confusion[k, k]), int(confusion[:, k].sum()), confidence),
            }
            for k, name in enumerate(inputs.model.class_names)
        ],
    }


def _vlm(inputs: Inputs, measured: Measurements, confidence: float) -> Json:
    hits = int((measured.vlm_on_image == measured.labels).sum())
    found: Json = {
        "name": inputs.vlm.name,
        "digest": inputs.vlm.digest,
        "preprocessing": inputs.vlm.preprocessing,
        "statement": _statement(inputs.vlm),
        "zero_shot_accuracy": hits / len(measured.labels),
        "zero_shot_interval": _share(hits, len(measured.labels), confidence),
        "pair_agreement": None,
        "pair_agreement_unseen_words": None,
    }
    table = inputs.attributes
    if table is not None:
        agreed = lens_quality.pair_agreement(measured.vlm_numerators, measured.labels, table)
        through = lens_quality.pair_agreement(measured.lens_numerators, measured.labels, table)
        found["pair_agreement"] = _finite(agreed.mean)
        found["pair_agreement_by_class"] = [_finite(float(v)) for v in agreed.by_class]
        found["pair_agreement_through_lens"] = _finite(through.mean)
        if measured.unseen_directions is not None:
            words = table.aligned_to(table.class_names, tuple(c.name for c in inputs.concepts.unseen()))
            probed = measured.vlm_embeddings @ measured.unseen_directions.T
            agreed = lens_quality.pair_agreement(probed, measured.labels, words)
            found["pair_agreement_unseen_words"] = _finite(agreed.mean)
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _alignment(measured: Measurements, confidence: float) -> Json:
    count = len(measured.labels)
    hits = int((measured.vlm_on_mapped == measured.labels).sum())
    same = int((measured.vlm_on_mapped == measured.vlm_on_image).sum())
    return {
        "r2": measured.alignment_quality.r2,
        "mean_cosine": measured.alignment_quality.mean_cosine,
        "zero_shot_accuracy": hits / count,
        "zero_shot_interval": _share(hits, count, confidence),
        "agreement": same / count,
        "agreement_interval": _share(same, count, confidence),
        "fitted_on": measured.alignment.images,
        "penalty": measured.alignment.penalty,
        "r2_by_penalty": [list(row) for row in measured.alignment.r2_by_penalty],
        "lens_digest": measured.lens.digest,
    }


def _validation(measured: Measurements, inputs: Inputs, shown: NDArray[np.int64], confidence: float) -> Json:
    classes, names = inputs.model.class_names, inputs.concepts.names
    vlm, lens = measured.vlm_numerators, measured.lens_numerators
    checked = validation.validate(vlm[:, shown], lens[:, shown], measured.labels, len(classes))
    found: Json = {
        "agreement_by_class": [_finite(float(v)) for v in checked.agreement],
        "expected_pairs": None,
    }
    if inputs.attributes is not None:
        by_lens = heatmaps.by_group(lens, measured.labels, len(classes))
        by_vlm = heatmaps.by_group(vlm, measured.labels, len(classes))
        pairs = validation.expected_pairs(by_lens, inputs.attributes)
        found["expected_pairs"] = {
            "number": len(pairs),
            "mean_share": _finite(float(np.mean([p.satisfied / p.images for p in pairs if p.images])))
            if pairs
            else None,
            "weakest": [
                {
                    "class": classes[p.class_index],
                    "relevant": names[p.relevant],
                    "irrelevant": names[p.irrelevant],
                    "through_lens": _share(p.satisfied, p.images, confidence),
                    "by_vlm": _share(
                        int(by_vlm[p.class_index].greater[p.relevant, p.irrelevant]), p.images, confidence
                    ),
                }
                for c in range(len(classes))
                for p in [pair for pair in pairs if pair.class_index == c][:WEAKEST_PAIRS]
            ],
        }
    return found


def _localization(
    found: list[localization.Localization],
    measured: Measurements,
    inputs: Inputs,
    usual: list[heatmaps.HeatmapCounts],
    confidence: float,
) -> Json:
    summary = localization.summarise(found, confidence)
    strengths = measured.lens.strengths(measured.embeddings)
    name: Callable[[int], str] = inputs.model.class_names.__getitem__
    concept = inputs.concepts.names.__getitem__
    probabilities = np.exp(measured.logits - measured.logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    images = [
        {
            "id": measured.ids[one.row],
            "label": name(one.label),
            "output": name(one.output),
            "confidence": round(float(probabilities[one.row, one.output]), 4),
            "verdict": one.by_vlm.value,
            "refitted_head_verdict": one.by_refitted_head.value,
            "vlm_says": name(int(measured.vlm_on_image[one.row])),
            "vlm_says_through_lens": name(int(measured.vlm_on_mapped[one.row])),
            "went_wrong": [
                {"stronger": concept(pair.stronger), "weaker": concept(pair.weaker), "usual": round(pair.usual, 4)}
                for pair in evidence.broken_pairs(strengths[one.row], usual[one.label], limit=BROKEN_PAIRS)
            ],
            "strengths": [round(float(v), 5) for v in strengths[one.row]],
        }
        for one in found
    ]
    return {
        "failures": summary.failures,
        "counts": summary.by_vlm,
        "refitted_head_counts": summary.by_refitted_head,
        "refitted_head_accuracy": float((measured.refitted == measured.labels).mean()),
        "cross_table": summary.cross_table,
        "oracle_agreement": summary.oracle_agreement,
        "oracle_agreement_interval": summary.oracle_agreement_interval,
        "kappa": summary.kappa,
        "images": images,
    }
