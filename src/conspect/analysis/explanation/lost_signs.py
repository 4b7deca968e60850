"""The signs of a lost concept in an encoder's embeddings: where images should lie, and how a concept can still be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64

RIDGE, SHRINKAGE, SMALL = 1.0, 0.05, 1e-9
# Of class-to-class variance: so much of that within classes is added, and so much of its own mean.
WITHIN, LEVEL = 0.1, 0.02
READING_RIDGE, MOST_LACK, STAYS = 1e-2, 5.0, 0.1


def cosines(effects: Float64, move: Float64) -> Float64:
    """`[concept]`: cosine of a move `[D]` with that of an image that stops showing the concept, minus `effects [concept, D]`."""
    lengths = np.linalg.norm(effects, axis=1) * np.linalg.norm(move)
    return np.asarray(-(effects @ move) / np.maximum(lengths, SMALL))


@dataclass(frozen=True, eq=False)
class ExpectedEmbeddings:
    """Where an image should lie by what it shows: embeddings regressed on concepts.

    `coefficients [concept, D]` and `offset [D]`; `rest [image, D]`: residuals; `whiten [D, D]`: takes what varies to unit size.
    """

    coefficients: Float64
    offset: Float64
    rest: Float64
    whiten: Float64

    @classmethod
    def of(cls, shown: Float64, embeddings: Float64) -> ExpectedEmbeddings:
        """From what images show, `[image, concept]`, and their embeddings `[image, D]`; whitened by the residuals."""
        mean, centre = shown.mean(axis=0), embeddings.mean(axis=0)
        centred = shown - mean
        gram = centred.T @ centred + RIDGE * np.eye(centred.shape[1])
        coefficients = np.linalg.solve(gram, centred.T @ (embeddings - centre))
        offset = centre - mean @ coefficients
        rest = embeddings - shown @ coefficients - offset
        covariance = rest.T @ rest / max(len(rest) - 1, 1)
        size = len(covariance)
        covariance += (SHRINKAGE * np.trace(covariance) / size + SMALL) * np.eye(size)
        return cls(coefficients, offset, rest, _whitening(covariance))

    def departure(self, shown: Float64, embeddings: Float64) -> Float64:
        """`[D]`: the mean of how far images lie from where they should."""
        return np.asarray((embeddings - shown @ self.coefficients - self.offset).mean(axis=0))

    def cosines(self, move: Float64) -> Float64:
        """`cosines` of a move `[D]` with the concepts' effects, both whitened."""
        return cosines(self.coefficients @ self.whiten, move @ self.whiten)

    def among_classes(
        self, shown: Float64, embeddings: Float64, labels: NDArray[np.int64], label: int
    ) -> ExpectedEmbeddings:
        """The same whitened by how far whole classes lie from where the others say that they should; `label` is left out."""
        departures = []
        for other in np.unique(labels[labels != label]):
            rows, teach = labels == other, (labels != other) & (labels != label)
            if teach.any():
                taught = ExpectedEmbeddings.of(shown[teach], embeddings[teach])
                departures.append(taught.departure(shown[rows], embeddings[rows]))
        if not departures:
            return self
        between = np.stack(departures).T @ np.stack(departures) / len(departures)
        within = self.rest.T @ self.rest / max(len(self.rest), 1)
        level = np.trace(between)
        covariance = between + WITHIN * within * level / max(np.trace(within), SMALL)
        covariance += (LEVEL * level / len(between) + SMALL) * np.eye(len(between))
        return ExpectedEmbeddings(self.coefficients, self.offset, self.rest, _whitening(covariance))


def _whitening(covariance: Float64) -> Float64:
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)))


def remembered_departure(head: Float64, embeddings: Float64, labels: NDArray[np.int64], label: int) -> Float64:
    """`[D]`: from where the weights of a head, `[class, D]`, expect the embeddings of class `label` to where they lie.

    A head fitted on sound embeddings points at the means of classes (Papyan, Han and Donoho, 2020); the others say how far.
    """
    others = np.unique(labels[labels != label])
    own = embeddings[labels == label].mean(axis=0)
    if not len(others):
        return np.zeros_like(own)
    means = np.stack([embeddings[labels == other].mean(axis=0) for other in others])
    rows = head[others]
    spread, weights = means - means.mean(axis=0), rows - rows.mean(axis=0)
    scale = float((weights * spread).sum() / max(float(np.square(weights).sum()), SMALL))
    return np.asarray(own - means.mean(axis=0) - scale * (head[label] - rows.mean(axis=0)))


