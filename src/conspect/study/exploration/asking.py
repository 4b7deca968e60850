"""A concept or a pair in plain words: what the lens says to it, on which images, and how far that may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from conspect.core.concept_words import class_named_in, is_negation, quoted
from conspect.core.spaces import Float64
from conspect.results.exploration import HeatmapCell, ImageRow, LensAnswer, Separation
from conspect.statistics.intervals import wilson
from conspect.statistics.ranks import ranked_areas
from conspect.statistics.testing import holm
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.lists import image_row
from conspect.study.exploration.phrases import Phrases, Reading

SHOWN_IMAGES, BINS = 12, 24
# Fewer images on either side than this separate nothing that one could believe.
LEAST_GROUP = 5
# A group that chance alone would set apart less often than this is said to be told from the rest.
BEYOND_CHANCE = 0.05
# Below this agreement of the model's reading with the VLM's own, words of nobody's list are not worth much.
FAIR_AGREEMENT, POOR_AGREEMENT = 0.6, 0.3
# The model follows the VLM in letters without meaning as well, so that agreement alone makes no word one that is seen.
NOBODY = "nobody has checked that the lens sees it, nor that it means more to the lens than letters without meaning"


def answer(
    index: StudyIndex,
    phrases: Phrases,
    annotations: Annotations,
    text: str,
    grades: Mapping[str, tuple[str, tuple[str, ...]]],
) -> LensAnswer:
    """What the study says to `text`, a concept or "striped > metallic". `grades`: concept to its grade and reasons.

    Raises UserError EXPLORE002 where the text cannot be read.
    """
    reading = phrases.read(text)
    margin = phrases.margin(index, reading)
    order = np.argsort(-margin, kind="stable")
    ranking = _Ranking(margin[order[::-1]], index.labels[order[::-1]], index.wrong[order[::-1]])
    edges = _edges(ranking.margins)
    trust, reasons = _trust(index, phrases, reading, margin, grades)

    def shown(rows: NDArray[np.int64]) -> tuple[ImageRow, ...]:
        return tuple(image_row(index, annotations, int(row), margin) for row in rows)

    return LensAnswer(
        question=reading.text,
        first=reading.first,
        second=reading.second,
        in_study=all(phrases.knows(name) for name in (reading.first, reading.second) if name is not None),
        trust=trust,
        trust_reasons=reasons,
        by_class=_by_class(index, reading, margin, ranking.median),
        classes=_separations(index.class_names, ranking),
        failures=_failures(index.class_names, ranking),
        best=shown(order[:SHOWN_IMAGES]),
        worst=shown(order[::-1][:SHOWN_IMAGES]),
        bins=tuple(float(edge) for edge in edges),
        counts_right=_binned(ranking.margins[~ranking.wrong], edges),
        counts_wrong=_binned(ranking.margins[ranking.wrong], edges),
    )


class _Ranking(NamedTuple):
    """All images by their margin, the least first: `margins`, `labels` and whether the output is `wrong`, `[image]` each."""

    margins: Float64
    labels: NDArray[np.int64]
    wrong: NDArray[np.bool_]

    @property
    def median(self) -> float:
        """Of the margins."""
        half = len(self.margins) // 2
        return float(self.margins[half] if len(self.margins) % 2 else self.margins[half - 1 : half + 1].mean())


def _binned(ascending: Float64, edges: Float64) -> tuple[int, ...]:
    """Counts between `edges`, as `numpy.histogram` has them: the last bin has its upper edge."""
    below = np.searchsorted(ascending, edges, side="left")
    below[-1] = len(ascending)
    return tuple(int(n) for n in np.diff(below))


def _by_class(index: StudyIndex, reading: Reading, margin: Float64, median: float) -> tuple[HeatmapCell, ...]:
    """Of each class, the share of images in which the pair holds; for one concept, in which it is above its median."""
    threshold = 0.0 if reading.second is not None else median
    sizes = np.bincount(index.labels, minlength=len(index.class_names))
    hits = np.bincount(index.labels[margin > threshold], minlength=len(index.class_names))
    low, high = wilson(hits, sizes)
    return tuple(
        HeatmapCell(int(k) / int(n) if n else None, float(a) if n else None, float(b) if n else None, int(n))
        for k, n, a, b in zip(hits, sizes, low, high, strict=True)
    )


def _separations(names: tuple[str, ...], ranking: _Ranking) -> tuple[Separation, ...]:
    """Each group against the rest of the images, the best told apart first; p-values corrected for their number."""
    sizes, images = np.bincount(ranking.labels, minlength=len(names)), len(ranking.labels)
    areas = ranked_areas(ranking.margins, ranking.labels, len(names))
    return _corrected(
        [
            Separation(name, area.area, area.low, area.high, int(n), images - int(n), area.p, area.p < BEYOND_CHANCE)
            for name, area, n in zip(names, areas, sizes, strict=True)
            if area is not None and min(n, images - n) >= LEAST_GROUP
        ]
    )


def _failures(names: tuple[str, ...], ranking: _Ranking) -> tuple[Separation, ...]:
    """Within each class, the images that the model gets wrong against those it gets right."""
    raw: list[Separation] = []
    for number, name in enumerate(names):
        own = np.flatnonzero(ranking.labels == number)
        wrong = ranking.wrong[own].astype(np.int64)
        failures = int(wrong.sum())
        if min(failures, len(own) - failures) >= LEAST_GROUP:
            area = ranked_areas(ranking.margins[own], wrong, 2)[1]
            assert area is not None
            right, beyond = len(own) - failures, area.p < BEYOND_CHANCE
            raw.append(Separation(name, area.area, area.low, area.high, failures, right, area.p, beyond))
    return _corrected(raw)


def _corrected(raw: list[Separation]) -> tuple[Separation, ...]:
    adjusted = map(float, holm(np.asarray([entry.p for entry in raw])))
    corrected = [replace(entry, p=p, beyond_chance=p < BEYOND_CHANCE) for entry, p in zip(raw, adjusted, strict=True)]
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
    rows, seen = index.seen
    own = (seen @ directions.T.astype(np.float32)).astype(np.float64)
    seen_by_vlm = own[:, 0] if len(names) == 1 else own[:, 0] - own[:, 1]
    agreement = _correlation(seen_by_vlm, margin[rows])
    reasons = [
        f"Over {'all ' if len(rows) == len(margin) else ''}{len(rows):,} images, what is read off the model follows what the VLM "
        f"itself sees with a correlation of {agreement:.2f}."
    ]
    worst = "seen" if agreement >= FAIR_AGREEMENT else "partly" if agreement >= POOR_AGREEMENT else "not seen"
    order = ("seen", "partly", "not checked", "not seen")
    for name in names:
        if name in grades:
            grade, why = grades[name]
            reasons += [f"{name}: {grade}. {sentence}" for sentence in why[:2]]
            worst = order[max(order.index(worst), order.index(grade))] if grade in order else worst
        else:
            known = "has no grade in this study" if phrases.knows(name) else "is none of the study's concepts"
            reasons.append(f"{quoted(name)} {known}: {NOBODY}.")
            worst = order[max(order.index(worst), order.index("not checked"))]
            if is_negation(name):
                reasons.append(f"{quoted(name)} is a negation, which text encoders hardly understand.")
                worst = "not seen"
            if (of_class := class_named_in(name, index.class_names)) is not None:
                reasons.append(
                    f"{quoted(name)} holds the class name {quoted(of_class)}: it says how like the class an image is."
                )
    return worst, tuple(reasons)


def _correlation(first: Float64, second: Float64) -> float:
    if len(first) < 2 or not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _edges(ascending: Float64) -> Float64:
    low, high = (float(ascending[0]), float(ascending[-1])) if len(ascending) else (0.0, 1.0)
    return np.linspace(low, high if high > low else low + 1e-6, BINS + 1)
