"""All that is known of one image: outputs, opinions, strengths beside those of its class, and its nearest images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.lens_quality import zero_shot
from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64
from conspect.results.exploration import ImagePage, MonitorOpinion, Neighbour, Opinion, Strength
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.findings import ImageFinding
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.lists import image_row

NEIGHBOURS = 6


def row_of(index: StudyIndex, name: str) -> int:
    """Row of the image called `name`. Raises UserError EXPLORE003 where there is none."""
    if name not in index.row_of:
        raise user_error("EXPLORE003", f"the study has no image {name[:100]!r}", "names are those of results.json")
    return index.row_of[name]


def image_page(
    index: StudyIndex,
    annotations: Annotations,
    name: str,
    *,
    grades: Mapping[str, str],
    finding: ImageFinding | None,
    monitor: MonitorOpinion | None = None,
) -> ImagePage:
    """The page of the image called `name`. `finding`: what the run said of it, None for an image that is right.

    Raises UserError EXPLORE003 where there is no such image.
    """
    row = row_of(index, name)
    logits = index.head.logits(index.embedding(row)[None])[0]
    probabilities = softmax(logits)
    right, wrong = neighbours(index, row)
    return ImagePage(
        image=image_row(index, annotations, row, None),
        logits=tuple(round(float(v), 4) for v in logits),
        probabilities=tuple(round(float(v), 5) for v in probabilities),
        diagnosis_sentence=None if finding is None else finding.diagnosis_sentence,
        explanation=None if finding is None else finding.explanation,
        opinions=opinions(index, row),
        strengths=_strengths(index, row, grades),
        neighbours_right=right,
        neighbours_wrong=wrong,
        monitor=monitor,
        metadata={
            column: value for column, values in annotations.metadata.items() if (value := values[row]) is not None
        },
    )


def softmax(logits: Float64) -> Float64:
    """Probabilities `[class]` of `logits [class]`."""
    shares = np.exp(logits - logits.max())
    return np.asarray(shares / shares.sum())


def opinions(index: StudyIndex, row: int) -> tuple[Opinion, ...]:
    """What the model, the VLM on the image, and the VLM through the model say that the image in `row` shows."""
    label = index.labels[row]
    mapped = index.lens.alignment(index.embedding(row)[None])
    said = (
        ("the model", int(index.outputs[row]), float(index.confidence[row])),
        ("the VLM, on the image", int(zero_shot(index.vlm_embedding(row)[None], index.class_directions)[0]), None),
        ("the VLM, through the model", int(zero_shot(mapped, index.class_directions)[0]), None),
    )
    return tuple(Opinion(who, index.class_names[what], sure, bool(what == label)) for who, what, sure in said)


def neighbours(index: StudyIndex, row: int) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
    """The nearest images that the model gets right, and the nearest that it gets wrong, by cosine in its own space."""
    own = index.embedding(row)
    square = float(np.square(own.astype(np.float64)).sum())
    parts = [
        (z @ own) / np.sqrt(np.where(squares > 0, squares, 1.0) * (square or 1.0))
        for z, squares in index.measured_points()
    ]
    cosines = np.concatenate(parts)
    cosines[row] = -np.inf

    def nearest(among: NDArray[np.bool_]) -> tuple[Neighbour, ...]:
        scores = np.where(among, cosines, -np.inf)
        rows = np.argsort(-scores, kind="stable")[:NEIGHBOURS]
        return tuple(
            Neighbour(
                int(k),
                index.ids[k],
                index.class_names[index.labels[k]],
                index.class_names[index.outputs[k]],
                round(float(cosines[k]), 4),
            )
            for k in rows
            if np.isfinite(scores[k])
        )

    return nearest(~index.wrong), nearest(index.wrong)


def _strengths(index: StudyIndex, row: int, grades: Mapping[str, str]) -> tuple[Strength, ...]:
    """Every concept of the study on this image, the most unusual for its label first."""
    own = index.strengths(index.lens.directions, np.array([row]))[0]

    def percentiles(members: NDArray[np.bool_]) -> Float64 | None:
        others = index.strengths(index.lens.directions, members)
        return None if len(others) < 2 else np.asarray(100.0 * (others <= own).mean(axis=0))

    of_label = percentiles((index.labels == index.labels[row]) & ~index.wrong)
    of_output = percentiles((index.labels == index.outputs[row]) & ~index.wrong)
    entries = [
        Strength(
            concept,
            round(float(own[k]), 5),
            None if of_label is None else round(float(of_label[k]), 1),
            None if of_output is None else round(float(of_output[k]), 1),
            grades.get(concept),
        )
        for k, concept in enumerate(index.lens.concept_names)
    ]
    return tuple(sorted(entries, key=lambda entry: -abs((entry.percentile_in_label or 50.0) - 50.0)))
