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
from conspect.study.exploration.index import FLOAT32, StudyIndex, lowest
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
        in_label=index.usual(int(index.labels[row])).compared,
        in_output=index.usual(int(index.outputs[row])).compared,
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
    """The nearest images that the model gets right, and the nearest that it gets wrong, by cosine in its own space.

    A scan in float32 proposes all that rounding leaves in question, which are measured in float64.
    """
    own = index.embedding(row)
    rough = index.products(own[None])[:, 0]
    squares = index.facts.squares
    rough /= -np.sqrt(np.where(squares > 0, squares, 1.0)) * (float(np.sqrt(squares[row])) or 1.0)
    rough[row] = np.inf

    def nearest(among: NDArray[np.bool_]) -> tuple[Neighbour, ...]:
        rows = lowest(np.where(among, rough, np.inf), NEIGHBOURS, slack=4 * len(own) * FLOAT32)
        cosines = cosines_to(own, index.model_space.taken(rows))
        order = np.lexsort((rows, -cosines))[:NEIGHBOURS]
        return tuple(
            Neighbour(
                int(rows[k]),
                index.ids[rows[k]],
                index.class_names[index.labels[rows[k]]],
                index.class_names[index.outputs[rows[k]]],
                round(float(cosines[k]), 4),
            )
            for k in order
        )

    return nearest(~index.wrong), nearest(index.wrong)


def cosines_to(own: NDArray[np.float32], others: NDArray[np.float32]) -> Float64:
    """Cosines `[image]` of `own [D]` and `others [image, D]`, in float64; 0 where one vanishes."""
    exact, point = others.astype(np.float64), own.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(point)
    return np.asarray(exact @ point / np.where(lengths > 0, lengths, 1.0))


def _strengths(index: StudyIndex, row: int, grades: Mapping[str, str]) -> tuple[Strength, ...]:
    """Every concept of the study on this image, the most unusual for its label first."""
    own = index.strengths(index.lens.directions, np.array([row]))[0]
    of_label = index.usual(int(index.labels[row])).percentiles(own)
    of_output = index.usual(int(index.outputs[row])).percentiles(own)
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
