"""One grade for each concept: does the VLM see it, and does what is read off the model mean the same?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.concepts.groups import Identifiability, identifiability
from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Float64, Floats
from conspect.statistics.detection import Score, auroc, tally


class Grade(Enum):
    """How far a concept may be believed. What is not seen takes no part in summaries and explanations."""

    SEEN = "seen"
    PARTLY = "partly"
    NOT_SEEN = "not seen"


@dataclass(frozen=True)
class Limits:
    """Below `fails` a measure says "not seen", below `doubts` "partly". Chosen before any study was graded with them."""

    fails: float
    doubts: float


SEPARATION, SHOWN = Limits(0.6, 0.8), Limits(0.6, 0.7)
STABILITY, AGREEMENT = Limits(0.3, 0.6), Limits(0.3, 0.6)
BEYOND_CLASSES, TOLERANCE = 0.05, 0.02


@dataclass(frozen=True)
class ConceptMeasures:
    """What is measured of a concept; None where a study has nothing to measure it with.

    `separation`: AUROC of the VLM's strength between images of classes that carry the concept and of classes that do not.
    `shown`: the same between images labelled as showing it and others, of the same class only.
    `stability`: mean correlation between the strength by one phrase and template and the concept's own.
    `agreement`: correlation of the model's reading with the VLM's over images; `r2` of this direction, 1 = the same.
    `beyond_classes`: share of the variance of the VLM's strength within classes that class strengths do not explain.
    `tolerance`, `group`: see `Identifiability`; `group` lists the other members.
    """

    separation: float | None
    shown: float | None
    stability: float | None
    agreement: float
    r2: float
    beyond_classes: float
    tolerance: float
    group: tuple[int, ...]


@dataclass(frozen=True)
class GradedConcept:
    """A concept's measures, its grade, and the reasons why it is no better: none for `Grade.SEEN`.

    `seen_as_group`: the only doubt is that it cannot be told from its group, so that the group as one is seen.
    """

    measures: ConceptMeasures
    grade: Grade
    reasons: tuple[str, ...]
    seen_as_group: bool = False


@dataclass(frozen=True, eq=False)
class ConceptEvidence:
    """What concepts are graded on. Both strengths `[image, concept]`; `labels [image]`; `classes [image, class]`: strengths of
    class names on the image. `variants`: by concept, strengths `[image, variant]` by one phrase and template each. `presence
    [image, concept]`: 1 shown, 0 not shown, NaN not known.
    """

    by_vlm: Floats
    by_model: Floats
    labels: NDArray[np.int64]
    classes: Floats
    variants: Sequence[Floats]
    table: ClassAttributes | None
    presence: Float64 | None


def grade_concepts(evidence: ConceptEvidence) -> list[GradedConcept]:
    """A grade for every concept, in order."""
    told_apart = identifiability(evidence.by_vlm)
    classes = _within(evidence.classes, evidence.labels)
    beyond = _unexplained(_within(evidence.by_vlm, evidence.labels), classes)
    return [_graded(_measures(evidence, concept, told_apart, beyond)) for concept in range(evidence.by_vlm.shape[1])]


def _measures(evidence: ConceptEvidence, concept: int, told_apart: Identifiability, beyond: Float64) -> ConceptMeasures:
    vlm = np.asarray(evidence.by_vlm[:, concept], dtype=np.float64)
    model = np.asarray(evidence.by_model[:, concept], dtype=np.float64)
    variance = float(vlm.var())
    stability = [_correlation(variant, vlm) for variant in np.asarray(evidence.variants[concept], dtype=np.float64).T]
    return ConceptMeasures(
        separation=_separation(vlm, evidence, concept),
        shown=None if evidence.presence is None else _shown(vlm, evidence.presence[:, concept], evidence.labels),
        stability=float(np.mean(stability)) if len(stability) > 1 else None,
        agreement=_correlation(vlm, model),
        r2=1.0 - float(np.square(vlm - model).mean()) / variance if variance > 0 else 0.0,
        beyond_classes=float(beyond[concept]),
        tolerance=float(told_apart.tolerance[concept]),
        group=tuple(k for k in told_apart.members(concept) if k != concept),
    )


def _separation(strength: Float64, evidence: ConceptEvidence, concept: int) -> float | None:
    if evidence.table is None:
        return None
    carry = evidence.table.relevant[evidence.labels, concept]
    lack = evidence.table.irrelevant[evidence.labels, concept]
    return _auroc(strength[carry | lack], carry[carry | lack])


def _shown(strength: Float64, presence: Float64, labels: NDArray[np.int64]) -> float | None:
    wins = pairs = 0.0
    for index in np.unique(labels):
        rows = (labels == index) & ~np.isnan(presence)
        value = _auroc(strength[rows], presence[rows] == 1)
        if value is not None:
            number = float((presence[rows] == 1).sum()) * float((presence[rows] == 0).sum())
            wins, pairs = wins + value * number, pairs + number
    return wins / pairs if pairs else None


def _auroc(strength: Float64, positive: NDArray[np.bool_]) -> float | None:
    if not positive.any() or positive.all():
        return None
    return float(auroc(tally(Score(strength, "suspect"), positive)))


def _correlation(first: Float64, second: Float64) -> float:
    """Pearson's; 0 where either does not vary."""
    a, b = first - first.mean(), second - second.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 1e-12 * len(a) else 0.0


