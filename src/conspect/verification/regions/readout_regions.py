"""Span and band regions of classes: estimated on one split, sized on a second, measured on a third."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats
from conspect.statistics.threads import one_thread
from conspect.verification.engine.decider import Decider
from conspect.verification.engine.difference_graph import DifferenceGraph, Pair
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.negation import AtomRows
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.regions.readouts import AllReadouts, ReadoutKinds, ReadoutSpace, kinds_joint, kinds_read
from conspect.verification.regions.shapes import Band, SpanEllipsoid, band, span_ellipsoid


@dataclass(frozen=True, eq=False)
class SizedSplit:
    """How far out the images of a class lie: `sizes [image]`, ascending, at which each is inside."""

    sizes: Float64

    def size_for(self, coverage: Fraction) -> Fraction | None:
        """The smallest size that covers a share of future images by split conformal prediction; None with too few."""
        rank = math.ceil((len(self.sizes) + 1) * coverage)
        if rank > len(self.sizes) or not np.isfinite(self.sizes[rank - 1]):
            return None
        return Fraction(float(np.nextafter(self.sizes[rank - 1], np.inf)))

    def rank(self, size: float) -> int:
        """How many images lie inside a region of this size, with room to spare."""
        return int(np.searchsorted(self.sizes, size, side="left"))

    def coverage_at(self, size: float) -> Fraction:
        """The largest share that a region of this size is guaranteed to cover."""
        return Fraction(self.rank(size), len(self.sizes) + 1)

    def size_beyond(self, rank: int) -> float | None:
        """The smallest size that holds more than `rank` images; None when there are no more."""
        return float(np.nextafter(self.sizes[rank], np.inf)) if rank < len(self.sizes) else None


@dataclass(frozen=True, eq=False)
class ClassRegion:
    """A region of readouts of one class at size 1, with how far out its held-out images lie.

    `measured [image]`: sizes of the measuring split, in the order of the class's images there.
    """

    kinds: ReadoutKinds
    region: SpanEllipsoid | Band
    sized: SizedSplit
    measured: Float64

    def at(self, size: Fraction, note: str) -> ClassRegion:
        """The same region at another size."""
        region = self.region.resized(size)
        assert isinstance(region, (SpanEllipsoid, Band))
        return replace(self, region=replace(region, provenance=f"{region.provenance}; {note}"))


@dataclass(eq=False)
class ReadoutRegions:
    """Span and band regions of one model, each estimated once; `leads`: those that properties ask for."""

    focus: FocusRegions
    options: VerifyOptions
    leads: tuple[Fraction, ...] = ()
    _spans: dict[tuple[str, ReadoutKinds], ClassRegion] = field(default_factory=dict)
    _bands: dict[tuple[str, ReadoutKinds], ClassRegion] = field(default_factory=dict)
    _deciders: dict[ReadoutKinds, Decider] = field(default_factory=dict)

    @property
    def model(self) -> VerificationModel:
        """The model that the regions speak of."""
        return self.focus.subject

    def space(self, kinds: ReadoutKinds) -> ReadoutSpace:
        """The readouts of those kinds."""
        return ReadoutSpace(self.model, kinds)

    def decider(self, kinds: ReadoutKinds) -> Decider:
        """Exact decisions over regions of readouts."""
        if kinds not in self._deciders:
            reader = self.space(kinds).reader()
            self._deciders[kinds] = Decider(reader, self.options, leads=self.leads, linear_norm=kinds.has_length)
        return self._deciders[kinds]

    def _read_of(self, class_name: str, split: str) -> AllReadouts:
        """All that formulas may read of a class's images in a split."""
        return self.focus.read(split).taken(self.members(split, class_name))

    def place(self, class_name: str, table: FormulaTable, shape: str) -> ClassRegion:
        """The region that a formula is decided over: a span of what it reads, a band of all concepts. VERIFY006."""
        index = self.model.class_names.index(class_name)
        if shape == "span":
            return self.span(class_name, kinds_read(table, index))
        return self.band(class_name, kinds_joint(table, index, len(self.model.concept_names)))

    def span(self, class_name: str, kinds: ReadoutKinds) -> ClassRegion:
        """The ellipsoid of a class's readouts. VERIFY006 without enough embeddings."""
        key = (class_name, kinds)
        if key not in self._spans:
            self._spans[key] = self._estimated(class_name, kinds, self.space(kinds).chosen, span_ellipsoid)
        return self._spans[key]

    def band(self, class_name: str, kinds: ReadoutKinds) -> ClassRegion:
        """The band of a class's readouts. VERIFY006 without enough embeddings."""
        key = (class_name, kinds)
        if key not in self._bands:
            space = self.space(kinds)
            self._bands[key] = self._estimated(
                class_name, kinds, lambda known: self._gaps(kinds, space.chosen(known)), band
            )
        return self._bands[key]

    def pairs(self, kinds: ReadoutKinds) -> tuple[Pair, ...]:
        """The base rows whose differences a band bounds: pairs of logits, of strengths, of strengths and thresholds."""
        rows = self._rows(kinds)
        logits = range(rows.classes) if kinds.class_index is not None else ()
        strengths = [rows.classes + k for k in kinds.concepts]
        known = [k for k in kinds.concepts if k in rows.thresholds] if kinds.has_length else []
        bars = [(rows.classes + k, rows.threshold_row(k)) for k in known]
        return (*permutations(logits, 2), *permutations(strengths, 2), *bars, *((b, a) for a, b in bars))

    def graph(self, class_region: ClassRegion) -> DifferenceGraph:
        """Decisions over a band."""
        assert isinstance(class_region.region, Band)
        kinds = class_region.kinds
        return DifferenceGraph(class_region.region, self.pairs(kinds), self._rows(kinds))

    def differences(self, kinds: ReadoutKinds, embeddings: Floats) -> Float64:
        """The differences of all pairs `[image, pair]`, float64."""
        return self._gaps(kinds, self.space(kinds).readouts(embeddings))

    def _gaps(self, kinds: ReadoutKinds, readouts: Float64) -> Float64:
        pairs = np.asarray(self.pairs(kinds), dtype=np.int64).reshape(-1, 2)
        values = self.decider(kinds).base(readouts)
        return np.asarray(values[:, pairs[:, 0]] - values[:, pairs[:, 1]])

    def members(self, split: str, class_name: str) -> NDArray[np.intp]:
        """Rows of a class's images in a split, by true label."""
        return np.flatnonzero(self.focus.members(split, class_name))

    def _rows(self, kinds: ReadoutKinds) -> AtomRows:
        return self.decider(kinds).rows

    def _estimated(
        self,
        class_name: str,
        kinds: ReadoutKinds,
        read: Callable[[AllReadouts], Float64],
        estimate: Callable[[Float64, str], SpanEllipsoid | Band],
    ) -> ClassRegion:
        chosen, note = self.focus.estimation_rows(class_name)
        model = self.model

        def sizes(split: str) -> Float64:
            known = self._read_of(class_name, split)
            return region.sizes(read(known)) if len(known.lengths) else np.zeros(0)

        with one_thread():
            fitted = self.focus.read(model.fit_split).taken(np.flatnonzero(chosen))
            region = estimate(read(fitted), f"{kinds.words(model.concept_names)}, {note}")
            return ClassRegion(kinds, region, SizedSplit(np.sort(sizes(model.size_split))), sizes(model.measure_split))
