"""Evidence on who is to blame for a failure when only the failing model is at hand: numbers per misclassified image.

Nothing here knows a sound model. The evidence is of two kinds: on the image (would a head refitted on the model's own training
embeddings be right, do its neighbours among them share its class) and on the model (how much a correction of the head
gains, how far the encoder's batch norms have departed from what they recorded in training).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats
from conspect.statistics.logistic import fit_logistic

NEIGHBOURS = 10
LARGEST_LOG_ODDS, LEAST_LOSS = 8.0, 1e-3
# Sound models lie below both: there is no telling them apart, so that evidence means the same in every model.
LEAST_GAIN, LEAST_DEPARTURE = 0.02, 0.08
CORRECTION_PENALTY, CORRECTION_ITERATIONS = 0.1, 100
ON_IMAGE = ("refitted head", "given head", "neighbours", "distance")
ON_MODEL = ("gain of a correction",)
ON_RECORD = ("departure in training", "departure under test")
FEATURES = (*ON_IMAGE, *ON_MODEL, *ON_RECORD)


@dataclass(frozen=True, slots=True)
class Departure:
    """How far batch norms are from their records on training images and on the images under test, each 0 or more."""

    train: float
    test: float


@dataclass(frozen=True, eq=False)
class OwnEvidence:
    """What is fitted on a model's own training embeddings, once; `of` then looks at images.

    `train_embeddings [image, D]`, `train_labels [image]`, `logits` maps embeddings to the model's own. About a second for
    4,000 images of 256 dimensions.
    """

    train_embeddings: Floats
    train_labels: NDArray[np.int64]
    logits: Callable[[Floats], Float64]
    departure: Departure | None = None
    seed: int = 0

    def of(self, embeddings: Floats, labels: NDArray[np.int64]) -> Float64:
        """`[image, feature]` in the order of `FEATURES`, for images with embeddings `[image, D]` and true classes.

        Log-odds of the true class by the refitted and by the given head; share of the true class among the nearest training
        images; log of the distance to them over that between training images; log of the gain of correcting the head; log
        of both departures. The gain is the log of the given head's cross-entropy over that of the same head with a
        correction, fitted by penalised logistic regression on one half of the training images and measured on the other:
        near 0 for a sound head. Gains below `LEAST_GAIN` and departures below `LEAST_DEPARTURE` count as these. Without
        departures those two are 0.
        """
        given = self.logits(embeddings)
        classes = given.shape[1]
        refitted = fit_logistic(self.train_embeddings, self.train_labels, classes).probabilities(embeddings)
        share, distance = self._neighbours(embeddings, labels)
        departed: tuple[float, ...] = (0.0, 0.0)
        if self.departure is not None:
            both = self.departure.train, self.departure.test
            departed = tuple(float(np.log(max(one, LEAST_DEPARTURE))) for one in both)
        on_model = np.array([float(np.log(max(self.gain(classes), LEAST_GAIN))), *departed])
        on_image = [_log_odds(refitted, labels), _log_odds(np.exp(_log_softmax(given)), labels), share, distance]
        return np.column_stack([*on_image, np.broadcast_to(on_model, (len(labels), len(on_model)))])

    def _neighbours(self, embeddings: Floats, labels: NDArray[np.int64]) -> tuple[Float64, Float64]:
        train = np.asarray(self.train_embeddings, dtype=np.float32)
        own = train[np.random.default_rng(self.seed).permutation(len(train))[:500]]
        number = min(NEIGHBOURS, len(train) - 1)
        nearest, distances = _nearest(np.asarray(embeddings, dtype=np.float32), train, number)
        usual = np.median(_nearest(own, train, number + 1)[1][:, 1:].mean(axis=1))
        share = (self.train_labels[nearest] == labels[:, None]).mean(axis=1)
        tiny = np.finfo(np.float32).tiny
        return share, np.log(np.maximum(distances.mean(axis=1), tiny) / max(float(usual), tiny))

    def gain(self, classes: int) -> float:
        """Log of the given head's cross-entropy over the corrected head's, each on training images it was not fitted on."""
        x, truth = self.train_embeddings, self.train_labels
        given = self.logits(x)
        half = np.random.default_rng(self.seed).permutation(len(truth)) % 2 == 0
        corrected = np.empty_like(given)
        for fit_on in (half, ~half):
            correction = fit_logistic(
                x[fit_on],
                truth[fit_on],
                classes,
                penalty=CORRECTION_PENALTY,
                iterations=CORRECTION_ITERATIONS,
                offset=given[fit_on],
            )
            corrected[~fit_on] = given[~fit_on] + x[~fit_on] @ correction.weight + correction.bias
        return float(np.log(max(_loss(given, truth), LEAST_LOSS) / max(_loss(corrected, truth), LEAST_LOSS)))


def _nearest(points: NDArray[np.float32], train: NDArray[np.float32], number: int) -> tuple[NDArray[np.int64], Float64]:
    """Rows and distances `[point, number]` of the nearest training points, nearest first."""
    squares = np.square(train).sum(1)
    rows, distances = [], []
    for batch in np.array_split(points, max(1, len(points) // 500)):
        far = np.maximum(squares - 2 * batch @ train.T + np.square(batch).sum(1, keepdims=True), 0)
        found = np.argpartition(far, number - 1, axis=1)[:, :number]
        found = np.take_along_axis(found, np.take_along_axis(far, found, 1).argsort(axis=1, kind="stable"), 1)
        rows.append(found)
        distances.append(np.sqrt(np.take_along_axis(far, found, 1)))
    return np.concatenate(rows).astype(np.int64), np.concatenate(distances).astype(np.float64)


def _log_odds(probabilities: Floats, labels: NDArray[np.int64]) -> Float64:
    chosen = probabilities[np.arange(len(labels)), labels]
    chosen = np.clip(chosen, 1e-12, 1 - 1e-12)
    return np.asarray(np.clip(np.log(chosen / (1 - chosen)), -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS))


def _loss(logits: Floats, labels: NDArray[np.int64]) -> float:
    return -float(_log_softmax(logits)[np.arange(len(labels)), labels].mean())


def _log_softmax(logits: Floats) -> Float64:
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), dtype=np.float64)
