"""One grade for each concept: does the VLM see it, and does what is read off the model mean the same?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from conspect.analysis.concepts.groups import Identifiability, identifiability
from conspect.analysis.concepts.meaningless import MEANS, MOST_WORDS, too_long
from conspect.core.concept_words import class_named_in, negations, plain_words, quoted
from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Float64, Floats
from conspect.statistics.detection import Score, auroc, tally
from conspect.statistics.intervals import auroc_interval


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
# Labels by eye are few: they fail a concept where it is below the upper limit with this confidence, else they raise a doubt.
SURE = 0.95
STABILITY, AGREEMENT = Limits(0.3, 0.6), Limits(0.3, 0.6)
BEYOND_CLASSES, TOLERANCE = 0.05, 0.02
# A strength that follows the strength of a class's name so closely over the images is that name.
SAME_AS_CLASS = 0.98


@dataclass(frozen=True)
class ConceptMeasures:
    """What is measured of a concept; None where a study has nothing to measure it with.

    `separation`: AUROC of the VLM's strength between images of classes that carry the concept and of classes that do not.
    `shown`: the same between images labelled as showing it and others, of the same class only; `shown_high`: what it is at most,
    with 95 % confidence, `shown_images`: of how many images. `meaning`: how likely words without meaning behave so on these
    images, corrected for the concepts that were asked; of concepts that neither table nor labels check.
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
    shown_high: float | None = None
    shown_images: int = 0
    meaning: float | None = None

    @property
    def checked(self) -> bool:
        """A table or labels say which images should show it."""
        return self.separation is not None or self.shown is not None


@dataclass(frozen=True)
class GradedConcept:
    """A concept's measures, its grade, and the reasons why it is no better: none for `Grade.SEEN`.

    `seen_as_group`: the only doubt is that it cannot be told from its group, so that the group as one is seen.
    `names_class`: it holds a class's name, or cannot be told from one, and no table or labels say what else it means.
    """

    measures: ConceptMeasures
    grade: Grade
    reasons: tuple[str, ...]
    seen_as_group: bool = False
    names_class: bool = False

    @property
    def checked(self) -> bool:
        """A table or labels say which images should show it."""
        return self.measures.checked

    @property
    def speaks(self) -> bool:
        """It takes part in summaries and explanations."""
        return self.grade is not Grade.NOT_SEEN and not self.names_class


@dataclass(frozen=True, eq=False)
class ConceptEvidence:
    """What concepts are graded on. Both strengths `[image, concept]`; `labels [image]`; `classes [image, class]`: strengths of
    class names on the image. `variants`: by concept, strengths `[image, variant]` by one phrase and template each. `presence
    [image, concept]`: 1 shown, 0 not shown, NaN not known. `phrases`, by concept, and `class_names`: to know which
    concepts deny something, and which name a class. `meaning`: of concepts, by number, the p-values of behaving on these images
    like words without meaning (`p_values_of_meaning`); it is asked of concepts that nothing checks alone.
    """

    by_vlm: Floats
    by_model: Floats
    labels: NDArray[np.int64]
    classes: Floats
    variants: Sequence[Floats]
    table: ClassAttributes | None
    presence: Float64 | None
    phrases: Sequence[Sequence[str]] = ()
    class_names: Sequence[str] = ()
    meaning: Callable[[Sequence[int]], Float64] | None = None


def grade_concepts(evidence: ConceptEvidence) -> list[GradedConcept]:
    """A grade for every concept, in order."""
    told_apart = identifiability(evidence.by_vlm)
    classes = _within(evidence.classes, evidence.labels)
    beyond = _unexplained(_within(evidence.by_vlm, evidence.labels), classes)
    named = _named_classes(evidence, told_apart)
    phrases = evidence.phrases or [()] * evidence.by_vlm.shape[1]
    measures = [_measures(evidence, concept, told_apart, beyond) for concept in range(len(phrases))]
    unchecked = [k for k, measured in enumerate(measures) if not measured.checked and not too_long(phrases[k])]
    if evidence.meaning is not None and unchecked:
        # Of the concepts that are taken to mean something, this share at most does not (Benjamini and Hochberg, 1995).
        corrected = false_discovery_control(evidence.meaning(unchecked))
        for concept, p_value in zip(unchecked, corrected, strict=True):
            measures[concept] = replace(measures[concept], meaning=float(p_value))
    graded = [_graded(measures[k], named[k], phrases[k]) for k in range(len(phrases))]
    # A group is seen as one where all of it may speak: what cannot be told from a concept that is not seen is in doubt.
    return [
        replace(concept, seen_as_group=concept.seen_as_group and all(graded[k].speaks for k in concept.measures.group))
        for concept in graded
    ]


@dataclass(frozen=True)
class _NamedClass:
    """The class that a concept names. `alone`: and says no more than it; else it holds the name, as “dog ears” does."""

    name: str
    alone: bool


def _named_classes(evidence: ConceptEvidence, told_apart: Identifiability) -> list[_NamedClass | None]:
    """By concept the class that it names: in one of its phrases, by its strength, or by that of a concept of its group."""
    named: list[_NamedClass | None] = [None] * evidence.by_vlm.shape[1]
    if not evidence.class_names:
        return named
    follows = _scaled(evidence.by_vlm).T @ _scaled(evidence.classes)
    for concept in range(len(named)):
        nearest = int(follows[concept].argmax())
        named[concept] = _named_in(evidence.phrases[concept], evidence.class_names) or (
            _NamedClass(evidence.class_names[nearest], alone=True)
            if follows[concept, nearest] >= SAME_AS_CLASS
            else None
        )
    # What cannot be told from a class's name is one; what cannot be told from a dog's ears may still be ears.
    return [
        own
        or next((other for k in told_apart.members(concept) if (other := named[k]) is not None and other.alone), None)
        for concept, own in enumerate(named)
    ]


