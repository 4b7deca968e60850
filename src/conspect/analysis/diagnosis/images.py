"""What went wrong in one image: its label, an image that is two things at once, a broken part, or nothing but difficulty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.blame import LEAST_BROKEN, LEAST_NEW, SIGNS, BlameWeights, log_odds
from conspect.analysis.diagnosis.evidence import ModelEvidence
from conspect.analysis.diagnosis.labels import LabelJudgement, calibrated
from conspect.analysis.diagnosis.weighing import SUSPECTS, NamedSuspects, Suspect
from conspect.core.spaces import Float64
from conspect.statistics.intervals import wilson

# A label is suspect at this probability, when most judges say the same class instead. See docs/faults.md for the precision.
LEAST_WRONG = 0.9
# Two classes are plausible when the judges' common probability of each is at least this, and of both together at least that.
PLAUSIBLE, PLAUSIBLE_TOGETHER = 0.2, 0.75
# A corrected head, or the VLM, sees the class of an image when it gives it these log-odds: when it is as likely as not.
SEEN_ODDS = 0.0
Classes = NDArray[np.int64]


class Cause(StrEnum):
    """What a failure is put down to."""

    LABEL = "label suspect"
    AMBIGUOUS = "ambiguous"
    HEAD = "head"
    ENCODER = "encoder"
    INPUT = "input pipeline"
    HARD = "hard for everybody"
    UNDECIDED = "undecided"


# What a failure of a model is put down to where this is named for the model.
PART_CAUSES = {Suspect.HEAD: Cause.HEAD, Suspect.ENCODER: Cause.ENCODER, Suspect.INPUT: Cause.INPUT}


@dataclass(frozen=True, slots=True)
class ImageDiagnosis:
    """Of one misclassified image. `label_wrong`: probability that its label is; `instead`: the class that the judges say."""

    row: int
    cause: Cause
    label_wrong: float
    instead: int


@dataclass(frozen=True, slots=True)
class CauseCount:
    """How many failures a cause has, and between how many it would lie in other samples of this size."""

    cause: Cause
    count: int
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class ImageEvidence:
    """Of each image: `label_suspect [image]`, whether its label looks wrong; `odds [image, 3]`, log-odds of its label by a
    corrected head, by the model itself and by the VLM.
    """

    label_suspect: NDArray[np.bool_]
    odds: Float64

    @property
    def visible(self) -> NDArray[np.bool_]:
        """`[image]`: whether a corrected head or the VLM sees the class."""
        return np.asarray((self.odds[:, [0, 2]] >= SEEN_ODDS).any(1))

    @property
    def signs(self) -> Float64:
        """`[image, sign]` in the order of `SIGNS`."""
        return self.odds[:, : len(SIGNS)]

    def causes(self, answer: NamedSuspects, weights: BlameWeights) -> list[Cause | None]:
        """Of each image, were it a failure: the label or the part that it is put down to; None: neither.

        A part is put down only where the answer about the model names it alone and is sure enough of it, and for images that
        are likely to be right without its fault.
        """
        part = None if answer.suspect is None else PART_CAUSES.get(answer.suspect)
        blamed = np.zeros(len(self.odds), dtype=bool)
        if answer.suspect is not None and part is not None:
            sure = answer.posterior[SUSPECTS.index(answer.suspect)] >= LEAST_BROKEN
            blamed = np.asarray(sure & (weights.new(answer.suspect, self.signs) >= LEAST_NEW))
        return [
            Cause.LABEL if label else part if cost else None
            for label, cost in zip(self.label_suspect.tolist(), blamed.tolist(), strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Views:
    """How images look to those who judge them: `labels [image]`, the judgement of them, and scores `[image, class]` of a
    corrected head, of the model itself, and of the judges that see by the VLM alone.

    `among [image]`: the images that temperatures are found on; None: all.
    """

    labels: Classes
    judged: LabelJudgement
    corrected: Float64
    given: Float64
    vlm: Sequence[Float64]
    among: NDArray[np.bool_] | None = None

    def evidence(self) -> ImageEvidence:
        """What speaks for each cause."""
        labels, judged, rows = self.labels, self.judged, np.arange(len(self.labels))
        corrected, given = (
            calibrated(scores, labels, by=self.among)[rows, labels] for scores in (self.corrected, self.given)
        )
        seen = np.mean([calibrated(scores, labels, by=self.among) for scores in self.vlm], axis=0)[rows, labels]
        suspect = (judged.wrong >= LEAST_WRONG) & (2 * judged.votes > len(judged.judges))
        odds = np.column_stack([log_odds(logs) for logs in (corrected, given, seen)])
        return ImageEvidence(np.asarray(suspect), odds)


def views_of(evidence: ModelEvidence, labels: Classes, vlm: Sequence[Float64]) -> Views:
    """Of the test images that the evidence is about. Raises ValueError without a judgement of their labels."""
    if evidence.labels is None:
        raise ValueError("images are diagnosed with a judgement of their labels")
    head = evidence.head
    return Views(labels, evidence.labels, head.corrected_test, head.given_test, vlm)


def diagnose_images(
    answer: NamedSuspects, views: Views, outputs: Classes, weights: BlameWeights
) -> list[ImageDiagnosis]:
    """Every image with `outputs != labels`, in order; `answer`: the one about the model."""
    each, judged, labels = views.evidence(), views.judged, views.labels
    causes, visible = each.causes(answer, weights), each.visible
    diagnoses = []
    for row in np.flatnonzero(outputs != labels):
        cause = causes[row] or _no_part(judged, int(row), int(labels[row]), visible=bool(visible[row]))
        diagnoses.append(ImageDiagnosis(int(row), cause, float(judged.wrong[row]), int(judged.instead[row])))
    return diagnoses


def _no_part(judged: LabelJudgement, row: int, label: int, *, visible: bool) -> Cause:
    """Ambiguous where two classes are plausible, hard where nobody sees the class, else nothing that could be said."""
    probabilities = judged.probabilities[row]
    both = probabilities[label], probabilities[judged.instead[row]]
    if min(both) >= PLAUSIBLE and sum(both) >= PLAUSIBLE_TOGETHER:
        return Cause.AMBIGUOUS
    return Cause.UNDECIDED if visible or probabilities.argmax() == label else Cause.HARD


def count_causes(images: Sequence[ImageDiagnosis], confidence: float = 0.95) -> tuple[CauseCount, ...]:
    """Every cause with its count among the failures and that count's interval (Wilson's of the share, times the failures)."""
    counts, failures = Counter(image.cause for image in images), len(images)
    counted = []
    for cause in Cause:
        low, high = wilson(counts[cause], failures, confidence) if failures else (0.0, 0.0)
        counted.append(
            CauseCount(cause, counts[cause], int(np.floor(float(low) * failures)), int(np.ceil(float(high) * failures)))
        )
    return tuple(counted)
