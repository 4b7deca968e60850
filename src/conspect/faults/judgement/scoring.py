"""What was said of judged cases, counted: of models by part, of failures by what they were put down to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.images import Cause
from conspect.analysis.diagnosis.weighing import NamedSuspects
from conspect.faults.judgement.case_evidence import SUSPECTED, CaseEvidence
from conspect.faults.judgement.judging import JudgedCase
from conspect.faults.planting.cases import Part


@dataclass(frozen=True)
class ModelScore:
    """Of diagnoses of models. `right` and `decided` of all `cases` of a part; `false_alarms`: sound ones called broken."""

    right: dict[Part, int]
    decided: dict[Part, int]
    cases: dict[Part, int]

    @property
    def balanced_accuracy(self) -> float:
        """Mean over parts of the share of decided cases that are right."""
        return float(np.mean([self.right[part] / self.decided[part] for part in self.cases if self.decided[part]]))

    @property
    def accuracy(self) -> float:
        """Share of the decided cases that are right."""
        return sum(self.right.values()) / max(sum(self.decided.values()), 1)

    @property
    def undecided(self) -> float:
        """Share of all cases for which more than one suspect is named."""
        return 1 - sum(self.decided.values()) / max(sum(self.cases.values()), 1)

    @property
    def false_alarms(self) -> float:
        """Share of sound models of which something else is said than that nothing is broken."""
        return 1 - (self.right[Part.NONE] + self.cases[Part.NONE] - self.decided[Part.NONE]) / max(
            self.cases[Part.NONE], 1
        )


def score_models(cases: Sequence[CaseEvidence], said: Sequence[NamedSuspects]) -> ModelScore:
    """Counts by part."""
    parts = [part for part in Part if any(case.part is part for case in cases)]
    right, decided, number = (dict.fromkeys([*parts, Part.NONE], 0) for _ in range(3))
    for case, answer in zip(cases, said, strict=True):
        number[case.part] += 1
        decided[case.part] += answer.suspect is not None
        right[case.part] += answer.suspect in SUSPECTED[case.part]
    return ModelScore(right, decided, number)


@dataclass(frozen=True)
class ImageScore:
    """Of failures put down to head or encoder. New ones: wrong by the fault, `blamed [head, encoder]` by the true part;
    old ones: the sound network fails as well, and a part was blamed for `old_blamed` of `old`."""

    blamed: NDArray[np.int64]
    undecided: int
    old: int
    old_blamed: int

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the true parts of the share of blamed new failures blamed right."""
        shares = [self.blamed[k, k] / self.blamed[k].sum() for k in (0, 1) if self.blamed[k].sum()]
        return float(np.mean(shares)) if shares else float("nan")


def score_images(cases: Sequence[JudgedCase], said: Sequence[Sequence[Cause | None]]) -> ImageScore:
    """Over all cases in which head or encoder is broken; `said`: what each image of each case is put down to, if it failed."""
    blamed, undecided, old, old_blamed = np.zeros((2, 2), dtype=np.int64), 0, 0, 0
    parts = (Cause.HEAD, Cause.ENCODER)
    for case, causes in zip(cases, said, strict=True):
        if case.part not in {Part.HEAD, Part.ENCODER}:
            continue
        of_part = np.array([parts.index(cause) if cause in parts else -1 for cause in causes])
        old += int(case.old.sum())
        old_blamed += int((of_part[case.old] >= 0).sum())
        new = of_part[case.new]
        blamed[int(case.part is Part.ENCODER)] += np.bincount(new[new >= 0], minlength=2)
        undecided += int((new < 0).sum())
    return ImageScore(blamed, undecided, old, old_blamed)


@dataclass(frozen=True)
class InformedScore:
    """Of what a fingerprint of the sound network says. `named`: cases whose broken parts are named exactly, of `cases`, by part;
    `blamed`: new failures of broken heads and encoders, `[true part, blamed part]`; `undecided`: those put down to neither.
    """

    named: dict[Part, int]
    cases: dict[Part, int]
    blamed: NDArray[np.int64]
    undecided: int

    @property
    def images_balanced_accuracy(self) -> float:
        """Mean over the true parts of the share of blamed new failures blamed right."""
        return float(np.mean([self.blamed[k, k] / max(self.blamed[k].sum(), 1) for k in (0, 1)]))

    @property
    def balanced_accuracy(self) -> float:
        """Mean over parts of the share of cases named exactly."""
        return float(np.mean([self.named[part] / number for part, number in self.cases.items()]))


# What is named where each part alone is broken; wrong labels are no part of the model.
NAMED_OF: dict[Part, tuple[str, ...]] = {
    Part.NONE: (),
    Part.LABELS: (),
    Part.INPUT: ("input pipeline",),
    Part.HEAD: ("head",),
    Part.ENCODER: ("encoder",),
    Part.BOTH: ("head", "encoder"),
}


def score_informed(cases: Sequence[JudgedCase]) -> InformedScore:
    """Counts over all cases; of the images, those that the sound network gets right in cases with one broken part."""
    parts = [part for part in Part if any(case.part is part for case in cases)]
    named, number = dict.fromkeys(parts, 0), dict.fromkeys(parts, 0)
    blamed, undecided = np.zeros((2, 2), dtype=np.int64), 0
    for case in cases:
        number[case.part] += 1
        named[case.part] += set(case.informed.broken) == set(NAMED_OF[case.part])
        if case.part in {Part.HEAD, Part.ENCODER}:
            codes = np.bincount(case.informed.blames[case.new], minlength=3)
            blamed[int(case.part is Part.ENCODER)] += codes[1:3]
            undecided += int(codes[0])
    return InformedScore(named, number, blamed, undecided)