def _named_in(phrases: Sequence[str], class_names: Sequence[str]) -> _NamedClass | None:
    held = [(phrase, name) for phrase in phrases if (name := class_named_in(phrase, class_names)) is not None]
    alone = next((name for phrase, name in held if plain_words(phrase) == plain_words(name)), None)
    if alone is not None:
        return _NamedClass(alone, alone=True)
    return _NamedClass(held[0][1], alone=False) if held else None


def _scaled(strengths: Floats) -> Float64:
    """Columns of mean 0 and length 1; 0 where one does not vary."""
    centred = np.asarray(strengths, dtype=np.float64) - np.mean(strengths, axis=0, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(lengths > 1e-12 * len(centred), lengths, np.inf))


def _measures(evidence: ConceptEvidence, concept: int, told_apart: Identifiability, beyond: Float64) -> ConceptMeasures:
    vlm = np.asarray(evidence.by_vlm[:, concept], dtype=np.float64)
    model = np.asarray(evidence.by_model[:, concept], dtype=np.float64)
    variance = float(vlm.var())
    stability = [_correlation(variant, vlm) for variant in np.asarray(evidence.variants[concept], dtype=np.float64).T]
    shown = None if evidence.presence is None else _Shown.of(vlm, evidence.presence[:, concept], evidence.labels)
    return ConceptMeasures(
        separation=_separation(vlm, evidence, concept),
        shown=None if shown is None else shown.value,
        shown_high=None if shown is None else shown.high,
        shown_images=0 if shown is None else shown.images,
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


@dataclass(frozen=True)
class _Shown:
    """AUROC over pairs of images of one class that show a concept and do not, of `images` images; `high`: at most."""

    value: float
    high: float
    images: int

    @classmethod
    def of(cls, strength: Float64, presence: Float64, labels: NDArray[np.int64]) -> _Shown | None:
        """None where no class has images of both kinds."""
        wins = pairs = 0.0
        shown = not_shown = 0
        for index in np.unique(labels):
            rows = (labels == index) & ~np.isnan(presence)
            value = _auroc(strength[rows], presence[rows] == 1)
            if value is not None:
                positives, negatives = int((presence[rows] == 1).sum()), int((presence[rows] == 0).sum())
                wins, pairs = wins + value * positives * negatives, pairs + positives * negatives
                shown, not_shown = shown + positives, not_shown + negatives
        if not pairs:
            return None
        return cls(wins / pairs, auroc_interval(wins / pairs, shown, not_shown, SURE)[1], shown + not_shown)


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


def _graded(measures: ConceptMeasures, named: _NamedClass | None = None, phrases: Sequence[str] = ()) -> GradedConcept:
    negated = negations(phrases)
    failed: list[str] = []
    doubted: list[str] = []

    def judge(value: float | None, limits: Limits, reason: str) -> None:
        if value is not None and value < limits.doubts:
            (failed if value < limits.fails else doubted).append(reason.format(value))

    judge(
        measures.separation, SEPARATION, "it hardly separates the classes that carry it from the others (AUROC {:.2f})"
    )
    if measures.shown is not None and measures.shown < SHOWN.doubts:
        surely = measures.shown < SHOWN.fails and measures.shown_high is not None and measures.shown_high < SHOWN.doubts
        (failed if surely else doubted).append(
            f"it hardly separates images of a class that show it from others (AUROC {measures.shown:.2f}, "
            f"{measures.shown_images:,} images)"
        )
    judge(measures.stability, STABILITY, "other phrases for it say something else (correlation {:.2f})")
    judge(measures.agreement, AGREEMENT, "what is read off the model is not what the VLM sees (correlation {:.2f})")
    checked = measures.checked
    if measures.meaning is not None and measures.meaning >= MEANS:
        failed.append(f"on these images it behaves like a word without meaning (p = {measures.meaning:.2g})")
    if not checked and too_long(phrases):
        failed.append(f"its phrases are too long to be told from text without meaning (more than {MOST_WORDS} words)")
    if negated and not checked:
        failed.append(f"{quoted(negated[0])} is a negation, which text encoders hardly understand")
    if not checked:
        doubted.append("nothing says which classes or images should show it and which not")
    if measures.beyond_classes < BEYOND_CLASSES:
        doubted.append("within a class it only restates how much an image looks like other classes")
    # A table or labels that name it say that it is meant as what images show.
    names_class = named is not None and not checked
    if named is not None and names_class:
        says = "says no more than the class name" if named.alone else "holds the class name"
        doubted.append(f"it {says} {quoted(named.name)}, so that it takes no part")
    seen_as_group = bool(measures.group) and not (failed or doubted)
    if measures.group:
        doubted.append("it cannot be told from other concepts")
    elif measures.tolerance < TOLERANCE:
        doubted.append("it is a combination of the other concepts")
    grade = Grade.NOT_SEEN if failed else Grade.PARTLY if doubted else Grade.SEEN
    return GradedConcept(measures, grade, (*failed, *doubted), seen_as_group, names_class)
