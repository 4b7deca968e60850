"""The evaluation of a monitor as text: a table for each defect, and sentences."""

from __future__ import annotations

from conspect.core.percentages import narrow
from conspect.results.monitor import AttackLocalization, AttackRow, DetectorDifference, Kept, MonitorEvaluation

MAIN = ("misclassification", "auroc")
HEADER = f"{'detector':<40}{'kind':<14}{'AUROC':>7} {'95 % interval':<17}{'FPR95':>7}{'AURC':>9}{'AUGRC':>9}"


def tables(evaluation: MonitorEvaluation) -> list[str]:
    """One table per defect, best AUROC first; a star marks each column's best value."""
    lines: list[str] = []
    for defect in dict.fromkeys(row.defect for row in evaluation.rows):
        rows = [row for row in evaluation.rows if row.defect == defect]
        lines += [f"{defect}: {rows[0].n_pos} to flag, {rows[0].n_neg} to accept", HEADER]
        auroc = max(row.auroc for row in rows)
        fpr95, aurc, augrc = (min(values) for values in zip(*((r.fpr95, r.aurc, r.augrc) for r in rows), strict=True))
        for row in sorted(rows, key=lambda row: -row.auroc):
            interval = f"[{row.auroc_low:.3f}, {row.auroc_high:.3f}]"
            lines.append(
                f"{row.detector:<40}{row.kind:<14}{row.auroc:7.4f}{_star(row.auroc == auroc)}{interval:<17}"
                f"{row.fpr95:6.3f}{_star(row.fpr95 == fpr95)}{row.aurc:8.4f}{_star(row.aurc == aurc)}"
                f"{row.augrc:8.5f}{_star(row.augrc == augrc)}"
            )
        lines.append("")
    return lines


def _star(best: bool) -> str:
    return "*" if best else " "


def sentences(evaluation: MonitorEvaluation) -> list[str]:
    """What the comparison says, and how the thresholds' guarantees fared on the reported images."""
    lines = [_difference(gap) for gap in evaluation.differences if (gap.defect, gap.metric) == MAIN]
    lines += [_attack(attack, evaluation) for attack in evaluation.attacks]
    lines += [_culprit(located) for located in evaluation.adversarial_localization]
    lines += [f"Left out: {name}: {why}." for name, why in evaluation.left_out.items()]
    return [*lines, *evaluation.guarantee.sentences, *_shares(evaluation.kept)]


def _attack(attack: AttackRow, evaluation: MonitorEvaluation) -> str:
    areas = {row.detector: row.auroc for row in evaluation.rows if row.defect == attack.attack}
    each = ", ".join(f"{name} {areas[name]:.3f}" for name in evaluation.chosen.values() if name in areas)
    caught = f" AUROC: {each}." if each else ""
    return f"{attack.attack} turned {attack.succeeded} of {attack.attacked} right outputs wrong.{caught}"


def _culprit(located: AttackLocalization) -> str:
    lens, refitted = located.paper_counts, located.refitted_head_counts
    return (
        f"Failures under {located.attack}, by the paper's oracle: encoder {lens.encoder}, head {lens.head}, undecided "
        f"{lens.undecided}; by the refitted head: encoder {refitted.encoder}, head {refitted.head}."
    )


def _difference(gap: DetectorDifference) -> str:
    better = "above" if gap.better_by >= 0 else "below"
    sure = "" if gap.decided else "; the interval holds 0"
    return (
        f"{gap.defect}: {gap.detector} lies {abs(gap.better_by):.4f} AUROC {better} {gap.baseline} "
        f"(paired difference {gap.better_by:.4f} [{gap.low:.4f}, {gap.high:.4f}]{sure})."
    )


def _shares(kept: Kept) -> list[str]:
    measured = (
        ("the right outputs were called suspect", kept.false_alarms),
        ("the accepted outputs were wrong", kept.errors_among_accepted),
        ("all outputs were accepted", kept.accepted),
        ("the wrong outputs were called suspect", kept.failures_flagged),
    )
    return [
        f"On the reported images {narrow(share.value)} of {what} [{narrow(share.low)}, {narrow(share.high)}]."
        for what, share in measured
        if share.value is not None
    ]
