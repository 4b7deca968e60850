"""What the head itself, and another head on the same embeddings, say of whether the head is sound.

Nothing here changes when all logits are multiplied by a positive number, or when classes are more frequent than others: the
sharpness is fitted before anything is compared, and heads are fitted on as many images of each class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.exchange import Exchange, exchange
from conspect.core.spaces import Float64, Floats, Head
from conspect.statistics.corrected_logistic import CorrectedModel, fit_corrected
from conspect.statistics.logistic import LogisticModel, fit_logistic

REFIT_PENALTY, CORRECTION_PENALTY, ITERATIONS = 3e-2, 0.1, 80
Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class HeadEvidence:
    """What is known of a head. Exchanges are measured on test images, by what was fitted on training images.

    `biases`, `corrected`, `refitted`: the head with other biases, with a correction of all its weights, and another head;
    `unbiased`: the head with no biases at all, which nothing was fitted for.
    `shape [class]`: how far the given logit of each class is from the refitted one over images, in deviations of the
    refitted logits, apart from its mean; `shift [class]`: the difference of the means, less its median over classes.
    `refitted_test`, `corrected_test [image, class]`: logits of the test images by both; `given_test`: by the head itself, over
    `scale`. `zeros`: share of the last layer's weights that are exactly 0; `distinct`: different weights of a row over all of
    it, small after rounding. `correction`, `refit`: both fitted heads, for logits over `scale`. `same_rows`: classes of the test
    images whose weights in the last layer are the same.
    """

    accuracy: float
    biases: Exchange
    unbiased: Exchange
    corrected: Exchange
    refitted: Exchange
    shape: Float64
    shift: Float64
    zeros: float
    distinct: float
    refitted_test: Float64
    corrected_test: Float64
    given_test: Float64
    correction: CorrectedModel
    refit: LogisticModel
    scale: float
    same_rows: tuple[tuple[int, ...], ...] = ()

    def corrected_logits(self, head: Head, z: Floats) -> Float64:
        """Of embeddings `z [image, D]` by `head` with its correction, `[image, class]`."""
        return self.correction.scores(z, head.logits(z) / self.scale)

    def refitted_logits(self, z: Floats) -> Float64:
        """Of embeddings `z [image, D]` by another head, `[image, class]`."""
        return np.asarray(np.asarray(z, np.float64) @ self.refit.weight + self.refit.bias)


def balanced(labels: Classes, *, seed: int) -> NDArray[np.int64]:
    """Rows in random order with equally many of each class that occurs: the median class's number, repeated where it lacks."""
    rng = np.random.default_rng(seed)
    groups = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    number = int(np.median([len(group) for group in groups]))
    return rng.permutation(np.concatenate([np.resize(group, number) for group in groups]))


def head_evidence(
    head: Head, train: Floats, train_labels: Classes, test: Floats, test_labels: Classes, *, seed: int = 0
) -> HeadEvidence:
    """Evidence from embeddings `train`, `test [image, D]` and their classes. A second or two for 3,000 of each."""
    rows = balanced(train_labels, seed=seed)
    z, labels, classes = np.asarray(train[rows], np.float64), train_labels[rows], head.classes
    given, given_test = head.logits(z), head.logits(test)
    scale = float(given.std()) or 1.0
    given, given_test = given / scale, given_test / scale
    outputs = given_test.argmax(1)
    nothing, nothing_test = np.zeros((len(z), 1)), np.zeros((len(test), 1))
    biases = fit_corrected(nothing, given, labels, penalty=1.0, iterations=ITERATIONS)
    corrected = fit_corrected(z, given, labels, penalty=CORRECTION_PENALTY, iterations=ITERATIONS)
    refitted = fit_logistic(z, labels, classes, penalty=REFIT_PENALTY, iterations=ITERATIONS)
    other, other_test = (points @ refitted.weight + refitted.bias for points in (z, np.asarray(test, np.float64)))
    corrected_test = corrected.scores(test, given_test)
    shape, shift = misfit(given, other)
    weight = head.layers[-1].weight
    return HeadEvidence(
        accuracy=float((outputs == test_labels).mean()),
        unbiased=exchange(test_labels, outputs, (given_test - head.layers[-1].offset / scale).argmax(1)),
        biases=exchange(test_labels, outputs, biases.scores(nothing_test, given_test).argmax(1)),
        corrected=exchange(test_labels, outputs, corrected_test.argmax(1)),
        refitted=exchange(test_labels, outputs, other_test.argmax(1)),
        shape=shape,
        shift=shift,
        zeros=float((weight == 0).mean()),
        distinct=float(np.mean([len(np.unique(row)) / len(row) for row in weight])),
        refitted_test=other_test,
        corrected_test=corrected_test,
        given_test=given_test,
        correction=corrected,
        refit=refitted,
        scale=scale,
        same_rows=same_rows(head, np.unique(test_labels)),
    )


def same_rows(head: Head, classes: Classes) -> tuple[tuple[int, ...], ...]:
    """Those of `classes` that the head cannot tell apart on any input, group by group: the weights of their last rows are
    equal to the bit."""
    last = head.layers[-1]
    groups: dict[bytes, list[int]] = {}
    for label in classes.tolist():
        # Whatever their biases, one of them comes before the other for all inputs. + 0.0: 0 and -0 are the same weight.
        groups.setdefault((last.weight[label] + 0.0).tobytes(), []).append(label)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def misfit(given: Float64, other: Float64) -> tuple[Float64, Float64]:
    """Shape and shift `[class]` by which the logits `given` differ from `other`, both `[image, class]`, up to a scale.

    Each image's logits are taken from their median, so that one class that is wrong does not make the others wrong.
    """
    a, b = (logits - np.median(logits, axis=1, keepdims=True) for logits in (given, other))
    unit = float(b.std()) or 1.0
    centred_a, centred_b = a - a.mean(0), b - b.mean(0)
    # The scale that suits most classes; a class of which nothing is left has no say.
    power = np.square(centred_a).sum(0)
    slopes = (centred_a * centred_b).sum(0) / np.where(power > 0, power, np.inf)
    slope = max(float(np.median(slopes)), 1e-9)
    difference = slope * a - b
    shift = difference.mean(0) / unit
    return np.asarray(difference.std(0) / unit), np.abs(shift - np.median(shift))
