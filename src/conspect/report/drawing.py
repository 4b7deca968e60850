"""Pictures as SVG text: a heatmap, and bars with intervals. All text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from conspect.core.percentages import percent
from conspect.report.plain import in_xml
from conspect.results.heatmaps import CountMatrix
from conspect.results.models import ClassQuality

CELL, INK, DEEP = 18, "#1d2329", "#0b5fa5"
# The report's scale, orange to blue over grey, in red, green and blue.
LOW, MIDDLE, HIGH = (0xC4, 0x65, 0x0A), (0xF4, 0xF4, 0xF2), (0x0B, 0x5F, 0xA5)


def heatmap_svg(title: str, names: Sequence[str], counts: CountMatrix) -> str:
    """Share of images in which the row's concept is stronger than the column's: orange in none, blue in all."""
    left, top, cells = 130, 110, []
    for i, first in enumerate(names):
        cells.append(f'<text x="{left - 6}" y="{top + CELL * i + 13}" text-anchor="end">{_text(first[:20])}</text>')
        cells.append(
            f'<text transform="translate({left + CELL * i + 12},{top - 6}) rotate(-60)">{_text(first[:20])}</text>'
        )
        for j, second in enumerate(names):
            if i != j and counts.images:
                share = counts.greater[i][j] / counts.images
                caption = f"{first} > {second}: {percent(share)}"
                cells.append(
                    f'<rect x="{left + CELL * j}" y="{top + CELL * i}" width="{CELL - 1}" height="{CELL - 1}" '
                    f'fill="{_colour(2 * share - 1)}"><title>{_text(caption)}</title></rect>'
                )
    return _svg(left + CELL * len(names) + 60, top + CELL * len(names) + 10, title, cells)


def bars_svg(by_class: Sequence[ClassQuality]) -> str:
    """Recall by class with its interval."""
    rows = []
    for k, quality in enumerate(by_class):
        y, share = 12 + 22 * k, quality.recall
        value = share.value or 0.0
        rows.append(
            f'<text x="150" y="{y + 11}" text-anchor="end">{_text(quality.class_name[:22])}</text>'
            f'<rect x="160" y="{y}" width="{300 * value:.1f}" height="14" fill="{DEEP}"/>'
            f'<path d="M{160 + 300 * share.low:.1f} {y + 7} H{160 + 300 * share.high:.1f}" stroke="{INK}" stroke-width="2"/>'
            f'<text x="470" y="{y + 11}">{_text(percent(share.value))}</text>'
        )
    return _svg(530, 22 * len(rows) + 20, "Accuracy by class, with intervals", rows)


def _colour(value: float) -> str:
    """Of -1..1, as the report mixes it."""
    end, weight = (HIGH if value >= 0 else LOW), min(1.0, abs(value))
    return "#" + "".join(f"{round(a + (b - a) * weight):02x}" for a, b in zip(MIDDLE, end, strict=True))


def _svg(width: int, height: int, title: str, rows: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11"><title>{_text(title)}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(rows)}</svg>\n'
    )


def _text(text: str) -> str:
    return escape(in_xml(text))
