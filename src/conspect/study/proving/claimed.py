"""Whether what a record of verdicts prints is what certificates claim: verdicts, sizes, curves, tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from conspect.core.claim_names import END_NAMES, around_images, at_coverage, over_shape
from conspect.results.certificates import Carried, CarriedNeighbourhood, CarriedRegion, CarriedShare
from conspect.results.verification import CurvePoint, Property, ProvedShape, Verification
from conspect.study.proving.sums import miscounted

Claims = Mapping[str, Carried]


def unclaimed(record: Verification, file: str, claims: Claims, covered: Claims | None) -> list[str]:
    """Where the record of a file prints other things than its certificates claim, in words.

    `claims` and `covered`: claims by name, of the certificate of its verdicts and of that of its coverages (None: not
    looked at). What no certificate carries (margins, intervals, satisfaction over regions) is not compared.
    """
    properties = [entry for entry in record.properties if entry.file == file]
    differences = [f"{entry.id}: {line}" for entry in properties for line in _about_property(entry, claims)]
    differences += miscounted(record)
    known = {entry.id for entry in properties}
    ends = {f"{name} {end}" for name in known for end in END_NAMES}
    differences += [f"{name}: claimed, and not among the results" for name in claims if name not in known | ends]
    return differences if covered is None else differences + _about_coverage(record, file, covered)


def _about_property(entry: Property, claims: Claims) -> list[str]:
    claim = claims.get(entry.id)
    if claim is None:
        return [] if entry.verdict == "unknown" and entry.region is None else ["its verdict is not claimed"]
    differences = []
    if claim.verdict != entry.verdict:
        differences.append(f"the results say {entry.verdict}, its certificate {claim.verdict}")
    if entry.certificate not in (claim.digest, None):
        differences.append("the results name another claim than its certificate has")
    if isinstance(claim, CarriedRegion):
        differences += _about_region(entry, claim)
        differences += _about_sizes(entry, _end(claims, entry, END_NAMES.low), _end(claims, entry, END_NAMES.high))
    elif isinstance(claim, CarriedShare):
        counts = entry.satisfaction
        if counts is None or counts.n != claim.trials or not _is_share(counts.rate, claim.successes, counts.n):
            differences.append("the results say another share of images than its certificate")
    return differences


def _end(claims: Claims, entry: Property, name: str) -> CarriedRegion | None:
    """The claim about one end of the sizes at which a property over a region is decided."""
    claim = claims.get(f"{entry.id} {name}")
    return claim if isinstance(claim, CarriedRegion) else None


def _about_region(entry: Property, claim: CarriedRegion) -> list[str]:
    differences = []
    if entry.region is None or entry.region.digest != claim.region_digest:
        differences.append("the results speak of another region than its certificate")
    counts, coverage = claim.coverage, entry.coverage_interval
    if coverage is None or counts is None or coverage.n != counts.images:
        differences.append("the results say another number of images than its certificate")
    elif not _is_share(coverage.rate, counts.inside, coverage.n):
        differences.append("the results say another coverage than its certificate")
    return differences


def _about_sizes(entry: Property, low: CarriedRegion | None, high: CarriedRegion | None) -> list[str]:
    differences = []
    proved, refuted, _ = entry.gamma_max_bracket or (None, None, None)
    for what, printed, end in (("largest size proved", proved, low), ("smallest size refuted", refuted, high)):
        if printed is not None and end is None:
            differences.append(f"the {what} is not claimed")
        elif end is not None and (printed is None or Fraction(printed) != Fraction(end.size)):
            differences.append(f"the {what} is {printed}, and another is claimed")
    if entry.gamma_max_bracket is None:
        return differences
    if entry.gamma_max != proved:
        differences.append("two largest sizes are printed")
    if any(point.verdict != _implied(point, low, high) for point in entry.curve):
        differences.append("a point of its curve does not follow from the two sizes claimed")
    return differences


def _implied(point: CurvePoint, low: CarriedRegion | None, high: CarriedRegion | None) -> str:
    size = Fraction(repr(point.gamma))
    if low is not None and size <= Fraction(low.size):
        return "holds"
    return "violated" if high is not None and size >= Fraction(high.size) else "unknown"


def _about_coverage(record: Verification, file: str, covered: Claims) -> list[str]:
    differences = []
    proved = record.provable_coverage
    shapes: dict[str, ProvedShape] = {}
    for entry in () if proved is None else proved.properties:
        if entry.file == file:
            shapes |= {over_shape(entry.id, shape): shape_entry for shape, shape_entry in entry.by_shape.items()}
    for name, shape_entry in shapes.items():
        claim = covered.get(name)
        if not isinstance(claim, CarriedRegion) or Fraction(claim.size) != Fraction(shape_entry.size):
            differences.append(f"{name}: what is proved there is not claimed")
        elif (claim.part == "conclusion") != shape_entry.premise_dropped:
            differences.append(f"{name}: the certificate proves another part of the property")
        elif claim.coverage is not None and not _is_share(
            shape_entry.measured.rate, claim.coverage.inside, shape_entry.measured.n
        ):
            differences.append(f"{name}: the results say another coverage than its certificate")
    tables: set[str] = set()
    regions = [entry.id for entry in record.properties if entry.file == file and entry.kind == "region"]
    others: Counter[str] = Counter(e.verdict for e in record.properties if e.kind != "region")
    for row in record.by_coverage:
        names = [at_coverage(name, Fraction(repr(row.coverage)).limit_denominator(1000)) for name in regions]
        tables.update(names)
        if len(record.files) > 1 or row.why is not None:
            continue  # a row counts over all files, and this certificate is of one
        counts = others + Counter(covered[name].verdict for name in names if name in covered)
        missing = [name for name in names if name not in covered]
        if missing and counts["unknown"] + len(missing) != row.unknown:
            differences += [f"{name}: nothing is claimed of it" for name in missing]
        if (counts["holds"], counts["violated"]) != (row.holds, row.violated):
            differences.append(f"the row of a coverage of {row.coverage:g} counts otherwise than its certificate")
    differences += [
        f"{name}: claimed, and not among the results" for name in covered if name not in shapes.keys() | tables
    ]
    return differences


def unclaimed_around(record: Verification, file: str, claims: Claims) -> list[str]:
    """Where the summary of neighbourhoods prints other counts than the certificate of a file claims."""
    summed = record.neighbourhoods
    differences = []
    for entry in () if summed is None else summed.properties:
        claim = claims.get(around_images(entry.id))
        if entry.file != file or not entry.images:
            continue
        printed = entry.images, entry.proved, entry.refuted_by_picture + entry.refuted_by_embedding
        if not isinstance(claim, CarriedNeighbourhood) or printed != (claim.trials, claim.proved, claim.refuted):
            differences.append(f"{entry.id}: the results say other counts around images than its certificate")
    return differences


def _is_share(printed: float | None, successes: int, trials: int) -> bool:
    return printed is None if not trials else printed is not None and round(printed * trials) == successes
