"""The planted-fault benchmark: is what is broken named rightly, by weights that saw neither the kind of fault nor the network?"""

from __future__ import annotations

from pathlib import Path

from conspect.analysis.diagnosis.weighing import Suspect
from conspect.bench.rows import Measurement, Row, row
from conspect.core.protocols import ProgressBar, silent
from conspect.faults.judgement.case_folder import CaseFolder
from conspect.faults.judgement.case_tables import failures_of
from conspect.faults.judgement.judging import JudgedCase, judged_cases
from conspect.faults.judgement.left_out import left_out
from conspect.faults.judgement.scoring import score_images, score_informed, score_models
from conspect.faults.planting.cases import Part
from conspect.faults.subjects.subject_sources import subjects

NETWORKS = Path("training/kept/networks")


def measure(study: Path | None, keep: Path | None = None, bar: ProgressBar = silent) -> Measurement:
    """The benchmark on the network on rendered scenes; with a study of CIFAR-10, on its model and the networks of `NETWORKS` too.

    `keep`: a folder of what was judged, gone on from.
    Raises UserError BENCH001 for a study in whose model faults cannot be planted.
    """
    cases: list[JudgedCase] = []
    for number, subject in enumerate(subjects(NETWORKS, study, bar)):
        kept = None if keep is None else CaseFolder(keep / subject.name.replace(" ", "-"))
        cases += judged_cases(subject, number, bar(f"cases of {subject.name}", 50), kept=kept)
    return {"networks": sorted({case.network for case in cases}), "cases": len(cases), "rows": rows_of(cases)}


def rows_of(cases: list[JudgedCase]) -> list[Row]:
    """With one network alone its kinds are left out, but not the network: there would be nothing to fit on."""
    judged = left_out(cases, failures_of(cases))
    answers = [of_case.answer for of_case in judged]
    models, images = score_models(cases, answers), score_images(cases, [of_case.causes for of_case in judged])
    since = score_informed(cases)
    by_kind: dict[str, list[bool]] = {}
    for case, diagnosis in zip(cases, answers, strict=True):
        if case.part is Part.INPUT:
            by_kind.setdefault(case.kind, []).append(diagnosis.suspect is Suspect.INPUT)
    kinds, named = len(by_kind), sum(2 * sum(hits) >= len(hits) for hits in by_kind.values())
    return [
        row("model: decided cases named rightly, balanced", round(models.balanced_accuracy, 4), "share", (">=", 0.90)),
        row("model: undecided", round(models.undecided, 4), "share", ("<=", 0.15)),
        row("model: sound networks called broken", round(models.false_alarms, 4), "share", ("<=", 0.05)),
        row("input: kinds named in most networks", round(named / max(kinds, 1), 4), "share", (">=", 10 / 12)),
        row(
            "images: new failures put down rightly, balanced", round(images.balanced_accuracy, 4), "share", (">=", 0.90)
        ),
        row("images: old failures put down to a part", round(images.old_blamed / max(images.old, 1), 4), "share"),
        row("with a fingerprint: broken parts named exactly, balanced", round(since.balanced_accuracy, 4), "share"),
        row(
            "images, with a fingerprint: new failures put down rightly, balanced",
            round(since.images_balanced_accuracy, 4),
            "share",
            (">=", 0.97),
        ),
    ]
