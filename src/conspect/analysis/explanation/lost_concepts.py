"""Which concept an encoder has lost, where it fails on images of one class: what the failures have in common, weighed.

Candidates are the concepts that the class shows. Blind, with the broken model alone: what it is taken for lacks the concept;
its embeddings lie where images without the concept would, by what the other classes teach. With an earlier version also: the
embeddings moved that way, and images of the class that do not show the concept moved less. Each concept gets a score that is
linear in these, and probabilities from the scores; the weights are fitted on planted removals (`conspect.faults.removals`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats

# A class shows a concept whose mean is at least this; an image shows it above the second. Groups of images smaller than
# the third are not compared.
CLASS_SHOWS, IMAGE_SHOWS, LEAST_IMAGES = 0.3, 0.5, 8
LEAST_FAILURES = 5
RIDGE, SHRINKAGE, SMALL = 1.0, 0.05, 1e-9
# Weights of the features below, in their order; fitted by training/fit_lost_concepts.py, whose log says on what.
BLIND_WEIGHTS: tuple[float, ...] = (1.117, 0.257, 1.625, -0.506, 1.163)
PAIRED_WEIGHTS: tuple[float, ...] = (0.539, 3.763, 1.489, 1.733, -1.213)


@dataclass(frozen=True, eq=False)
class SeenImages:
    """Images as the VLM and a model have them: `shown [image, concept]` in 0..1 (`shown_of`), `embeddings [image, D]`, `labels`
    and `outputs [image]`; classes 0..`classes`-1.
    """

    shown: Float64
    embeddings: Float64
    labels: NDArray[np.int64]
    outputs: NDArray[np.int64]
    classes: int

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


def lost_blind(images: SeenImages, label: int, candidates: Sequence[int] | None = None) -> tuple[LostConcept, ...]:
    """The concepts of class `label` by how likely it is that the failures lost them, most likely first; none where too few fail.

    `candidates`: those that may be named; None: all. On classes that nobody tuned on hardly better than a guess (`conspect bench
    lost`), so that no study says it.
    """
    own = _own(images, label, candidates)
    features = blind_features(images, label)
    return () if features is None else _ranked(features, BLIND_WEIGHTS, own)


def lost_since(
    images: SeenImages, earlier: SeenImages, label: int, candidates: Sequence[int] | None = None
) -> tuple[LostConcept, ...]:
    """The same where a sound version of the model is at hand: `earlier` has the same images in the same order and space."""
    own = _own(images, label, candidates)
    features = paired_features(images, earlier, label)
    return () if features is None else _ranked(features, PAIRED_WEIGHTS, own)


def _own(images: SeenImages, label: int, candidates: Sequence[int] | None) -> NDArray[np.int64]:
    shows = images.prototypes[label] >= CLASS_SHOWS
    allowed = np.ones_like(shows)
    if candidates is not None:
        allowed = np.zeros_like(shows)
        allowed[list(candidates)] = True
    return np.flatnonzero(shows & allowed)


def _ranked(features: Float64, weights: Sequence[float], own: NDArray[np.int64]) -> tuple[LostConcept, ...]:
    scores = features[own] @ np.asarray(weights)
    shares = np.exp(scores - scores.max(initial=-np.inf))
    order = np.argsort(-scores, kind="stable")
    return tuple(LostConcept(int(own[k]), float(shares[k] / shares.sum())) for k in order)


def blind_features(images: SeenImages, label: int) -> Float64 | None:
    """`[concept, feature]`, or None where fewer than `LEAST_FAILURES` images of the class are wrong, or right.

    Features: how much more the class shows the concept than what it is taken for; the same beyond what any other class would
    give, in deviations; how far failures lie where images without it would; how much further images that show it lie from
    where they should than images of the class that do not; whether there are such images.
    """
    mine = images.labels == label
    wrong = mine & (images.outputs != label)
    if min(wrong.sum(), (mine & ~wrong).sum()) < LEAST_FAILURES:
        return None
    lacked = images.prototypes[label] - images.prototypes
    others = np.arange(images.classes) != label
    taken = lacked.T @ _taken_for(images.outputs[wrong], images.classes)
    usual, spread = lacked[others].mean(axis=0), lacked[others].std(axis=0)
    expected = _Expected.of(images.shown[~mine], images.embeddings[~mine])
    away = np.square(expected.departures(images)).sum(axis=1)
    typical = float(np.median(away[~mine]))
    beyond = np.maximum(away - typical, SHRINKAGE * typical + SMALL)
    ratio, varies = _ratio_of_those_that_show(beyond, images.shown, mine)
    return np.stack([taken, (taken - usual) / (spread + 0.05), expected.lack(images, wrong), ratio, varies], axis=1)


def paired_features(images: SeenImages, earlier: SeenImages, label: int) -> Float64 | None:
    """`[concept, feature]`, or None where fewer than `LEAST_FAILURES` images of the class are newly wrong, or still right.

    Features: how much more the class shows the concept than what the newly wrong are taken for, less the same of the earlier
    version's failures; how far embeddings moved to where images without it would lie; how far the failures lie there; how
    much further images that show it moved than images of the class that do not; whether there are such images.
    """
    mine = images.labels == label
    wrong = mine & (images.outputs != label)
    new = wrong & (earlier.outputs == label)
    if min(new.sum(), (mine & ~wrong).sum()) < LEAST_FAILURES:
        return None
    lacked = images.prototypes[label] - images.prototypes
    before = mine & (earlier.outputs != label)
    others = np.arange(images.classes) != label
    usual = others / others.sum()
    if before.sum() >= LEAST_FAILURES:
        usual = _taken_for(earlier.outputs[before], images.classes)
    taken = lacked.T @ (_taken_for(images.outputs[new], images.classes) - usual)
    moved = images.embeddings - earlier.embeddings
    sound = _Expected.of(earlier.shown, earlier.embeddings)
    expected = _Expected.of(images.shown[~mine], images.embeddings[~mine])
    distance = np.linalg.norm(moved / (earlier.embeddings.std(axis=0) + SMALL), axis=1)
    ratio, varies = _ratio_of_those_that_show(distance, images.shown, mine)
    towards = sound.towards(moved[mine].mean(axis=0))
    return np.stack([taken, towards, expected.lack(images, wrong), ratio, varies], axis=1)


def _taken_for(outputs: NDArray[np.int64], classes: int) -> Float64:
    return np.asarray(np.bincount(outputs, minlength=classes) / max(len(outputs), 1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Expected:
    """Where an image should lie by what it shows: embeddings regressed on concepts, residuals whitened.

    `effects [concept, D]`, whitened; `whiten [D, D]`; `coefficients [concept, D]` and `offset [D]` as they are.
    """

    effects: Float64
    whiten: Float64
    coefficients: Float64
    offset: Float64

    @classmethod
    def of(cls, shown: Float64, embeddings: Float64) -> _Expected:
        mean, centre = shown.mean(axis=0), embeddings.mean(axis=0)
        centred = shown - mean
        gram = centred.T @ centred + RIDGE * np.eye(centred.shape[1])
        coefficients = np.linalg.solve(gram, centred.T @ (embeddings - centre))
        offset = centre - mean @ coefficients
        rest = embeddings - shown @ coefficients - offset
        covariance = rest.T @ rest / max(len(rest) - 1, 1)
        size = len(covariance)
        covariance += (SHRINKAGE * np.trace(covariance) / size + SMALL) * np.eye(size)
        whiten = np.linalg.cholesky(np.linalg.inv(covariance))
        return cls(coefficients @ whiten, whiten, coefficients, offset)

    def departures(self, images: SeenImages) -> Float64:
        """`[image, D]`, whitened: from where each image should lie to where it lies."""
        return np.asarray((images.embeddings - images.shown @ self.coefficients - self.offset) @ self.whiten)

    def towards(self, moved: Float64) -> Float64:
        """`[concept]`: cosine of a move `[D]` with that of an image that no longer shows the concept."""
        move = moved @ self.whiten
        return self._cosines(move)

    def lack(self, images: SeenImages, rows: NDArray[np.bool_]) -> Float64:
        """The same of the mean departure of the images in `rows`."""
        return self._cosines(self.departures(images)[rows].mean(axis=0))

    def _cosines(self, move: Float64) -> Float64:
        lengths = np.linalg.norm(self.effects, axis=1) * np.linalg.norm(move)
        return np.asarray(-(self.effects @ move) / np.maximum(lengths, SMALL))


def _ratio_of_those_that_show(sizes: Float64, shown: Float64, mine: NDArray[np.bool_]) -> tuple[Float64, Float64]:
    """By concept: logarithm of the mean size over images of the class that show it, over those that do not; and 1, or both 0
    where either are fewer than `LEAST_IMAGES`.
    """
    ratio, varies = np.zeros(shown.shape[1]), np.zeros(shown.shape[1])
    for concept in range(shown.shape[1]):
        with_it = mine & (shown[:, concept] > IMAGE_SHOWS)
        without = mine & ~with_it
        if min(with_it.sum(), without.sum()) >= LEAST_IMAGES:
            ratio[concept] = np.log((sizes[with_it].mean() + 1e-3) / (sizes[without].mean() + 1e-3))
            varies[concept] = 1.0
    return ratio, varies
