"""A model card in the format of the Hugging Face hub: a metadata block, then what is known of the model, in words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from conspect.core.json_value import JsonObject, JsonValue
from conspect.core.markdown import in_markdown
from conspect.core.percentages import level, percent, percent_range
from conspect.report.drawing import bars_svg, heatmap_svg
from conspect.report.wording import findings, trust_rows
from conspect.results.monitor import Kept
from conspect.results.results import Results
from conspect.results.shares import Share

GROUPS_SHOWN = 10
# What JSON lets stand in a text and YAML does not, or reads as the end of a line (YAML 1.2, 5.1 and 5.4).
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
# The hub's names of data sets have no other characters; a folder's name may.
_NO_IDENTIFIER = re.compile(r"[^A-Za-z0-9._/-]+")


def model_card(results: Results) -> dict[str, str]:
    """File name to content: README.md and its pictures."""
    worst = results.localization.worst
    pictures = {"accuracy_by_class.svg": bars_svg(results.model.by_class)}
    if worst is not None:
        title = f"Share of {worst.class_name} images in which the row's concept is stronger than the column's"
        counts = results.heatmaps.ground_truth[results.classes.index(worst.class_name)]
        pictures["heatmap.svg"] = heatmap_svg(title, results.heatmaps.concepts, counts)
    return {"README.md": f"---\n{_metadata(results)}---\n\n{_text(results, pictures)}", **pictures}


def _metadata(results: Results) -> str:
    """YAML whose values are JSON, which YAML contains: nothing from outside can end the block."""
    name, data = results.model.name, results.dataset
    dataset = {"type": _identifier(data.name), "name": data.name, "split": data.split}
    metrics: JsonValue = [{"type": "accuracy", "name": "Accuracy", "value": round(results.model.accuracy, 6)}]
    entry: JsonObject = {
        "name": name,
        "results": [
            {
                "task": {"type": "image-classification", "name": "Image classification"},
                "dataset": dataset,
                "metrics": metrics,
            }
        ],
    }
    fields: JsonObject = {
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "conspect"],
        "metrics": ["accuracy"],
        "model-index": [entry],
    }
    return "".join(f"{key}: {_in_yaml(value)}\n" for key, value in fields.items())


def _in_yaml(value: JsonValue) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def _identifier(name: str) -> str:
    """The name as an identifier of the hub: the hub refuses a `type` that is empty."""
    return _NO_IDENTIFIER.sub("-", name).strip("-/") or "unnamed"


def _text(results: Results, pictures: dict[str, str]) -> str:
    model, data = results.model, results.dataset
    parts = [
        f"# {in_markdown(model.name)}",
        f"Written by Conspect {in_markdown(results.conspect)} from one run of a study. What it was trained on and for, and its "
        "licence, are not in the study: add them.",
        "## How well it does",
        f"Right on {_interval(model.accuracy_interval)} of {data.readable:,} {in_markdown(data.split)} images of "
        f"{in_markdown(data.name)}, at confidence {results.asked.confidence:g}.",
        "![Accuracy by class, with intervals](accuracy_by_class.svg)",
        _table(
            ("class", "recall", "precision"),
            [(row.class_name, _interval(row.recall), _interval(row.precision)) for row in model.by_class],
        ),
        "## What it gets wrong",
        *(in_markdown(line) for line in findings(results)),
        _groups(results),
        *(f"* {in_markdown(group.sentence)}" for group in results.failure_groups[1:GROUPS_SHOWN]),
    ]
    if "heatmap.svg" in pictures and results.localization.worst is not None:
        parts.append(
            f"![Which concept is stronger than which in {in_markdown(results.localization.worst.class_name)}](heatmap.svg)"
        )
    parts += [
        "## What was proved",
        _proved(results),
        "## When its outputs should not be believed",
        _monitored(results),
        "## Limits of these statements",
        "All figures hold for inputs like the images of the study and say nothing about others. Concepts are seen through a "
        "lens, whose quality is:",
        _table(("figure", "value", "meaning"), [(row.name, row.value, row.meaning) for row in trust_rows(results)]),
        "1 image could not be read and is in no figure."
        if len(results.unreadable) == 1
        else f"{len(results.unreadable):,} images could not be read and are in no figure.",
        _table(
            ("what", "digest"),
            [("model", model.digest), ("data", data.digest), ("lens", results.alignment.lens_digest)],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _interval(share: Share) -> str:
    return f"{percent(share.value)} ({percent_range(share.low, share.high)})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(in_markdown, row))} |" for row in rows)])


def _groups(results: Results) -> str:
    """The largest groups of failures: a class taken for another."""
    groups = sorted(
        (
            (count, label, output, sum(row))
            for label, row in zip(results.classes, results.model.confusion, strict=True)
            for output, count in zip(results.classes, row, strict=True)
            if label != output and count
        ),
        key=lambda group: -group[0],
    )
    if not groups:
        return "No image of the study has a wrong output."
    return _table(
        ("class", "taken for", "images"),
        [(label, output, f"{count:,} of {total:,}") for count, label, output, total in groups[:GROUPS_SHOWN]],
    )


def _proved(results: Results) -> str:
    verification = results.verification
    if verification is None:
        return "Nothing: the study has no properties."
    held = [entry for entry in verification.properties if entry.verdict == "holds"]
    counts = Counter(str(entry.verdict) for entry in verification.properties)
    inside = [entry.coverage for entry in held if entry.coverage is not None]
    most = f" The regions of those that hold contain at most {percent(max(inside))} of these images." if inside else ""
    such = (
        f" (statements such as “{in_markdown(verification.properties[0].statement)}”)"
        if verification.properties
        else ""
    )
    lines = [
        f"Of {len(verification.properties):,} properties{such} {len(held):,} hold, {counts['violated']:,} are violated and "
        f"{counts['unknown']:,} are unknown, as they were asked. A proof speaks of its region only: embeddings near those of a "
        f"class, in which few of the class's held-out images may lie.{most}"
    ]
    lines += [
        f"* On at least {level(row.share_of_images)} of the held-out images: {row.holds:,} of {row.properties:,} hold "
        "(exact bounds)."
        for row in verification.statistically
    ]
    return "\n".join([lines[0], "", *lines[1:]])


def _monitored(results: Results) -> str:
    monitor = results.monitor
    if monitor is None:
        return "No monitor was fitted."
    kept = monitor.kept
    return "\n".join(
        [
            *(f"* {in_markdown(sentence)}" for sentence in monitor.guarantee.sentences),
            f"* Measured on other images: {_accepted(kept)}; {_flagged(kept)}.",
        ]
    )


def _accepted(kept: Kept) -> str:
    if not kept.accepted.value or kept.errors_among_accepted.value is None:
        return "no output is accepted"
    wrong = percent(kept.errors_among_accepted.value)
    return f"{percent(kept.accepted.value)} of the outputs are accepted, {wrong} of them are wrong"


def _flagged(kept: Kept) -> str:
    if kept.failures_flagged.value is None:
        return "none of them is a failure that could be called suspect"
    return f"{percent(kept.failures_flagged.value)} of the failures are called suspect"
