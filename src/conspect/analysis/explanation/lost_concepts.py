"""Which concept an encoder has lost, where it fails on images of one class: what the failures have in common, weighed.

Candidates are the concepts that the class shows. Blind, with the broken model alone: what it is taken for lacks the concept;
embeddings lie where images without it would, by what the other classes teach or by where the head expects the class; images
that show it fail more than images of the class that do not. With an earlier version: the embeddings moved that way, and
images that do not show the concept moved less, or no further than images of other classes. An object's shape takes its color
and texture with it when it goes, a color takes nothing else: so it also counts how far what the class's *other* concepts say
fell, the more for a concept that is hardest to read in this class, and, with an earlier version, how far what tells its images
apart faded. Each concept gets a score that is linear in these, and probabilities from the scores; the weights are fitted on
planted removals (`conspect.faults.removals.removals`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.explanation.lost_signs import (
    SMALL,
    ExpectedEmbeddings,
    cosines,
    fading,
    hard_to_read,
    others_largest,
    others_least,
    others_mean,
    reading_lack,
    remembered_departure,
    staying,
)
from conspect.core.spaces import Float64, Floats
from conspect.core.vectors import softmax

# A class shows a concept whose mean is at least this; an image shows it above the second. Groups of images smaller than
# the third are not compared.
CLASS_SHOWS, IMAGE_SHOWS, LEAST_IMAGES = 0.3, 0.5, 8
LEAST_FAILURES = 5
# How steeply the likelihood of a confusion falls with the concepts that it does not explain.
FALL = 2.0
# Weights of the features below, in their order; fitted by training/fit_lost_concepts.py, whose log says on what.
BLIND_WEIGHTS: tuple[float, ...] = (-2.24, 5.496, 6.297, 0.757, -0.843, 0.79)
PAIRED_WEIGHTS: tuple[float, ...] = (5.062, -4.808, 1.232, 1.255, 1.913, -1.166, -1.26, 0.61, 3.065, 13.135)


@dataclass(frozen=True, eq=False)
class SeenImages:
    """Images as the VLM and a model have them: `shown [image, concept]` in 0..1 (`shown_of`), `embeddings [image, D]`, `labels`
    and `outputs [image]`; classes 0..`classes`-1. `head [class, D]`: the weights of a linear head, where the model has one.
    """

    shown: Float64
    embeddings: Float64
    labels: NDArray[np.int64]
    outputs: NDArray[np.int64]
    classes: int
    head: Float64 | None = None

    @property
    def prototypes(self) -> Float64:
        """`[class, concept]`: what the images of a class show, in the mean; 0 for a class without images."""
        means = np.zeros((self.classes, self.shown.shape[1]))
        for index in np.unique(self.labels):
            means[index] = self.shown[self.labels == index].mean(axis=0)
        return means


@dataclass(frozen=True)
class LostConcept:
    """A concept and the probability that it is the one that was lost, among those that the class shows."""

    concept: int
    probability: float


def shown_of(strengths: Floats) -> Float64:
    """Strengths `[image, concept]` scaled to 0..1 over the images: from the 5th percentile to the 95th, or from least to most."""
    exact = np.asarray(strengths, dtype=np.float64)
    low, high = np.percentile(exact, (5, 95), axis=0)
    flat = high <= low
    low, high = np.where(flat, exact.min(axis=0), low), np.where(flat, exact.max(axis=0), high)
    return np.asarray(np.clip((exact - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0))


def own_concepts(images: SeenImages, label: int) -> NDArray[np.int64]:
    """The concepts that class `label` shows: those that it can lose."""
    return np.flatnonzero(images.prototypes[label] >= CLASS_SHOWS)


def lost_blind(images: SeenImages, label: int, candidates: Sequence[int] | None = None) -> tuple[LostConcept, ...]:
    """The concepts of class `label` by how likely it is that the failures lost them, most likely first; none where too few fail.

    `candidates`: those that may be named; None: all. How often it is right: `conspect bench lost`; no study says it.
    """
    return _ranked(blind_features(images, label), BLIND_WEIGHTS, own_concepts(images, label), candidates)


def lost_since(
    images: SeenImages, earlier: SeenImages, label: int, candidates: Sequence[int] | None = None
) -> tuple[LostConcept, ...]:
    """The same where a sound version of the model is at hand: `earlier` has the same images in the same order and space."""
    return _ranked(paired_features(images, earlier, label), PAIRED_WEIGHTS, own_concepts(images, label), candidates)


def _ranked(
    features: Float64 | None, weights: Sequence[float], own: NDArray[np.int64], candidates: Sequence[int] | None
) -> tuple[LostConcept, ...]:
    if features is None:
        return ()
    allowed = np.ones(len(own), dtype=bool) if candidates is None else np.isin(own, list(candidates))
    own, scores = own[allowed], features[allowed] @ np.asarray(weights)
    shares = softmax(scores)
    order = np.argsort(-scores, kind="stable")
    return tuple(LostConcept(int(own[k]), float(shares[k])) for k in order)


def blind_features(images: SeenImages, label: int) -> Float64 | None:
    """`[own concept, feature]`, or None where fewer than `LEAST_FAILURES` images of the class are wrong or right, or all are its.

    Features: the least share that another concept has in what the classes lack that it is taken for; how far the class departed
    from where the head expects it to where images without the concept lie, if it varies within the class, else 0; the concept's
    own such share, if it varies; by how much images that show it fail more (`_failing_more`); how likely the confusions are at
    most, if another concept was lost; how hard it is to read in the class, times how far all the class's concepts departed.
    """
    mine = images.labels == label
    wrong = mine & (images.outputs != label)
    if min(wrong.sum(), (mine & ~wrong).sum()) < LEAST_FAILURES or mine.all():
        return None
    own = own_concepts(images, label)
    prototypes, taken = images.prototypes, _taken_for(images.outputs[wrong], images.classes)
    lacked = np.maximum(prototypes[label] - prototypes, 0.0)
    in_lack = (taken @ (lacked / np.maximum(lacked.sum(axis=1, keepdims=True), SMALL)))[own]
    expected = ExpectedEmbeddings.of(images.shown[~mine], images.embeddings[~mine])
    varies = _varies(images.shown, mine)[own]
    remembered = np.zeros(len(own))
    if images.head is not None:
        departed = remembered_departure(images.head, images.embeddings, images.labels, label)
        remembered = expected.cosines(departed)[own]
    departed = expected.departure(images.shown[mine], images.embeddings[mine])
    beside = expected.among_classes(images.shown, images.embeddings, images.labels, label).cosines(departed)[own]
    lack = _reading_lack(images, mine)[own]
    return np.stack(
        [
            others_least(in_lack),
            remembered * varies,
            in_lack * varies,
            _failing_more(images.shown, mine, wrong)[own],
            others_largest(_likelihoods(prototypes, label, own, taken)),
            lack * beside.mean(),
        ],
        axis=1,
    )


def paired_features(images: SeenImages, earlier: SeenImages, label: int) -> Float64 | None:
    """`[own concept, feature]`, or None where fewer than `LEAST_FAILURES` images of the class are newly wrong, or still right.

    Features: how far embeddings moved to where images without the concept lie; the most that they moved so for another
    concept; the mean of that over the others, times how hard the concept is to read in the class; how much more the class
    shows the concept than what the newly wrong are taken for, less the same of the earlier version's failures; how much
    further images that show it moved than images of the class that do not; whether there are such images; the first, in the
    embeddings' own lengths; by how much images that show it fail more (`_failing_more`); how nearly images of the class that do
    not show it stay where they were (`staying`), if there are such; how far what tells the class's images apart faded
    (`fading`), times how hard the concept is to read off the earlier version, compared with the class's other concepts.
    """
    mine = images.labels == label
    wrong = mine & (images.outputs != label)
    new = wrong & (earlier.outputs == label)
    if min(new.sum(), (mine & ~wrong).sum()) < LEAST_FAILURES:
        return None
    own = own_concepts(images, label)
    lacked = images.prototypes[label] - images.prototypes
    before = mine & (earlier.outputs != label)
    others = np.arange(images.classes) != label
    usual = others / others.sum()
    if before.sum() >= LEAST_FAILURES:
        usual = _taken_for(earlier.outputs[before], images.classes)
    taken = lacked.T @ (_taken_for(images.outputs[new], images.classes) - usual)
    moved = images.embeddings - earlier.embeddings
    distance = np.linalg.norm(moved / (earlier.embeddings.std(axis=0) + SMALL), axis=1)
    sound, mean_move = ExpectedEmbeddings.of(earlier.shown, earlier.embeddings), moved[mine].mean(axis=0)
    towards = sound.cosines(mean_move)[own]
    hard = hard_to_read(earlier.shown, earlier.embeddings)[own]
    usually = _showing_what_varies(images.shown, mine, own)
    faded = fading(earlier.embeddings[usually], images.embeddings[usually])
    return np.stack(
        [
            towards,
            others_largest(towards),
            others_mean(towards) * _reading_lack(images, mine)[own],
            taken[own],
            _ratio_of_those_that_show(distance, images.shown, mine)[own],
            _varies(images.shown, mine)[own],
            cosines(sound.coefficients, mean_move)[own],
            _failing_more(images.shown, mine, wrong)[own],
            _staying(moved, images.shown, mine)[own],
            faded * (hard - hard.mean()),
        ],
        axis=1,
    )


def _taken_for(outputs: NDArray[np.int64], classes: int) -> Float64:
    return np.asarray(np.bincount(outputs, minlength=classes) / max(len(outputs), 1), dtype=np.float64)


def _likelihoods(prototypes: Float64, label: int, own: NDArray[np.int64], taken: Float64) -> Float64:
    """`[own concept]`: mean log-likelihood of what the failures are taken for, `taken [class]`, were the concept lost.

    A class is the likelier, the fewer concepts it differs in from `label` without it.
    """
    others = np.arange(len(prototypes)) != label
    likelihoods = np.empty(len(own))
    for place, concept in enumerate(own):
        without = prototypes[label].copy()
        without[concept] = 0.0
        steep = -FALL * np.abs(without - prototypes[others]).sum(axis=1)
        likelihoods[place] = taken[others] @ (steep - np.logaddexp.reduce(steep))
    return likelihoods


def _reading_lack(images: SeenImages, mine: NDArray[np.bool_]) -> Float64:
    return reading_lack(
        images.shown > IMAGE_SHOWS, images.shown, images.embeddings, images.labels, mine, least=LEAST_IMAGES
    )


def _with_and_without(
    shown: Float64, mine: NDArray[np.bool_]
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]] | None]:
    """By concept: the images of the class that show it and those that do not; None where either are fewer than `LEAST_IMAGES`."""
    groups = [(mine & column, mine & ~column) for column in (shown > IMAGE_SHOWS).T]
    return [
        None if min(inside.sum(), outside.sum()) < LEAST_IMAGES else (inside, outside) for inside, outside in groups
    ]


def _varies(shown: Float64, mine: NDArray[np.bool_]) -> Float64:
    """By concept: 1 where the class has images enough that show it and that do not, else 0."""
    return np.array([float(groups is not None) for groups in _with_and_without(shown, mine)])


def _ratio_of_those_that_show(sizes: Float64, shown: Float64, mine: NDArray[np.bool_]) -> Float64:
    """By concept: logarithm of the mean size over images of the class that show it, over those that do not; 0 where unknown."""
    return np.array(
        [
            0.0 if groups is None else np.log((sizes[groups[0]].mean() + 1e-3) / (sizes[groups[1]].mean() + 1e-3))
            for groups in _with_and_without(shown, mine)
        ]
    )


def _staying(moved: Float64, shown: Float64, mine: NDArray[np.bool_]) -> Float64:
    """By concept: `staying` of the images of the class that do not show it; 0 where unknown."""
    return np.array(
        [0.0 if groups is None else staying(moved, *groups, ~mine) for groups in _with_and_without(shown, mine)]
    )


def _showing_what_varies(shown: Float64, mine: NDArray[np.bool_], own: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The images of the class that show all of its concepts `own` that vary in it; all of the class where these are few."""
    varying = own[_varies(shown, mine)[own] > 0]
    usual = mine & (shown[:, varying] > IMAGE_SHOWS).all(axis=1)
    return usual if usual.sum() >= LEAST_IMAGES else mine


def _failing_more(shown: Float64, mine: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> Float64:
    """By concept: logarithm of the odds of failing of images of the class that show it, over those of images that do not; 0
    where either are few.
    """

    def log_odds(group: NDArray[np.bool_]) -> float:
        share = (float((group & wrong).sum()) + 1) / (float(group.sum()) + 2)
        return float(np.log(share / (1 - share)))

    return np.array(
        [
            0.0 if groups is None else log_odds(groups[0]) - log_odds(groups[1])
            for groups in _with_and_without(shown, mine)
        ]
    )
