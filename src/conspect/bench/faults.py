"""The planted-fault benchmark: plants every fault, asks every method, and writes down how often each was right."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conspect.analysis.localization import Blame
from conspect.bench.rows import Row, row
from conspect.core.protocols import ProgressBar, silent
from conspect.faults.judging import Judgement, judged
from conspect.faults.methods import BLIND, EVIDENCE, REGRESSION, SWAP, UNRECORDED
from conspect.faults.planted import DROPS
from conspect.faults.scoring import Judged, Score, score
from conspect.faults.study_subject import study_subject
from conspect.faults.subjects import TEST, TRAIN, Subject, scene_subject
from conspect.study.inputs import cache_directory

Json = dict[str, Any]
TARGET_ACCURACY, TARGET_UNDECIDED = 0.95, 0.10


def measure(study: Path | None, bar: ProgressBar = silent) -> Json:
    """The benchmark on the model of the study in a folder, or on the network on rendered scenes.

    Finished mutants are kept in the folder's `faults`, those of the scenes in the user's cache, so that an interrupted run
    continues. Raises UserError BENCH001 for a model in which faults cannot be planted.
    """
    subject = scene_subject() if study is None else study_subject(study, bar)
    kept = (cache_directory() if study is None else study) / "faults"
    return report(subject, judged(subject, kept, bar))


def report(subject: Subject, found: list[Judgement]) -> Json:
    """The benchmark as JSON values; shares are 0..1, null where there is nothing to share."""
    methods = list(dict.fromkeys((said.setting, said.method) for one in found for said in one.said))
    overall = {key: score(_of(found, *key)) for key in methods}
    blind_default = EVIDENCE if (BLIND, EVIDENCE) in overall else UNRECORDED
    defaults = {REGRESSION: overall[REGRESSION, SWAP], BLIND: overall[BLIND, blind_default]}
    return {
        "subject": subject.name,
        "images": {"train": len(subject.labels[TRAIN]), "test": len(subject.labels[TEST])},
        "drops": list(DROPS),
        "rows": [line for setting, one in defaults.items() for line in _targets(setting, one)],
        "overall": [{"setting": s, "method": m, **_json(one)} for (s, m), one in overall.items()],
        "by_mutator": [
            {"mutator": name, "part": part, "setting": s, "method": m, **_json(score(_of(of_name, s, m)))}
            for (name, part), of_name in _by_mutator(found).items()
            for s, m in methods
        ],
        "by_mutant": [line for one in found for line in _mutant_rows(one)],
        "precision_at_5": [
            {"mutator": one.mutant.mutator, "wanted_drop": one.mutant.severity.wanted, **one.precision}
            for one in found
            if one.precision
        ],
    }


def _of(found: list[Judgement], setting: str, method: str) -> list[Judged]:
    return [
        Judged(one.mutant.mutator, one.head_broken, said.blames)
        for one in found
        for said in one.said
        if (said.setting, said.method) == (setting, method)
    ]


def _by_mutator(found: list[Judgement]) -> dict[tuple[str, str], list[Judgement]]:
    groups: dict[tuple[str, str], list[Judgement]] = {}
    for one in found:
        groups.setdefault((one.mutant.mutator, one.mutant.part), []).append(one)
    return groups


def _mutant_rows(one: Judgement) -> list[Json]:
    about = {"mutator": one.mutant.mutator, "part": one.mutant.part, **asdict(one.mutant.severity)}
    about["departure"] = one.mutant.departure[TRAIN]
    return [
        {**about, "setting": said.setting, "method": said.method, "counts": _counts(said.blames)} for said in one.said
    ]


def _counts(blames: list[Blame]) -> dict[str, int]:
    return {part: sum(blame.culprit.value == part for blame in blames) for part in ("head", "encoder", "undecided")}


def _json(one: Score) -> Json:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return dict(plain(asdict(one)))


def _targets(setting: str, one: Score) -> list[Row]:
    accuracy = one.balanced_accuracy.value
    return [
        row(f"{setting}: balanced accuracy of the default", round(accuracy, 4), "share", (">=", TARGET_ACCURACY)),
        row(f"{setting}: undecided by the default", round(one.undecided, 4), "share", ("<=", TARGET_UNDECIDED)),
    ]