def _within(values: Floats, labels: NDArray[np.int64]) -> Float64:
    """`values [image, ...]` less the mean of the image's class."""
    centred = np.array(values, dtype=np.float64)
    for index in np.unique(labels):
        centred[labels == index] -= centred[labels == index].mean(axis=0)
    return centred


def _unexplained(strengths: Float64, classes: Float64) -> Float64:
    """Share `[concept]` of the variance of `strengths [image, concept]` that `classes [image, class]` do not explain linearly.

    One decomposition of `classes` serves all concepts.
    """
    total = np.square(strengths).sum(axis=0)
    fitted = classes @ np.linalg.lstsq(classes, strengths, rcond=None)[0]
    left = np.square(strengths - fitted).sum(axis=0)
    constant = total <= 1e-20 * len(strengths)
    return np.asarray(np.where(constant, 0.0, np.clip(left / np.where(constant, 1.0, total), 0.0, 1.0)))


def _graded(measures: ConceptMeasures) -> GradedConcept:
    failed: list[str] = []
    doubted: list[str] = []

    def judge(value: float | None, limits: Limits, reason: str) -> None:
        if value is not None and value < limits.doubts:
            (failed if value < limits.fails else doubted).append(reason.format(value))

    judge(
        measures.separation, SEPARATION, "it hardly separates the classes that carry it from the others (AUROC {:.2f})"
    )
    judge(measures.shown, SHOWN, "it hardly separates images of a class that show it from others (AUROC {:.2f})")
    judge(measures.stability, STABILITY, "other phrases for it say something else (correlation {:.2f})")
    judge(measures.agreement, AGREEMENT, "what is read off the model is not what the VLM sees (correlation {:.2f})")
    if measures.separation is None and measures.shown is None:
        doubted.append("nothing says which classes or images should show it and which not")
    if measures.beyond_classes < BEYOND_CLASSES:
        doubted.append("within a class it only restates how much an image looks like other classes")
    seen_as_group = bool(measures.group) and not (failed or doubted)
    if measures.group:
        doubted.append("it cannot be told from other concepts")
    elif measures.tolerance < TOLERANCE:
        doubted.append("it is a combination of the other concepts")
    grade = Grade.NOT_SEEN if failed else Grade.PARTLY if doubted else Grade.SEEN
    return GradedConcept(measures, grade, (*failed, *doubted), seen_as_group)
