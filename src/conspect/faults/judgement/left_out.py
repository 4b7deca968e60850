"""Every case judged: by weights that saw neither its kind nor its network, or by the weights that ship."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conspect.analysis.diagnosis.blame import BlameWeights
from conspect.analysis.diagnosis.images import Cause
from conspect.analysis.diagnosis.weighing import EvidenceWeights, NamedSuspects
from conspect.faults.judgement.case_evidence import CaseEvidence, weights_of
from conspect.faults.judgement.case_tables import Failures, blame_of
from conspect.faults.judgement.judging import JudgedCase


@dataclass(frozen=True)
class Judgement:
    """What is said of a case's model, and `causes [image]`, of each of its images, were it a failure."""

    answer: NamedSuspects
    causes: list[Cause | None]


def others(cases: Sequence[CaseEvidence], case: CaseEvidence) -> list[int]:
    """Rows of the cases of other kinds and, where there are several networks, of other networks."""
    several = len({other.network for other in cases}) > 1
    return [
        row
        for row, other in enumerate(cases)
        if other.kind != case.kind and not (several and other.network == case.network)
    ]


def left_out(cases: Sequence[JudgedCase], failures: Failures, *, reported: bool = False) -> list[Judgement]:
    """Each case judged by weights fitted on `others` alone; its failures by two weights of other networks, if there are any."""
    models: dict[tuple[str, str], EvidenceWeights] = {}
    blames: dict[str, BlameWeights] = {}
    networks = np.array([case.network for case in cases])
    judged = []
    for case in cases:
        key = case.kind, case.network
        if key not in models:
            models[key] = weights_of([cases[row] for row in others(cases, case)])
        if case.network not in blames:
            elsewhere = networks != case.network
            blames[case.network] = blame_of(cases, failures, elsewhere if elsewhere.any() else None)
        judged += by_shipped([case], models[key], blames[case.network], reported=reported)
    return judged


def by_shipped(
    cases: Sequence[JudgedCase], model: EvidenceWeights, failures: BlameWeights, *, reported: bool = False
) -> list[Judgement]:
    """Each case judged by these weights."""
    answers = [case.answer(model, reported=reported) for case in cases]
    return [Judgement(answer, case.causes(answer, failures)) for case, answer in zip(cases, answers, strict=True)]
