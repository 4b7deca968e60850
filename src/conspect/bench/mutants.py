"""Known mutants: faults that an earlier diagnosis named wrongly, planted in a study's own network, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conspect.analysis.diagnosis.weighing import Suspect
from conspect.bench.rows import Measurement, Row, row
from conspect.core.protocols import ProgressBar, silent
from conspect.faults.judgement import judging
from conspect.faults.judgement.case_evidence import SUSPECTED
from conspect.faults.judgement.case_folder import CaseFolder
from conspect.faults.judgement.judging import JudgedCase, judged_among
from conspect.faults.judgement.left_out import Judgement, by_shipped
from conspect.faults.judgement.scoring import score_images
from conspect.faults.planting.cases import LEAST_DROP, Cases, Part
from conspect.faults.planting.known_mutants import known_mutants
from conspect.faults.subjects.study_subject import study_subject
from conspect.study.diagnosing.record import blame_weights, evidence_weights

NUMBER, MOST = 9, 28
# No change of the input is tried: none of these faults is in it, and that would take most of the time.
CHANGED = 0


def measure(folder: Path, keep: Path | None = None, bar: ProgressBar = silent) -> Measurement:
    """A row for each mutant, after those of all of them. `keep`: a folder of what was judged, gone on from.

    Raises UserError BENCH001 for a model in which nothing can be planted.
    """
    subject = study_subject(folder, bar).first(judging.TRAIN_IMAGES, judging.TEST_IMAGES)
    kept, done = None if keep is None else CaseFolder(keep), bar("mutants", MOST)
    cases = list(judged_among(known_mutants(subject), Cases(subject, NUMBER), done, changed=CHANGED, kept=kept))
    return {"cases": len(cases), "rows": rows_of(cases, by_shipped(cases, evidence_weights(), blame_weights()))}


def accepted(case: JudgedCase) -> set[Suspect]:
    """What may be named: the part that was changed and, where next to nothing was lost by it, nothing."""
    lost = float((case.sound == case.truth).mean() - (case.outputs == case.labels).mean())
    return SUSPECTED[case.part] | ({Suspect.NONE} if lost < LEAST_DROP else set())


def rows_of(cases: Sequence[JudgedCase], judged: Sequence[Judgement]) -> list[Row]:
    """Of all mutants, then one for each (1: rightly named, 0: wrongly; no value where it stays undecided)."""
    right = [
        None if of_case.answer.suspect is None else of_case.answer.suspect in accepted(case)
        for case, of_case in zip(cases, judged, strict=True)
    ]
    decided = [verdict for verdict in right if verdict is not None]
    alarms = sum(
        of_case.answer.suspect not in {Suspect.NONE, None}
        for case, of_case in zip(cases, judged, strict=True)
        if case.part is Part.NONE
    )
    images = score_images(cases, [of_case.causes for of_case in judged])
    blamed = int(images.blamed.sum())
    return [
        row("decided mutants named rightly", _share(sum(decided), len(decided)), "share", (">=", 0.90)),
        row("undecided", _share(len(right) - len(decided), len(right)), "share"),
        row("sound versions called broken", float(alarms), "versions", ("<=", 0)),
        row(
            "images: new failures put down rightly, of those put down",
            _share(int(images.blamed.trace()), blamed),
            "share",
        ),
        row("images: new failures put down to no part", _share(images.undecided, images.undecided + blamed), "share"),
        row("images: old failures put down to a part", _share(images.old_blamed, images.old), "share", ("<=", 0.12)),
        *(_row(case, of_case, verdict) for case, of_case, verdict in zip(cases, judged, right, strict=True)),
    ]


def _row(case: JudgedCase, judged: Judgement, right: bool | None) -> Row:
    accuracies = " becomes ".join(
        f"{100 * float((outputs == labels).mean()):.1f} %"
        for outputs, labels in ((case.sound, case.truth), (case.outputs, case.labels))
    )
    named, sure = " or ".join(suspect.value for suspect in judged.answer.named), 100 * judged.answer.confidence
    what = f"{case.kind} ({case.part.value}): {accuracies}; named: {named} ({sure:.0f} %)"
    return row(what, None if right is None else float(right), "undecided" if right is None else "yes or no")


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
