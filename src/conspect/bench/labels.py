"""The benchmark of wrong labels: errors planted in a study's test labels, ranked by the diagnosis, by the model's own confidence
and, where it is installed, by cleanlab, all from the same outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.head import head_evidence
from conspect.analysis.diagnosis.labels import calibrated
from conspect.bench.rows import Measurement, Row, row
from conspect.core.protocols import ProgressBar, silent
from conspect.core.spaces import Float64
from conspect.core.vectors import unit
from conspect.statistics.threads import one_thread
from conspect.study import Study
from conspect.study.diagnosing.gathering import FITTED_IMAGES, label_judgement, vlm_probe, vlm_scores
from conspect.study.diagnosing.record import MOST_IMAGES, images_of

Labels = NDArray[np.int64]
SHARES, SEEDS, LEAST_PRECISION = (0.02, 0.05), (101, 102, 103), 0.8
OWN = " of the model's confidence alone"
ALONE, TOGETHER = (
    " of cleanlab's best score, of the model's outputs",
    " of cleanlab's best score, of the same four judges",
)
# From labels to how suspect each is, `[image]`.
Judge: TypeAlias = Callable[[Labels], Float64]
CLEANLAB_METHODS = ("self_confidence", "normalized_margin")


def measure(folder: Path, bar: ProgressBar = silent) -> Measurement:
    """Rows for the study in `folder`: average precision by kind and share of errors, the mean over `SEEDS`."""
    study = Study.open(folder)
    measured, model = study.measurements(bar), study.inputs.model
    seed = study.config.settings.seed
    train, test = (images_of(split, split.sample(MOST_IMAGES, seed)) for split in (measured.train, measured.test))
    with one_thread():
        rows = train.some(FITTED_IMAGES, seed=seed)
        known = head_evidence(model.head, train.embeddings[rows], train.labels[rows], test.embeddings, test.labels)
        by_vlm = vlm_scores(test.vlm, measured.class_directions, vlm_probe(train, model.head.classes, seed=seed))
        scores = {
            "model": model.head.logits(test.embeddings),
            "refit": known.refitted_logits(test.embeddings),
            "texts": by_vlm[0],
            "probe": by_vlm[1],
        }

        def judged(labels: Labels) -> Float64:
            return label_judgement(model.head, known, test.embeddings, labels, by_vlm).wrong

        nearest = similar_classes(measured.class_directions)
        return {"images": len(test.labels), "rows": list(rows_of(test.labels, scores, nearest, judged))}


def similar_classes(directions: Float64) -> Labels:
    """For each class the one whose direction is closest."""
    units = unit(directions)
    likeness = units @ units.T
    np.fill_diagonal(likeness, -np.inf)
    return np.asarray(likeness.argmax(1), dtype=np.int64)


def planted(truth: Labels, share: float, nearest: Labels | None, seed: int) -> Labels:
    """A share of all labels wrong: to any class, or (with `nearest`) of half of the classes, to the class that is closest."""
    rng = np.random.default_rng(seed)
    labels, classes = truth.copy(), int(truth.max()) + 1
    number = round(share * len(truth))
    if nearest is None:
        chosen = rng.choice(len(truth), number, replace=False)
        labels[chosen] = (truth[chosen] + rng.integers(1, classes, number)) % classes
        return labels
    some = rng.permutation(classes)[: max(1, classes // 2)]
    rows = np.flatnonzero(np.isin(truth, some))
    chosen = rng.choice(rows, min(number, len(rows)), replace=False)
    labels[chosen] = nearest[truth[chosen]]
    return labels


def rows_of(truth: Labels, scores: Mapping[str, Float64], nearest: Labels, judged: Judge) -> Iterator[Row]:
    """Four rows for each kind and share."""
    for kind, towards in (("any class", None), ("half of the classes, to the most similar one", nearest)):
        for share in SHARES:
            precisions: dict[str, list[float]] = {}
            for seed in SEEDS:
                labels = planted(truth, share, towards, seed)
                wrong = labels != truth
                each = {name: np.exp(calibrated(score, labels)) for name, score in scores.items()}
                own = -each["model"][np.arange(len(labels)), labels]
                for name, suspicion in {"": judged(labels), OWN: own}.items():
                    precisions.setdefault(name, []).append(average_precision(suspicion, wrong))
                for name, probabilities in {ALONE: [each["model"]], TOGETHER: list(each.values())}.items():
                    precisions.setdefault(name, []).extend(cleanlab_precision(probabilities, labels, wrong))
            for name, values in precisions.items():
                what = f"labels: {100 * share:.0f} % wrong, {kind}: average precision{name}"
                value = round(float(np.mean(values)), 4) if values else None
                yield row(
                    what, value, "share" if values else "needs cleanlab", None if name else (">=", LEAST_PRECISION)
                )


def average_precision(suspicion: Float64, wrong: NDArray[np.bool_]) -> float:
    """Mean over wrong labels of the share of wrong ones among those ranked as high or higher."""
    hits = wrong[np.argsort(-suspicion, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def cleanlab_precision(probabilities: Sequence[Float64], labels: Labels, wrong: NDArray[np.bool_]) -> tuple[float, ...]:
    """The best of cleanlab's scores of one judge's probabilities `[image, class]`, or of several together; empty where it is
    not installed."""
    if find_spec("cleanlab") is None:
        return ()
    from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores

    precisions = []
    for method in CLEANLAB_METHODS:
        for adjust in (False, True):
            options = {"method": method, "adjust_pred_probs": adjust}
            score = (
                get_label_quality_scores(labels, probabilities[0], **options)
                if len(probabilities) == 1
                else get_label_quality_ensemble_scores(labels, list(probabilities), verbose=False, **options)
            )
            precisions.append(average_precision(-np.asarray(score), wrong))
    return (max(precisions),)
