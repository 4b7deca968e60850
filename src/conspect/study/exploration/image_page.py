"""All that is known of one image: outputs, opinions, strengths beside those of its class, and its nearest images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.lens_quality import zero_shot
from conspect.core.diagnostics import user_error
from conspect.core.percentages import rounded_share
from conspect.core.spaces import Float64
from conspect.core.vectors import confidences, cosines
from conspect.results.exploration import ImagePage, MonitorOpinion, Neighbour, Opinion, Strength
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.findings import ImageFinding
from conspect.study.exploration.index import FLOAT32, StudyIndex, lowest
from conspect.study.exploration.lists import image_row

NEIGHBOURS, WITNESSES = 6, 10


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
    file: str | None = None,
) -> ImagePage:
    """The page of the image called `name`. `finding`: what the run said of it, None for an image that is right; `file`:
    where it lies.

    Raises UserError EXPLORE003 where there is no such image.
    """
    row = row_of(index, name)
    logits = index.head.logits(index.embedding(row)[None])[0]
    probabilities = confidences(logits)
    near = nearness(index, np.array([row]))[0]
    right, wrong = neighbours(index, row, near)
    return ImagePage(
        image=image_row(index, annotations, row, None),
        logits=tuple(round(float(v), 4) for v in logits),
        probabilities=tuple(rounded_share(v, 5) for v in probabilities),
        diagnosis_sentence=None if finding is None else finding.diagnosis_sentence,
        explanation=None if finding is None else finding.explanation,
        opinions=opinions(index, row, near),
        strengths=_strengths(index, row, grades),
        neighbours_right=right,
        neighbours_wrong=wrong,
        monitor=monitor,
        metadata={
            column: value for column, values in annotations.metadata.items() if (value := values[row]) is not None
        },
        in_label=index.usual(int(index.labels[row])).compared,
        in_output=index.usual(int(index.outputs[row])).compared,
        file=file,
    )


def opinions(index: StudyIndex, row: int, near: NDArray[np.float32]) -> tuple[Opinion, ...]:
    """What model, refitted head, VLM, lens and nearest images say that the image in `row` shows; `near`: its `nearness`."""
    label = index.labels[row]
    mapped = index.lens.alignment(index.embedding(row)[None])
    answers = [
        ("the model", int(index.outputs[row]), float(index.confidence[row])),
        ("a head fitted anew to its embeddings", int(index.refitted[row]), None),
        ("the VLM, on the image", int(zero_shot(index.vlm_embedding(row)[None], index.class_directions)[0]), None),
        ("the VLM, through the lens", int(zero_shot(mapped, index.class_directions)[0]), None),
    ]
    rows = closest(index, row, near, WITNESSES)[0]
    if len(rows):
        votes = np.bincount(index.labels[rows], minlength=len(index.class_names))
        # Of labels that are equally frequent, that of the nearest image.
        most = next(int(index.labels[k]) for k in rows if votes[index.labels[k]] == votes.max())
        answers.append((f"labels of the nearest images ({votes[most]} of {len(rows)})", most, None))
    return tuple(Opinion(who, index.class_names[what], sure, bool(what == label)) for who, what, sure in answers)


def nearness(index: StudyIndex, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Minus the cosine `[row, image]` of the images in `rows` and all others, in float32; infinite for itself."""
    squares = index.facts.squares
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    near = -index.products(index.model_space.taken(rows)).T / lengths / lengths[rows][:, None]
    near[np.arange(len(rows)), rows] = np.inf
    return np.asarray(near)


def closest(index: StudyIndex, row: int, near: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], Float64]:
    """Rows of the `count` images with the lowest `near [image]`, its `nearness`, the nearest first, and their cosines.

    Measured in float64 where rounding leaves in question which they are; infinite ones are none.
    """
    own = index.embedding(row)
    rows = lowest(near, count, slack=4 * len(own) * FLOAT32)
    exact = cosines(own, index.model_space.taken(rows))
    order = np.lexsort((rows, -exact))[:count]
    return rows[order], exact[order]


def neighbours(
    index: StudyIndex, row: int, near: NDArray[np.float32]
) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
    """The nearest images that the model gets right, and the nearest that it gets wrong, by cosine in its own space.

    `near`: its `nearness`.
    """

    def nearest(among: NDArray[np.bool_]) -> tuple[Neighbour, ...]:
        rows, near_by = closest(index, row, np.where(among, near, np.inf), NEIGHBOURS)
        return tuple(
            Neighbour(
                int(k),
                index.ids[k],
                index.class_names[index.labels[k]],
                index.class_names[index.outputs[k]],
                round(float(cosine), 4),
            )
            for k, cosine in zip(rows, near_by, strict=True)
        )

    return nearest(~index.wrong), nearest(index.wrong)


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