def reading_lack(
    shows: NDArray[np.bool_],
    shown: Float64,
    embeddings: Float64,
    labels: NDArray[np.int64],
    mine: NDArray[np.bool_],
    *,
    least: int,
) -> Float64:
    """`[concept]`: how much less of it is read off images of the class that show it than off those of other classes, in
    deviations of these classes' means; 0 where too few show it. Readings are fitted without the class, or its stand-ins count.
    """
    others = ~mine
    lack = np.zeros(shown.shape[1])
    if not others.any():
        return lack
    readings = _readings(shown, embeddings, others)
    for concept in range(shown.shape[1]):
        here, reading = shows[:, concept], readings[:, concept]
        groups = [here & (labels == index) for index in np.unique(labels[others])]
        carriers = np.array([reading[group].mean() for group in groups if group.sum() >= least])
        if len(carriers) and (here & mine).any() and (~here & others).any():
            gap = float(reading[here & others].mean() - reading[~here & others].mean()) + SMALL
            lacking = float(carriers.mean() - reading[here & mine].mean())
            lack[concept] = np.clip(lacking / (carriers.std() + 0.2 * gap), -MOST_LACK, MOST_LACK)
    return lack


def hard_to_read(shown: Float64, embeddings: Float64) -> Float64:
    """`[concept]`: share of the variance of what images show that a reading off their embeddings leaves unexplained, 0..1."""
    readings = _readings(shown, embeddings, np.ones(len(shown), dtype=bool))
    centred, of_readings = shown - shown.mean(axis=0), readings - readings.mean(axis=0)
    varies = np.square(centred).sum(axis=0) * np.square(of_readings).sum(axis=0)
    together = np.square((centred * of_readings).sum(axis=0))
    return np.asarray(1.0 - np.where(varies > SMALL, together / np.maximum(varies, SMALL), 0.0))


def _readings(shown: Float64, embeddings: Float64, teach: NDArray[np.bool_]) -> Float64:
    """`[image, concept]`: what a ridge regression on the images `teach` reads of concepts off embeddings, their means at 0."""
    centre = embeddings[teach].mean(axis=0)
    centred = embeddings[teach] - centre
    covariance = centred.T @ centred / len(centred)
    size = len(covariance)
    covariance += (READING_RIDGE * np.trace(covariance) / size + SMALL) * np.eye(size)
    weights = np.linalg.solve(covariance, centred.T @ (shown[teach] - shown[teach].mean(axis=0)) / len(centred))
    return np.asarray((embeddings - centre) @ weights)


def staying(moved: Float64, showing: NDArray[np.bool_], lacking: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """0..1: how nearly the images `lacking` stay where they were, as those of `others` classes do, while those `showing` move.

    `moved [image, D]`. Of the way that the images showing it move in the mean, beyond what others move along it, the share that
    those lacking it move too: 1 where that is nothing, 1/e where it is `STAYS`.
    """
    way = moved[showing].mean(axis=0)
    along = moved @ way / max(float(np.linalg.norm(way)), SMALL)
    usual = along[others].mean() if others.any() else 0.0
    share = float(along[lacking].mean() - usual) / max(float(along[showing].mean() - usual), SMALL)
    return float(np.exp(-max(share, 0.0) / STAYS))


def fading(before: Float64, after: Float64) -> float:
    """Of what tells these images apart, `before [image, D]`, the share that is gone `after`, across the way that all of them
    moved: 0 where they differ as before, 1 where nothing is left of it. An object that went takes all its looks along.
    """
    apart, still = before - before.mean(axis=0), after - after.mean(axis=0)
    way = (after - before).mean(axis=0)
    way = way / max(float(np.linalg.norm(way)), SMALL)
    apart, still = (part - np.outer(part @ way, way) for part in (apart, still))
    size = float(np.square(apart).sum())
    return 1.0 - float((apart * still).sum()) / size if size > SMALL else 0.0


def others_largest(values: Float64) -> Float64:
    """`[concept]`: the largest value of another concept; 0 where there is none."""
    return _of_others(values, np.max)


def others_least(values: Float64) -> Float64:
    """`[concept]`: the least value of another concept; 0 where there is none."""
    return _of_others(values, np.min)


def others_mean(values: Float64) -> Float64:
    """`[concept]`: the mean value of the other concepts; 0 where there is none."""
    return _of_others(values, np.mean)


def _of_others(values: Float64, summary: Callable[[Float64], np.floating]) -> Float64:
    return np.array([float(summary(np.delete(values, k))) if len(values) > 1 else 0.0 for k in range(len(values))])
