"""What `conspect monitor eval` says: every detector on every defect, curves, guarantees put to the test, examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.analysis import localization
from conspect.analysis.lens_quality import zero_shot
from conspect.core.diagnostics import user_error
from conspect.core.protocols import Progress, ProgressBar
from conspect.core.spaces import Floats
from conspect.monitor.evaluation import COSTLY_BASELINES, KIND_OF, Evaluation, Kind, best
from conspect.monitor.fitting.calibration import report
from conspect.monitor.runtime import SUSPECT, VERDICTS
from conspect.monitor.runtime.storage import JSON_FILE
from conspect.results.monitor import (
    AttackLocalization,
    DetectorCurve,
    DetectorDifference,
    DetectorKind,
    DetectorRow,
    FlaggedImage,
    Kept,
    MonitorEvaluation,
    PairReason,
    SplitSize,
    SplitSizes,
)
from conspect.results.shares import CulpritCounts, Interval, PartCounts
from conspect.statistics.detection import MetricName, Score
from conspect.statistics.logistic import fit_logistic
from conspect.study.kept_records import KeptRecords, key_of
from conspect.study.monitor.defects import TAUGHT, Defect, DefectKind, defects
from conspect.study.monitor.fitting import FittedMonitor
from conspect.study.monitor.records import attack_row, detector_row, guarantee_record
from conspect.study.monitor.splits import Split

COMPARED: tuple[MetricName, ...] = ("auroc", "augrc", "aurc")
SHOWN_KINDS: tuple[Kind, ...] = ("baseline", "paper", "conspect", "conspect+vlm")
CURVE_POINTS, FLAGGED, RESAMPLES, FEWER_RESAMPLES = 60, 12, 1000, 300
MISCLASSIFICATION = "misclassification"
FORMAT = 3
# Defects whose curves are kept.
DRAWN = (MISCLASSIFICATION, TAUGHT.name)
# Clean right inputs that stand against attacks and inputs of no class.
CLEAN = 1000


def monitor_results(fitted: FittedMonitor, *, seed: int, bar: ProgressBar) -> MonitorEvaluation:
    """The record behind `conspect monitor eval`, see docs/results.md. Raises UserError MONITOR002 without one wrong output."""
    splits = fitted.splits
    if splits.report.wrong.all() or not splits.report.wrong.any():
        fix = "report on more images, of which the model gets some wrong"
        raise user_error("MONITOR002", f"all {len(splits.report)} reported outputs are of one kind", fix)
    advance = bar("monitor: comparison", 1)
    scores = scores_of(fitted, splits.report)
    chosen = chosen_detectors(scores_of(fitted, splits.calibration), splits.calibration.wrong, scores)
    comparisons = [compared(MISCLASSIFICATION, scores, splits.report.wrong, chosen, seed=seed)]
    advance(1)
    # The adaptive attack knows the detector that was taught attacks: the harder of the two to fool.
    knows = fitted.detectors.taught or fitted.detectors.fused
    others, attacks, left_out = defects(fitted.place, splits.report, knows.detector, seed=seed)
    clean = np.flatnonzero(~splits.report.wrong)[:CLEAN]
    advance = bar("monitor: other defects", len(others))
    suspicion = {n: s.suspicion[clean] for n, s in scores.items()}
    asked = (_scored(fitted, defect, suspicion) for defect in others)
    comparisons += fitted.place.store.engine.map(partial(_compared_defect, chosen, seed), asked, advance)
    if isinstance(fitted.taught, str):
        left_out["attacks to learn from"] = fitted.taught
    return MonitorEvaluation(
        splits=SplitSizes(
            source="held-out" if splits.source == "held-out" else "split",
            fit=_size(splits.fit),
            calibration=_size(splits.calibration),
            report=_size(splits.report),
        ),
        chosen=chosen,
        rows=tuple(row for comparison in comparisons for row in comparison.rows),
        differences=tuple(row for comparison in comparisons for row in comparison.differences),
        curves=tuple(row for comparison in comparisons for row in comparison.curves),
        guarantee=guarantee_record(fitted.guarantee),
        kept=kept(fitted),
        kept_second_look=kept(fitted, looks=True),
        flagged=flagged(fitted),
        taught=0 if isinstance(fitted.taught, str) else len(fitted.taught),
        attacks=tuple(map(attack_row, attacks)),
        adversarial_localization=localized(fitted, others),
        left_out=left_out,
    )


def _size(split: Split) -> SplitSize:
    return SplitSize(images=len(split), wrong=int(split.wrong.sum()))


def kept_or_made(folder: Path, recipe: Sequence[object], make: Callable[[], MonitorEvaluation]) -> MonitorEvaluation:
    """What `make` gave for the same recipe and version before, from `folder`, when the monitor is there too; else anew."""
    records, key = KeptRecords(folder, MonitorEvaluation, "evaluation-"), key_of(FORMAT, *recipe)
    kept = records.read(key) if (folder / JSON_FILE).is_file() else None
    if kept is None:
        kept = make()
        records.write(key, kept)
    return kept


def scores_of(fitted: FittedMonitor, split: Split) -> dict[str, Score]:
    """Every detector's score of a split."""
    return fitted.detectors.scores(split.inputs, split.witnessed, split.looked)


