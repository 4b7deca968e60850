"""The evaluation of a monitor as text: a table for each defect, and sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]
MAIN = ("misclassification", "auroc")
HEADER = f"{'detector':<28}{'kind':<14}{'AUROC':>7} {'95 % interval':<17}{'FPR95':>7}{'AURC':>9}{'AUGRC':>9}"


def tables(results: Json) -> list[str]:
    """One table per defect, best AUROC first; a star marks each column's best value."""
    lines: list[str] = []
    for defect in dict.fromkeys(row["defect"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["defect"] == defect]
        lines += [f"{defect}: {rows[0]['n_pos']} to flag, {rows[0]['n_neg']} to accept", HEADER]
        best = {name: min(row[name] for row in rows) for name in ("fpr95", "aurc", "augrc")}
        best["auroc"] = max(row["auroc"] for row in rows)
        for row in sorted(rows, key=lambda row: -row["auroc"]):
            mark = {name: "*" if row[name] == value else " " for name, value in best.items()}
            interval = f"[{row['auroc_low']:.3f}, {row['auroc_high']:.3f}]"
            lines.append(
                f"{row['detector']:<28}{row['kind']:<14}{row['auroc']:7.4f}{mark['auroc']}{interval:<17}"
                f"{row['fpr95']:6.3f}{mark['fpr95']}{row['aurc']:8.4f}{mark['aurc']}{row['augrc']:8.5f}{mark['augrc']}"
            )
        lines.append("")
    return lines


def sentences(results: Json) -> list[str]:
    """What the comparison says, and how the thresholds' guarantees fared on the reported images."""
    lines = [_difference(one) for one in results["differences"] if (one["defect"], one["metric"]) == MAIN]
    lines += [_attack(one, results) for one in results["attacks"]]
    lines += [_culprit(one) for one in results["adversarial_localization"]]
    lines += [f"Left out: {name}: {why}." for name, why in results["left_out"].items()]
    lines += results["guarantee"]["sentences"]
    kept = results["kept"]
    seen = (
        ("the right outputs were called suspect", "false_alarms"),
        ("the accepted outputs were wrong", "errors_among_accepted"),
        ("all outputs were accepted", "accepted"),
        ("the wrong outputs were called suspect", "failures_flagged"),
    )
    return [*lines, *_shares(seen, kept)]


def _attack(one: Json, results: Json) -> str:
    areas = {row["detector"]: row["auroc"] for row in results["rows"] if row["defect"] == one["attack"]}
    told = ", ".join(f"{name} {areas[name]:.3f}" for name in results["chosen"].values() if name in areas)
    found = f" AUROC: {told}." if told else ""
    return f"{one['attack']} turned {one['succeeded']} of {one['attacked']} right outputs wrong.{found}"


def _culprit(one: Json) -> str:
    found = one["counts"]
    return (
        f"Failures under {one['attack']}, by the lens: encoder {found['encoder']}, head {found['head']}, undecided "
        f"{found['undecided']}; by the refitted head: encoder {one['refitted_head_counts']['encoder']}, head "
        f"{one['refitted_head_counts']['head']}."
    )


def _difference(one: Json) -> str:
    better = "above" if one["better_by"] >= 0 else "below"
    sure = "" if one["low"] > 0 or one["high"] < 0 else "; the interval holds 0"
    return (
        f"{one['defect']}: {one['detector']} lies {abs(one['better_by']):.4f} AUROC {better} {one['baseline']} "
        f"(paired difference {one['better_by']:.4f} [{one['low']:.4f}, {one['high']:.4f}]{sure})."
    )


def _shares(seen: Iterable[tuple[str, str]], kept: Json) -> list[str]:
    found = []
    for what, name in seen:
        share = kept[name]
        if share["value"] is not None:
            found.append(
                f"On the reported images {share['value']:.1%} of {what} [{share['low']:.1%}, {share['high']:.1%}]."
            )
    return found
