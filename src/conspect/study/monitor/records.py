"""What is measured of a monitor as the records of its evaluation."""

from __future__ import annotations

from conspect.adapters.attacks.attacked import AttackedImages
from conspect.monitor.evaluation import DetectorMetrics, Evaluation
from conspect.monitor.runtime.guarantee import Guarantee
from conspect.results import monitor as records


def guarantee_record(guarantee: Guarantee) -> records.Guarantee:
    """The guarantee in numbers and in words."""
    wanted = guarantee.wanted
    return records.Guarantee(
        wanted=records.Rates(
            false_alarms=wanted.false_alarms,
            accepted_errors=wanted.accepted_errors,
            confidence=wanted.confidence,
            errors_of_all=wanted.errors_of_all,
        ),
        images=guarantee.images,
        wrong=guarantee.wrong,
        accepts=guarantee.accepts,
        sentences=tuple(guarantee.sentences()),
    )


def attack_row(made: AttackedImages) -> records.AttackRow:
    """An attack and how often it succeeded; fields that its kind has no use for are left out, as in the recipe of its digest."""
    attack, effort = made.attack, made.attack.uses
    return records.AttackRow(
        attack=attack.name,
        kind=attack.kind,
        epsilon=attack.epsilon,
        attacked=len(made),
        succeeded=int(made.succeeded.sum()),
        steps=attack.steps if "steps" in effort else None,
        restarts=attack.restarts if "restarts" in effort else None,
        weights=attack.weights if "weights" in effort else None,
        seed=attack.seed if "seed" in effort else None,
    )


def detector_row(evaluation: Evaluation, row: DetectorMetrics) -> records.DetectorRow:
    """One detector on the evaluation's defect."""
    return records.DetectorRow(
        defect=evaluation.defect,
        detector=row.detector,
        kind=row.kind,
        auroc=row.auroc.value,
        auroc_low=row.auroc.low,
        auroc_high=row.auroc.high,
        aupr=row.others["aupr"],
        fpr95=row.others["fpr95"],
        aurc=row.others["aurc"],
        eaurc=row.others["eaurc"],
        augrc=row.others["augrc"],
        n_pos=evaluation.positives,
        n_neg=evaluation.negatives,
    )