@dataclass(frozen=True)
class _Comparison:
    """Rows, paired differences and curves of one defect."""

    rows: tuple[DetectorRow, ...]
    differences: tuple[DetectorDifference, ...]
    curves: tuple[DetectorCurve, ...]


@dataclass(frozen=True, eq=False)
class _Scored:
    """One defect's scores and which inputs are to be flagged: all that a comparison needs."""

    defect: str
    scores: Mapping[str, Score]
    suspect: NDArray[np.bool_]


def _scored(fitted: FittedMonitor, defect: Defect, clean: Mapping[str, Floats]) -> _Scored:
    """`clean`: suspicion of clean right inputs, for a defect whose inputs are all to be flagged."""
    scores, suspect = scores_of(fitted, defect.split), defect.suspect
    if suspect.all():
        scores = {name: Score(np.concatenate([s.suspicion, clean[name]]), "suspect") for name, s in scores.items()}
        suspect = np.arange(len(next(iter(scores.values())).values)) < len(suspect)
    return _Scored(defect.name, scores, suspect)


def _compared_defect(chosen: Mapping[DetectorKind, str], seed: int, scored: _Scored, progress: Progress) -> _Comparison:
    """As `compared`, as the task of an engine."""
    comparison = compared(scored.defect, scored.scores, scored.suspect, chosen, seed=seed, resamples=FEWER_RESAMPLES)
    progress(1)
    return comparison if scored.defect in DRAWN else replace(comparison, curves=())


def localized(fitted: FittedMonitor, others: Sequence[Defect]) -> tuple[AttackLocalization, ...]:
    """Encoder or head, for the failures of each attack, by the lens oracle and by a head refitted on the fit split."""
    measured, fit = fitted.place.measured, fitted.splits.fit
    attacks = [other for other in others if other.kind is DefectKind.ATTACK and other.split.witnessed is not None]
    if not attacks:
        return ()
    head = fit_logistic(fit.inputs.embeddings, fit.labels, fitted.monitor.detector.folded.classes)
    localized = []
    for attack in attacks:
        embeddings, witnessed = attack.split.inputs.embeddings, attack.split.witnessed
        assert witnessed is not None
        verdicts = localization.localize(
            attack.split.labels,
            attack.split.inputs.outputs,
            vlm_on_image=np.asarray(witnessed.class_strengths.argmax(1), dtype=np.int64),
            vlm_on_mapped=zero_shot(measured.lens.alignment(embeddings), measured.class_directions),
            refitted=np.asarray(head.probabilities(embeddings).argmax(1), dtype=np.int64),
        )
        summary = localization.summarise(verdicts)
        localized.append(
            AttackLocalization(
                attack=attack.name,
                failures=summary.failures,
                paper_counts=CulpritCounts(**summary.by_vlm),
                refitted_head_counts=PartCounts(**summary.by_refitted_head),
            )
        )
    return tuple(localized)


def chosen_detectors(
    calibration: Mapping[str, Score], wrong: NDArray[np.bool_], scores: Mapping[str, Score]
) -> dict[DetectorKind, str]:
    """The best detector of each kind by AUROC, chosen on the calibration split; the report split only says which exist.

    The baseline is one that needs no further looks; the one that does is compared besides.
    """
    chosen: dict[DetectorKind, str] = {}
    for kind in SHOWN_KINDS:
        named = [name for name in scores if KIND_OF[name] == kind and name not in COSTLY_BASELINES]
        there = {name: calibration[name] for name in named if name in calibration}
        if named:
            chosen[kind] = best(there, wrong, kind) if there and wrong.any() and not wrong.all() else named[-1]
    return chosen


