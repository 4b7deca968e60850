"""A concept or a pair in plain words: what the lens says to it, on which images, and how far that may be trusted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64
from conspect.results.exploration import Answer, HeatmapCell, ImageRow, Separation
from conspect.statistics.intervals import wilson
from conspect.statistics.ranks import ranked_area
from conspect.statistics.testing import holm
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.lists import image_row
from conspect.study.exploration.phrases import Phrases, Reading

SHOWN_IMAGES, BINS = 12, 24
# The model's reading is held against the VLM's own on so many images, evenly taken.
COMPARED = 20_000
# Fewer images on either side than this separate nothing that one could believe.
LEAST_GROUP = 5
# Below this agreement of the model's reading with the VLM's own, words of nobody's list are not worth much.
FAIR_AGREEMENT, POOR_AGREEMENT = 0.6, 0.3


def answer(
    index: StudyIndex,
    phrases: Phrases,
    annotations: Annotations,
    text: str,
    grades: Mapping[str, tuple[str, tuple[str, ...]]],
) -> Answer:
    """What the study says to `text`, a concept or "striped > metallic". `grades`: concept to its grade and reasons.

    Raises UserError EXPLORE002 where the text cannot be read.
    """
    reading = phrases.read(text)
    margin = phrases.margin(index, reading)
    order = np.argsort(-margin, kind="stable")
    edges = _edges(margin)
    wrong = index.wrong
    trust, reasons = _trust(index, phrases, reading, margin, grades)

    def shown(rows: NDArray[np.int64]) -> tuple[ImageRow, ...]:
        return tuple(image_row(index, annotations, int(row), margin) for row in rows)

    return Answer(
        question=reading.text,
        first=reading.first,
        second=reading.second,
        in_study=all(phrases.knows(name) for name in (reading.first, reading.second) if name is not None),
        trust=trust,
        trust_reasons=reasons,
        by_class=_by_class(index, reading, margin),
        classes=_separations(index.class_names, index.labels, margin, np.ones(len(margin), dtype=bool)),
        failures=_failures(index, margin),
        best=shown(order[:SHOWN_IMAGES]),
        worst=shown(order[::-1][:SHOWN_IMAGES]),
        bins=tuple(float(edge) for edge in edges),
        counts_right=tuple(int(n) for n in np.histogram(margin[~wrong], edges)[0]),
        counts_wrong=tuple(int(n) for n in np.histogram(margin[wrong], edges)[0]),
    )


def _by_class(index: StudyIndex, reading: Reading, margin: Float64) -> tuple[HeatmapCell, ...]:
    """Of each class, the share of images in which the pair holds; for one concept, in which it is above its median."""
    threshold = 0.0 if reading.second is not None else float(np.median(margin))
    sizes = np.bincount(index.labels, minlength=len(index.class_names))
    hits = np.bincount(index.labels[margin > threshold], minlength=len(index.class_names))
    low, high = wilson(hits, sizes)
    return tuple(
        HeatmapCell(int(k) / int(n) if n else None, float(a) if n else None, float(b) if n else None, int(n))
        for k, n, a, b in zip(hits, sizes, low, high, strict=True)
    )


def _separations(
    names: tuple[str, ...], groups: NDArray[np.int64], margin: Float64, among: NDArray[np.bool_]
) -> tuple[Separation, ...]:
    """Each group against the rest `among` the images, the best told apart first; p-values corrected for their number."""
    raw: list[Separation] = []
    for number, name in enumerate(names):
        inside, outside = margin[among & (groups == number)], margin[among & (groups != number)]
        if min(len(inside), len(outside)) >= LEAST_GROUP:
            area = ranked_area(inside, outside)
            raw.append(Separation(name, area.area, area.low, area.high, len(inside), len(outside), area.p))
    return _corrected(raw)


def _failures(index: StudyIndex, margin: Float64) -> tuple[Separation, ...]:
    """Within each class, the images that the model gets wrong against those it gets right."""
    raw: list[Separation] = []
    for number, name in enumerate(index.class_names):
        of_class = index.labels == number
        wrong, right = margin[of_class & index.wrong], margin[of_class & ~index.wrong]
        if min(len(wrong), len(right)) >= LEAST_GROUP:
            area = ranked_area(wrong, right)
            raw.append(Separation(name, area.area, area.low, area.high, len(wrong), len(right), area.p))
    return _corrected(raw)


def _corrected(raw: list[Separation]) -> tuple[Separation, ...]:
    adjusted = holm(np.asarray([entry.p for entry in raw]))
    corrected = [
        Separation(e.group, e.auroc, e.low, e.high, e.images, e.others, float(p))
        for e, p in zip(raw, adjusted, strict=True)
    ]
    return tuple(sorted(corrected, key=lambda entry: -abs(entry.auroc - 0.5)))


def _trust(
    index: StudyIndex,
    phrases: Phrases,
    reading: Reading,
    margin: Float64,
    grades: Mapping[str, tuple[str, tuple[str, ...]]],
) -> tuple[str, tuple[str, ...]]:
    """How far the answer may be believed: by the concepts' grades, and by how the model's reading follows the VLM's own."""
    names = [name for name in (reading.first, reading.second) if name is not None]
    directions = phrases.directions(names)
    rows = np.unique(np.linspace(0, len(index) - 1, min(COMPARED, len(index))).astype(np.int64))
    own = index.pairs.y.rows(index.pairs.rows[rows]) @ directions.T
    seen_by_vlm = own[:, 0] if len(names) == 1 else own[:, 0] - own[:, 1]
    agreement = _correlation(seen_by_vlm, margin[rows])
    reasons = [
        f"Over {'all ' if len(rows) == len(margin) else ''}{len(rows):,} images, what is read off the model follows what the VLM "
        f"itself sees with a correlation of {agreement:.2f}."
    ]
    worst = "seen" if agreement >= FAIR_AGREEMENT else "partly" if agreement >= POOR_AGREEMENT else "not seen"
    order = ("seen", "partly", "not seen")
    for name in names:
        if name in grades:
            grade, why = grades[name]
            reasons += [f"{name}: {grade}. {sentence}" for sentence in why[:2]]
            worst = order[max(order.index(worst), order.index(grade))] if grade in order else worst
        else:
            known = "has no grade in this study" if phrases.knows(name) else "is none of the study's concepts"
            reasons.append(f"“{name}” {known}: nobody has checked that the lens sees it.")
            worst = order[max(order.index(worst), 1)]
    return worst, tuple(reasons)


def _correlation(first: Float64, second: Float64) -> float:
    if len(first) < 2 or not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _edges(margin: Float64) -> Float64:
    low, high = (float(margin.min()), float(margin.max())) if len(margin) else (0.0, 1.0)
    return np.linspace(low, high if high > low else low + 1e-6, BINS + 1)
