"""A model card in the format of the Hugging Face hub: a metadata block, then what is known of the model, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from conspect.report.plain import in_markdown, in_xml
from conspect.report.wording import findings, percent, trust_rows
from conspect.results.results import Results
from conspect.results.shares import Share

GROUPS_SHOWN, CELL = 10, 18


def model_card(results: Results) -> dict[str, str]:
    """File name to content: README.md and its pictures."""
    worst = results.localization.worst
    pictures = {"accuracy_by_class.svg": _bars(results)}
    if worst is not None:
        pictures["heatmap.svg"] = _heatmap(results, results.classes.index(worst.class_name))
    return {"README.md": f"---\n{_metadata(results)}---\n\n{_text(results, pictures)}", **pictures}


def _metadata(results: Results) -> str:
    """YAML whose values are JSON, which YAML contains: nothing from outside can end the block."""
    name, data = results.model.name, results.dataset
    dataset = {"type": data.name, "name": data.name, "split": data.split}
    metrics = [{"type": "accuracy", "name": "Accuracy", "value": round(results.model.accuracy, 6)}]
    entry = {
        "name": name,
        "results": [
            {
                "task": {"type": "image-classification", "name": "Image classification"},
                "dataset": dataset,
                "metrics": metrics,
            }
        ],
    }
    fields: dict[str, object] = {
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "conspect"],
        "metrics": ["accuracy"],
        "model-index": [entry],
    }
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items())


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
        f"{len(results.unreadable):,} images could not be read and are in no figure.",
        _table(
            ("what", "digest"),
            [("model", model.digest), ("data", data.digest), ("lens", results.alignment.lens_digest)],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _interval(share: Share) -> str:
    return f"{percent(share.value)} ({100 * share.low:.1f} to {100 * share.high:.1f} %)"


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
    found = results.verification
    if found is None:
        return "Nothing: the study has no properties."
    held = [entry for entry in found.properties if entry.verdict == "holds"]
    refuted = sum(entry.verdict == "violated" for entry in found.properties)
    lines = [
        f"Of {len(found.properties):,} properties {len(held):,} hold and {refuted:,} are violated at the size that was asked "
        "for. A proof speaks of its region only; how many images of the class such regions hold is in the study's report."
    ]
    lines += [
        f"* On at least {100 * row.share_of_images:g} % of the held-out images: {row.holds:,} of {row.properties:,} hold "
        "(exact bounds)."
        for row in found.statistically
    ]
    return "\n".join([lines[0], "", *lines[1:]])


def _monitored(results: Results) -> str:
    found = results.monitor
    if found is None:
        return "No monitor was fitted."
    kept = found.kept
    return "\n".join(
        [
            *(f"* {in_markdown(sentence)}" for sentence in found.guarantee.sentences),
            f"* Measured on other images: {percent(kept.accepted.value)} of the outputs are accepted, "
            f"{percent(kept.errors_among_accepted.value)} of them are wrong; {percent(kept.failures_flagged.value)} of the "
            "failures are called suspect.",
        ]
    )


def _bars(results: Results) -> str:
    rows = []
    for k, quality in enumerate(results.model.by_class):
        y, share = 12 + 22 * k, quality.recall
        value = share.value or 0.0
        rows.append(
            f'<text x="150" y="{y + 11}" text-anchor="end">{_svg_text(quality.class_name[:22])}</text>'
            f'<rect x="160" y="{y}" width="{300 * value:.1f}" height="14" fill="#0b5fa5"/>'
            f'<path d="M{160 + 300 * share.low:.1f} {y + 7} H{160 + 300 * share.high:.1f}" stroke="#1d2329" stroke-width="2"/>'
            f'<text x="470" y="{y + 11}">{_svg_text(percent(share.value))}</text>'
        )
    return _svg(530, 22 * len(rows) + 20, "Accuracy by class, with intervals", rows)


def _heatmap(results: Results, index: int) -> str:
    """Share of the images of one class in which the row's concept is stronger than the column's."""
    names, matrix = results.heatmaps.concepts, results.heatmaps.ground_truth[index]
    left, top, cells = 130, 110, []
    for i, first in enumerate(names):
        cells.append(f'<text x="{left - 6}" y="{top + CELL * i + 13}" text-anchor="end">{_svg_text(first[:20])}</text>')
        cells.append(
            f'<text transform="translate({left + CELL * i + 12},{top - 6}) rotate(-60)">{_svg_text(first[:20])}</text>'
        )
        for j in range(len(names)):
            if i != j and matrix.images:
                share = matrix.greater[i][j] / matrix.images
                cells.append(
                    f'<rect x="{left + CELL * j}" y="{top + CELL * i}" width="{CELL - 1}" height="{CELL - 1}" '
                    f'fill="#0b5fa5" fill-opacity="{share:.3f}"/>'
                )
    title = f"Share of {results.classes[index]} images in which the row's concept is stronger than the column's"
    return _svg(left + CELL * len(names) + 60, top + CELL * len(names) + 10, title, cells)


def _svg(width: int, height: int, title: str, rows: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11"><title>{_svg_text(title)}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(rows)}</svg>\n'
    )


def _svg_text(text: str) -> str:
    return escape(in_xml(text))
