"""How likely each given label is wrong, from several judges that were not fitted on it.

Judges are heads of the model's embedding and of the VLM's; each is brought to probabilities by one temperature, and their
mean log-probability is the common judgement. Which classes are taken for which is estimated with the labels' errors, as in
confident learning (Northcutt, Jiang, Chuang, 2021), here by expectation and maximisation, and shrunk towards errors that
hit every class alike, so that the judges' own favourite mistakes (cat and dog) do not all become mistakes of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64
from conspect.core.vectors import log_softmax

Classes = NDArray[np.int64]
# Share of errors assumed at first, rounds of estimation, and how many errors of the mean pair of classes each pair is given.
FIRST_SHARE, ROUNDS, SHRINKAGE = 0.02, 5, 0.5
# Deviations below all scores where the score of a class that is out of the question lies.
NEVER = 100.0
# Rounds in which temperatures are found, each without the labels that looked wrong in the last: they would flatten everything.
TRIMMED = 3
# A class that no image is labelled with is in the question all the same where every judge sees it in so many images, and in such
# a part of the number that a labelled class has on average: then its labels are those of another class.
LEAST_UNLABELLED, LEAST_UNLABELLED_PART = 5, 0.3
TEMPERATURES = np.exp(np.linspace(-4, 3, 71))


@dataclass(frozen=True, eq=False)
class LabelJudgement:
    """`wrong [image]`: probability that the label is wrong; `instead [image]`: the class that the judges say instead.

    `probabilities [image, class]`: the judges' common one. `votes [image]`: how many of the `judges` say `instead`.
    `unlabelled`: classes that no image is labelled with although every judge sees them, each with the number of those images.
    """

    wrong: Float64
    instead: Classes
    probabilities: Float64
    votes: Classes
    judges: tuple[str, ...]
    unlabelled: tuple[tuple[int, int], ...] = ()

    @property
    def expected(self) -> float:
        """How many labels are expected to be wrong: the sum of the probabilities."""
        return float(self.wrong.sum())

    @property
    def order(self) -> NDArray[np.int64]:
        """Rows, the most suspect label first."""
        return np.argsort(-self.wrong, kind="stable").astype(np.int64)


def calibrated(
    scores: Float64, labels: Classes, *, absent: NDArray[np.bool_] | None = None, by: NDArray[np.bool_] | None = None
) -> Float64:
    """Log-probabilities `[image, class]`: scores times the positive number that makes the labels likeliest.

    The scores' own scale does not matter: it is divided out first. Classes marked `absent [class]` get next to none;
    the number is found `by` these images (default: all).
    """
    rows = np.arange(len(labels)) if by is None or not by.any() else np.flatnonzero(by)
    present = scores if absent is None or not absent.any() else scores[:, ~absent]
    unit = scores / (float(np.std(present - present.mean(1, keepdims=True))) or 1.0)
    if absent is not None and absent.any():
        unit = np.where(absent, unit[:, ~absent].min() - NEVER, unit)
    chosen = unit[rows]
    each = np.arange(len(rows))
    likelihood = [float(log_softmax(factor * chosen)[each, labels[rows]].mean()) for factor in TEMPERATURES]
    return log_softmax(TEMPERATURES[int(np.argmax(likelihood))] * unit)


def judge_labels(
    scores: Mapping[str, Float64], labels: Classes, *, among: NDArray[np.bool_] | None = None
) -> LabelJudgement:
    """Judgement of `labels [image]` by the `scores [image, class]` of each judge, none of which was fitted on these labels.

    Temperatures and the labels' errors are estimated on the images `among [image]` (default: all); others, such as failures
    picked from a larger set, are judged by the same measure.
    Classes that no image is labelled with are out of the question, for a folder of animals alone has no mislabelled ships; but
    not where every judge sees them in many images (`unlabelled`).
    """
    known = np.ones(len(labels), dtype=bool) if among is None else among
    absent = np.bincount(labels[known], minlength=next(iter(scores.values())).shape[1]) == 0
    unlabelled = _unlabelled(scores, known, absent)
    absent[[label for label, _ in unlabelled]] = False
    kept = known
    for _ in range(TRIMMED):
        each = {
            name: calibrated(np.asarray(score, dtype=np.float64), labels, absent=absent, by=kept)
            for name, score in scores.items()
        }
        common = calibrated(np.mean(list(each.values()), axis=0), labels, absent=absent, by=kept)
        probabilities = np.exp(common)
        wrong = _wrong(probabilities, labels, known)
        kept = known & (wrong < 0.5)
    others = common.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    instead = np.asarray(others.argmax(1), dtype=np.int64)
    votes = np.asarray(np.sum([logs.argmax(1) == instead for logs in each.values()], axis=0), dtype=np.int64)
    return LabelJudgement(wrong, instead, probabilities, votes, tuple(each), unlabelled)


def with_names_restored(
    scores: Mapping[str, Float64], labels: Classes, restored: Classes, *, among: NDArray[np.bool_] | None = None
) -> LabelJudgement:
    """Judgement of `labels [image]` under wrong class names, when `restored [image]` are the classes that were meant.

    The restored labels are judged. One that was renamed is as likely wrong as the restored one is right, and that is what the
    judges say instead.
    """
    judged = judge_labels(scores, restored, among=among)
    renamed = labels != restored
    wrong = np.where(renamed, 1 - judged.wrong, judged.wrong)
    instead = np.where(renamed, restored, judged.instead)
    said = np.stack([np.asarray(score).argmax(1) for score in scores.values()])
    votes = np.where(renamed, (said == restored).sum(0), judged.votes)
    return replace(judged, wrong=wrong, instead=instead, votes=votes)


def _unlabelled(
    scores: Mapping[str, Float64], known: NDArray[np.bool_], absent: NDArray[np.bool_]
) -> tuple[tuple[int, int], ...]:
    """Classes `absent [class]` from the labels that all judges see in many of the `known` images, with the number of those."""
    said = np.stack([np.asarray(score)[known].argmax(1) for score in scores.values()])
    agreed = said[0][(said == said[0]).all(0)]
    counts = np.where(absent, np.bincount(agreed, minlength=len(absent)), 0)
    least = max(LEAST_UNLABELLED, LEAST_UNLABELLED_PART * int(known.sum()) / max(int((~absent).sum()), 1))
    return tuple((int(label), int(counts[label])) for label in np.flatnonzero(counts >= least))


def _wrong(probabilities: Float64, labels: Classes, known: NDArray[np.bool_]) -> Float64:
    """Probability of each label to be wrong, with the share of class k that is labelled c estimated alongside."""
    classes = probabilities.shape[1]
    if classes < 2:
        return np.zeros(len(labels))
    one_hot = np.eye(classes)[labels]
    apart = 1 - np.eye(classes)
    given = np.where(apart > 0, FIRST_SHARE / (classes - 1), 1 - FIRST_SHARE)
    posterior = probabilities
    for _ in range(ROUNDS):
        posterior = probabilities * given[:, labels].T
        posterior /= np.maximum(posterior.sum(1, keepdims=True), np.finfo(np.float64).tiny)
        counts = posterior[known].T @ one_hot[known]
        mean = float((counts * apart).sum()) / (classes * (classes - 1))
        counts = counts + SHRINKAGE * mean * apart + np.finfo(np.float64).eps
        given = counts / counts.sum(1, keepdims=True)
    return np.asarray(1 - posterior[np.arange(len(labels)), labels])


def sharpness(scores: Float64, labels: Classes) -> float:
    """The positive number to multiply `scores [image, class]` by, so that the labels are likeliest."""
    calibration = calibrated(scores, labels)
    centred, before = (part - part.mean(1, keepdims=True) for part in (calibration, scores))
    return float(np.sqrt(np.square(centred).sum() / max(float(np.square(before).sum()), np.finfo(np.float64).tiny)))
