"""What every method says of every mutant of a subject."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conspect.analysis.localization import fit_evidence
from conspect.core.protocols import ProgressBar, silent
from conspect.core.spaces import Float64
from conspect.faults.methods import BLIND, EVIDENCE, UNRECORDED, Judges, Said, by_evidence
from conspect.faults.planted import Mutant, Plants
from conspect.faults.subjects import TRAIN, Subject

# Faults: eight of the head, five of the encoder and two that are trained, three of the pictures.
MUTATORS = 18
# So many images of a mutant take part in fitting the weights of evidence, so that no severity drowns the others.
EVIDENCE_IMAGES = 60


@dataclass(frozen=True, eq=False)
class Judgement:
    """A mutant, its newly wrong images, what each method says of them, and the evidence on them."""

    mutant: Mutant
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    said: list[Said]
    evidence: Float64
    precision: dict[str, float]

    @property
    def head_broken(self) -> bool:
        """The truth."""
        return self.mutant.part == "head"


def judged(subject: Subject, folder: Path, bar: ProgressBar = silent) -> list[Judgement]:
    """Every mutant of `subject` with what is said of it; weights of evidence leave out the mutator that they judge."""
    advance = bar("pictures through the sound network", sum(len(one) for one in subject.pixels.values()))
    plants = Plants(subject, folder, advance)
    judges = Judges(subject, plants.sound)
    found = []
    for mutant in plants.mutants(bar("faults planted", MUTATORS)):
        rows = judges.newly_wrong(mutant)
        said = [*judges.regression(mutant, rows), *judges.blind(mutant, rows)]
        found.append(Judgement(mutant, rows, said, judges.evidence(mutant, rows), judges.precision(mutant)))
    for one in found:
        one.said.extend(_evidence_of(found, one))
    return found


def evidence_table(found: list[Judgement]) -> tuple[Float64, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Evidence `[image, feature]` and truth `[image]` (True: head) of at most `EVIDENCE_IMAGES` images of each mutant."""
    parts = [one.evidence[:: max(1, math.ceil(len(one.evidence) / EVIDENCE_IMAGES))] for one in found]
    truth = [np.full(len(part), one.head_broken) for part, one in zip(parts, found, strict=True)]
    return np.concatenate(parts), np.concatenate(truth)


def _evidence_of(found: list[Judgement], one: Judgement) -> list[Said]:
    others = [other for other in found if other.mutant.mutator != one.mutant.mutator]
    if {other.head_broken for other in others} != {True, False}:
        return []
    weights = fit_evidence(*evidence_table(others))
    recorded = one.mutant.departure[TRAIN] is not None
    said = [Said(BLIND, UNRECORDED, by_evidence(weights, one.evidence, recorded=False))]
    if recorded:
        said.append(Said(BLIND, EVIDENCE, by_evidence(weights, one.evidence, recorded=True)))
    return said
