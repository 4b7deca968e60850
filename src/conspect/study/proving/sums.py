"""Sums over the records of single properties: what tables and curves print, and what an edited table is held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conspect.results.neighbourhoods import NeighbourhoodProperty, Neighbourhoods
from conspect.results.verification import (
    GammaRow,
    Property,
    PropertyCoverage,
    ProvableCoverage,
    ProvedShape,
    SampleRow,
    ShapeCoverage,
    ShapeRow,
    Verification,
)

COVERAGES = (Fraction(1, 2), Fraction(9, 10), Fraction(19, 20))
STEPS = (*(k / 20 for k in range(1, 20)), 0.99)
BROAD = Fraction(9, 10)


def share_of(count: int, total: int) -> float | None:
    """A share; None of nothing."""
    return count / total if total else None


def by_gamma(properties: Sequence[Property]) -> tuple[GammaRow, ...]:
    """Formally: how many properties hold over the region of each size, and which share of images these regions contain."""
    tally: dict[float, Counter[str]] = {}
    covered: dict[float, list[float]] = {}
    for entry in properties:
        for point in entry.curve:
            tally.setdefault(point.gamma, Counter())[point.verdict] += 1
            if point.coverage is not None:
                covered.setdefault(point.gamma, []).append(point.coverage)
    return tuple(
        GammaRow(
            gamma=gamma,
            holds=tally[gamma]["holds"],
            violated=tally[gamma]["violated"],
            unknown=tally[gamma]["unknown"],
            properties=tally[gamma].total(),
            share=share_of(tally[gamma]["holds"], tally[gamma].total()),
            mean_coverage=float(np.mean(covered[gamma])) if gamma in covered else None,
        )
        for gamma in sorted(tally)
    )


def statistically(properties: Sequence[Property]) -> tuple[SampleRow, ...]:
    """How many properties hold for at least a share of the held-out images, by the lower end of their exact interval."""
    rates = [entry.satisfaction for entry in properties if entry.satisfaction is not None and entry.satisfaction.n]
    return tuple(
        SampleRow(
            share_of_images=float(share),
            holds=sum(r.low >= share for r in rates),
            violated=sum(r.high < share for r in rates),
            unknown=sum(r.low < share <= r.high for r in rates),
            properties=len(rates),
            share=share_of(sum(r.low >= share for r in rates), len(rates)),
        )
        for share in COVERAGES
    )


def best_shape(by_shape: Mapping[str, ProvedShape]) -> str | None:
    """The shape over which a property is proved with the largest guaranteed coverage."""
    return max(by_shape, key=lambda shape: by_shape[shape].coverage, default=None)


def provable(properties: Sequence[PropertyCoverage], shapes: Sequence[str], definition_only: int) -> ProvableCoverage:
    """The chart of provable coverage over its properties."""
    by_shape = {
        shape: _curve(
            [p.by_shape[shape].coverage if shape in p.by_shape else 0.0 for p in properties],
            [(p.by_shape[shape].measured.rate or 0.0) if shape in p.by_shape else 0.0 for p in properties],
        )
        for shape in shapes
    }
    return ProvableCoverage(
        by_shape=by_shape,
        ceiling=_curve([p.ceiling or 0.0 for p in properties], []),
        best=_curve([p.coverage for p in properties], [p.measured or 0.0 for p in properties]),
        definition_only=definition_only,
        properties=tuple(properties),
    )


def _curve(coverages: Sequence[float], measured: Sequence[float]) -> ShapeCoverage:
    values = np.asarray(coverages)
    counts = [int((values >= step).sum()) for step in STEPS]
    return ShapeCoverage(
        rows=tuple(
            ShapeRow(coverage=step, proved=count, share=count / len(values))
            for step, count in zip(STEPS, counts, strict=True)
        ),
        median=float(np.median(values)),
        measured_median=float(np.median(measured)) if len(measured) else None,
    )


@dataclass(frozen=True, slots=True)
class AroundImages:
    """Means over properties of the shares of their images, and how many are proved around nine tenths of them."""

    proved: float
    refuted_by_picture: float
    refuted_by_embedding: float
    unknown: float
    proved_around_90: int


def around_images(properties: Sequence[NeighbourhoodProperty]) -> AroundImages:
    """Of properties with images."""
    present = [entry for entry in properties if entry.images]

    def mean(key: str) -> float:
        shares = [getattr(entry, key) / entry.images for entry in present]
        return float(np.mean(shares)) if shares else 0.0

    return AroundImages(
        mean("proved"),
        mean("refuted_by_picture"),
        mean("refuted_by_embedding"),
        mean("unknown"),
        sum(Fraction(entry.proved, entry.images) >= BROAD for entry in present),
    )


def miscounted(record: Verification) -> Iterator[str]:
    """Where a table or curve of a record is not the sum of its own properties, in words."""
    if record.by_gamma != by_gamma(record.properties):
        yield "the table over sizes does not follow from the curves of the properties"
    if record.statistically != statistically(record.properties):
        yield "the table over held-out images does not follow from the properties"
    proved = record.provable_coverage
    if proved is not None:
        again = provable(proved.properties, tuple(proved.by_shape), proved.definition_only)
        if again != proved:
            yield "the chart of provable coverages does not follow from the properties"
        for entry in proved.properties:
            best = best_shape(entry.by_shape)
            shape = None if best is None else entry.by_shape[best]
            printed = entry.best, entry.coverage, entry.measured
            if printed != ((best, shape.coverage, shape.measured.rate) if shape is not None else (None, 0.0, None)):
                yield f"{entry.id}: its best provable coverage is not that of one of its shapes"
    if record.neighbourhoods is not None and not _is_sum(record.neighbourhoods):
        yield "the shares around images do not follow from the properties"


def _is_sum(summed: Neighbourhoods) -> bool:
    again = around_images(summed.properties)
    return (
        summed.mean_proved,
        summed.mean_refuted_by_picture,
        summed.mean_refuted_by_embedding,
        summed.mean_unknown,
        summed.properties_proved_around_90,
    ) == (again.proved, again.refuted_by_picture, again.refuted_by_embedding, again.unknown, again.proved_around_90)
