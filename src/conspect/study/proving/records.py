"""Results of verification as the records that are written down, printed and served."""

from __future__ import annotations

import numpy as np

from conspect.core.regions import Region
from conspect.results import extents as extent_records
from conspect.results import verification as records
from conspect.results.leads import LeadRow, ProvedAtLead
from conspect.study.proving.sums import COVERAGES, share_of
from conspect.verification.extents.classes import ClassExtents
from conspect.verification.measures import Rate
from conspect.verification.regions.leads import LeadPoint
from conspect.verification.results import NeighbourhoodCounts, PropertyResult, WitnessRecord


def property_record(result: PropertyResult) -> records.Property:
    """Everything that is said of one property, its witness's embedding included."""
    largest, coverage = result.gamma_max, result.coverage
    return records.Property(
        id=result.name,
        kind=result.kind,
        file=result.file,
        line=result.line,
        class_name=result.class_name,
        quantifier=result.quantifier,
        statement=result.statement,
        concepts=result.concepts,
        verdict=result.verdict.outcome,
        reason=result.verdict.reason,
        vacuous=result.vacuous,
        margin=result.margin,
        float32_slack=result.float32_slack,
        region=None if result.region is None else _region(result.region),
        gamma_max=None if largest is None else largest.low,
        gamma_max_bracket=None if largest is None else (largest.low, largest.high, largest.searched),
        curve=tuple(
            records.CurvePoint(
                gamma=point.gamma, margin=point.margin, verdict=point.verdict.outcome, coverage=point.coverage
            )
            for point in result.curve
        ),
        coverage=None if coverage is None or not coverage.n else coverage.rate,
        coverage_interval=None if coverage is None else rate_record(coverage),
        satisfaction=None if result.satisfaction is None else rate_record(result.satisfaction),
        witness=None if result.witness is None else _witness(result.witness),
        certificate=result.certificate,
        decided_by=result.decided_by,
        caveats=tuple(result.caveats),
        rarity=result.rarity,
        seconds=result.seconds,
        neighbourhood=None if result.neighbourhood is None else _counts(result.neighbourhood),
    )


def rate_record(rate: Rate) -> records.Rate:
    """The share with its interval; an empty sample has none."""
    return records.Rate(rate=float(rate.rate) if rate.n else None, low=float(rate.low), high=float(rate.high), n=rate.n)


def lead_record(point: LeadPoint) -> LeadRow:
    """One point of the curve over leads, as it is printed."""
    coverages = np.asarray([float(coverage) for coverage in point.coverages])
    return LeadRow(
        lead=float(point.lead),
        leading=point.leading,
        images=point.images,
        share=share_of(point.leading, point.images),
        properties=len(coverages),
        median=float(np.median(coverages)),
        proved=tuple(
            ProvedAtLead(coverage=float(share), proved=sum(coverage >= share for coverage in point.coverages))
            for share in COVERAGES
        ),
    )


def extents_record(extents: ClassExtents) -> extent_records.ClassExtents:
    """The shares of a class's images that stand each change of a concept."""
    return extent_records.ClassExtents(
        of=extents.of,
        class_name=extents.class_name,
        concept=extents.concept,
        images=extents.images,
        changed_at_once=extents.at_once,
        curve=tuple(extent_records.ExtentStep(change=step.change, share=step.share) for step in extents.curve),
    )


def _counts(counts: NeighbourhoodCounts) -> records.NeighbourhoodCounts:
    """The counts of a verdict, which its claim carries and the checker counts again."""
    return records.NeighbourhoodCounts(
        changes=counts.changes,
        share=counts.share,
        radius=counts.radius,
        measured_share=counts.measured_share,
        by_change=counts.by_change,
        images=counts.images,
        proved=counts.proved,
        refuted_by_picture=counts.refuted_by_picture,
        refuted_unchanged=counts.refuted_unchanged,
        refuted_by_embedding=counts.refuted_by_embedding,
        unknown=counts.unknown,
        reads=counts.reads,
        certified=True,
    )


def _region(region: Region) -> records.RegionSummary:
    return records.RegionSummary(
        shape=region.shape,
        gamma=float(region.size),
        cut=region.cut is not None,
        provenance=region.provenance,
        digest=region.digest,
    )


def _witness(witness: WitnessRecord) -> records.Witness:
    return records.Witness(
        profile=dict(witness.profile),
        predicted=witness.predicted,
        nearest=tuple(
            records.NearImage(id=near.image_id, distance=near.distance, class_name=near.class_name)
            for near in witness.nearest
        ),
        size=witness.size,
        image=witness.image_id,
        around=witness.around,
        change=witness.change,
        embedding=tuple(map(float, witness.embedding)),
    )
