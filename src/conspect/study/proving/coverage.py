"""Provable coverage of a study's properties: the search summed up, by shape and by property."""

from __future__ import annotations

from collections.abc import Sequence

from conspect.core.diagnostics import UserError
from conspect.core.protocols import ProgressBar
from conspect.core.regions import Shape
from conspect.language.syntax.tree import ForAll, Specification, Stronger
from conspect.results.verification import (
    PropertyCoverage,
    ProvableCoverage,
    ProvedShape,
    Rate,
)
from conspect.study.proving import sums
from conspect.verification.certificates.claims import RegionClaim, coverage_claim
from conspect.verification.measures import Rate as Measured
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, plan
from conspect.verification.queries.premises import without_premise
from conspect.verification.regions import provable
from conspect.verification.results import PropertyResult


def provable_coverage(
    trees: Sequence[tuple[str, Specification]],
    results: Sequence[PropertyResult],
    subject: VerificationModel,
    *,
    bar: ProgressBar,
) -> tuple[ProvableCoverage | None, list[RegionClaim]]:
    """The headline of all properties over regions, and the claims that prove it, property by property, shape by shape.

    None and no claims without any property, or without images to estimate regions from. `trees`: file name and
    specification. `results`: of the same properties, in the same order, for the ceiling.
    """
    obligations = [obligation for file, tree in trees for obligation in plan(tree, subject, file)]
    chosen = [k for k, obligation in enumerate(obligations) if isinstance(obligation.quantifier, ForAll)]
    if not chosen:
        return None, []
    asked = [obligations[k] for k in chosen]
    try:
        search = provable.ProvableCoverage.of(asked, subject, VerifyOptions())
        proved = search.search(asked, bar=bar)
    except UserError as error:
        if error.diagnostics[0].code != "VERIFY006":
            raise
        return None, []
    rates = [results[k].satisfaction for k in chosen]
    properties = tuple(
        _property(obligation, by_shape, rate) for obligation, by_shape, rate in zip(asked, proved, rates, strict=True)
    )
    claims = [
        coverage_claim(obligation, shape, by_shape[shape], subject.measure_split)
        for obligation, by_shape in zip(asked, proved, strict=True)
        for shape in by_shape
    ]
    lone = sum(_is_lone(obligation) for obligation in asked)
    record = sums.provable(properties, provable.SHAPES, lone)
    return record, claims


def _is_lone(obligation: Obligation) -> bool:
    conclusion = without_premise(obligation.formula)
    return isinstance(obligation.formula if conclusion is None else conclusion, Stronger)


def _property(
    obligation: Obligation, by_shape: dict[Shape, provable.ProvedCoverage], satisfied: Measured | None
) -> PropertyCoverage:
    shapes: dict[str, ProvedShape] = {
        shape: ProvedShape(
            size=proved.size,
            coverage=float(proved.coverage),
            measured=_rate(proved.measured),
            premise_dropped=proved.premise_dropped,
            reads=proved.reads,
        )
        for shape, proved in by_shape.items()
    }
    best = sums.best_shape(shapes)
    return PropertyCoverage(
        id=obligation.name,
        file=obligation.file,
        best=best,
        coverage=0.0 if best is None else shapes[best].coverage,
        measured=None if best is None else shapes[best].measured.rate,
        ceiling=None if satisfied is None or not satisfied.n else satisfied.rate,
        by_shape=shapes,
    )


def _rate(rate: Measured) -> Rate:
    return Rate(rate=rate.rate if rate.n else None, low=rate.low, high=rate.high, n=rate.n)
