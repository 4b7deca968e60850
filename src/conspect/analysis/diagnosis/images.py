"""What went wrong in one image: its label, an image that is two things at once, a broken part, or nothing but difficulty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.evidence import ModelEvidence
from conspect.analysis.diagnosis.labels import LabelJudgement, calibrated
from conspect.analysis.diagnosis.weighing import Suspect
from conspect.core.spaces import Float64
from conspect.statistics.intervals import wilson

# A label is suspect at this probability, when most judges say the same class instead. See docs/faults.md for the precision.
LEAST_WRONG = 0.9
# Two classes are plausible when the judges' common probability of each is at least this, and of both together at least that.
PLAUSIBLE, PLAUSIBLE_TOGETHER = 0.2, 0.75
# Another head, or the VLM, sees the class of an image when it gives it this probability.
SEEN = 0.5
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
    """Of each image, `[image]` booleans: its label looks wrong; a corrected head gets it right; the VLM sees its class."""

    label_suspect: NDArray[np.bool_]
    repaired: NDArray[np.bool_]
    visible: NDArray[np.bool_]

    def cause(self, row: int, suspect: Suspect | None) -> Cause | None:
        """Label or part that the failure is put down to, where the answer about the model is `suspect`; None: neither."""
        if self.label_suspect[row]:
            return Cause.LABEL
        return part_cause(suspect, repaired=bool(self.repaired[row]), visible=bool(self.visible[row]))


@dataclass(frozen=True, eq=False)
class Views:
    """How images look to those who judge them: `labels [image]`, the judgement of them, and scores `[image, class]` of a
    corrected head and of the judges that see by the VLM alone.

    `among [image]`: the images that temperatures are found on; None: all.
    """

    labels: Classes
    judged: LabelJudgement
    corrected: Float64
    vlm: Sequence[Float64]
    among: NDArray[np.bool_] | None = None

    def evidence(self) -> ImageEvidence:
        """What speaks for each cause."""
        labels, judged, rows = self.labels, self.judged, np.arange(len(self.labels))
        corrected = np.exp(calibrated(self.corrected, labels, by=self.among))[rows, labels]
        seen = np.exp(np.mean([calibrated(scores, labels, by=self.among) for scores in self.vlm], axis=0))[rows, labels]
        suspect = (judged.wrong >= LEAST_WRONG) & (2 * judged.votes > len(judged.judges))
        return ImageEvidence(np.asarray(suspect), np.asarray(corrected >= SEEN), np.asarray(seen >= SEEN))


def views_of(evidence: ModelEvidence, labels: Classes, vlm: Sequence[Float64]) -> Views:
    """Of the test images that the evidence is about. Raises ValueError without a judgement of their labels."""
    if evidence.labels is None:
        raise ValueError("images are diagnosed with a judgement of their labels")
    return Views(labels, evidence.labels, evidence.head.corrected_test, vlm)


def diagnose_images(suspect: Suspect | None, views: Views, outputs: Classes) -> list[ImageDiagnosis]:
    """Every image with `outputs != labels`, in order; `suspect`: the answer about the model.

    A part is blamed only where the model's diagnosis names it, and only for images that the part can have cost: those that
    a corrected head gets right, or, for encoder and input, those whose class the VLM sees.
    """
    each, judged, labels = views.evidence(), views.judged, views.labels
    diagnoses = []
    for row in np.flatnonzero(outputs != labels):
        cause = each.cause(int(row), suspect)
        if cause is None:
            visible = bool(each.repaired[row] or each.visible[row])
            cause = _no_part(judged, int(row), int(labels[row]), visible=visible)
        diagnoses.append(ImageDiagnosis(int(row), cause, float(judged.wrong[row]), int(judged.instead[row])))
    return diagnoses


def part_cause(suspect: Suspect | None, *, repaired: bool, visible: bool) -> Cause | None:
    """The part that the diagnosis of the model names, where it can have cost this image; None: no part."""
    match suspect:
        case Suspect.HEAD:
            return Cause.HEAD if repaired else None
        case Suspect.ENCODER:
            return Cause.ENCODER if repaired or visible else None
        case Suspect.INPUT:
            return Cause.INPUT if repaired or visible else None
        case Suspect.LABELS | Suspect.NONE | None:
            return None
        case _ as never:
            assert_never(never)


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