def compared(
    defect: str,
    scores: Mapping[str, Score],
    suspect: NDArray[np.bool_],
    chosen: Mapping[DetectorKind, str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> _Comparison:
    """Rows, paired differences and curves of one defect.

    The baseline to beat is the one chosen on the calibration split and, to be strict, also the best on these very scores
    and the one that looks as often.
    """
    evaluation = Evaluation.of(defect, scores, suspect, resamples=resamples, seed=seed)
    plain = {name: score for name, score in scores.items() if name not in COSTLY_BASELINES}
    to_beat = dict.fromkeys((chosen["baseline"], best(plain, suspect, "baseline")))
    for name in COSTLY_BASELINES:
        if name in scores:
            to_beat[name] = None
    named = [name for kind, name in chosen.items() if kind != "baseline" and name in scores]
    differences = []
    for name, baseline, metric in product(named, to_beat, COMPARED):
        gap = evaluation.difference(name, baseline, metric)
        differences.append(
            DetectorDifference(
                defect=defect,
                detector=name,
                baseline=baseline,
                metric=metric,
                better_by=float(gap.value),
                low=float(gap.low),
                high=float(gap.high),
            )
        )
    curves = tuple(curve(defect, name, scores[name], suspect) for name in chosen.values() if name in scores)
    rows = tuple(detector_row(evaluation, row) for row in evaluation.rows())
    return _Comparison(rows, tuple(differences), curves)


def curve(defect: str, detector: str, score: Score, suspect: NDArray[np.bool_]) -> DetectorCurve:
    """`roc`: pairs (false alarms, failures found); `risk_coverage`: pairs (share accepted, errors among them)."""
    order = np.argsort(score.suspicion, kind="stable")
    wrong = suspect[order]
    points = np.unique(np.linspace(1, len(order), CURVE_POINTS).round().astype(np.int64))
    errors = np.cumsum(wrong)[points - 1]
    hits, false = 1 - errors / wrong.sum(), 1 - (points - errors) / (~wrong).sum()
    roc = [[1.0, 1.0], *zip(false.tolist(), hits.tolist(), strict=True)][::-1]
    risks = zip((points / len(order)).tolist(), (errors / points).tolist(), strict=True)
    return DetectorCurve(
        defect=defect,
        detector=detector,
        kind=KIND_OF[detector],
        roc=tuple((round(x, 4), round(y, 4)) for x, y in roc),
        risk_coverage=tuple((round(x, 4), round(y, 5)) for x, y in risks),
    )


def kept(fitted: FittedMonitor, *, looks: bool = False) -> Kept:
    """What the thresholds do on the report split: shares with 95 % intervals, null where there is nothing to share.

    With `looks` those of the second look.
    """
    split = fitted.splits.report
    if looks and split.looked is not None:
        decisions = fitted.monitor.check_looks(split.looked.embeddings, split.looked.logits)
    else:
        decisions = fitted.monitor.check(split.inputs.embeddings, split.inputs.logits)
    shares = report(decisions.verdicts, split.wrong)
    return Kept(
        accepted=_interval(shares.accepted),
        suspect=_interval(shares.suspect),
        false_alarms=_interval(shares.false_alarms),
        errors_among_accepted=_interval(shares.errors_among_accepted),
        failures_flagged=_interval(shares.failures_flagged),
    )


def _interval(share: tuple[float, float, float]) -> Interval:
    value, low, high = map(float, share)
    return Interval(value=None if np.isnan(value) else value, low=low, high=high)


def flagged(fitted: FittedMonitor) -> tuple[FlaggedImage, ...]:
    """The most suspect inputs of the report split whose output is wrong, each with what speaks against the output."""
    monitor, split = fitted.monitor, fitted.splits.report
    decisions = monitor.check(split.inputs.embeddings, split.inputs.logits)
    rows = np.flatnonzero(split.wrong & (decisions.verdicts == SUSPECT))
    rows = rows[np.argsort(-decisions.suspicion[rows], kind="stable")][:FLAGGED]
    return tuple(flagged_example(fitted, split, int(row)) for row in rows)


def flagged_example(fitted: FittedMonitor, split: Split, row: int) -> FlaggedImage:
    """One input: id, label, output, suspicion in nats, verdict, reasons in words."""
    monitor = fitted.monitor
    image = split.inputs.take(np.array([row]))
    decision = monitor.check(image.embeddings, image.logits)
    output = int(decision.outputs[0])
    return FlaggedImage(
        id=split.dataset.ids[row],
        label=monitor.class_names[int(split.labels[row])],
        output=monitor.class_names[output],
        suspicion=round(float(decision.suspicion[0]), 3),
        verdict=VERDICTS[int(decision.verdicts[0])],
        reasons=tuple(
            PairReason(
                stronger=reason.stronger,
                weaker=reason.weaker,
                among_right=round(float(reason.among_right), 4),
                among_wrong=round(float(reason.among_wrong), 4),
                words=str(reason),
            )
            for reason in monitor.reasons(image.embeddings[0], output)
        ),
    )
