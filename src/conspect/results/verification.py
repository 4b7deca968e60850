"""Verdicts on properties: of each, and how many hold by size of region, by coverage and on images."""

from __future__ import annotations

from msgspec import Struct, field

from conspect.core.notebooks import drawing_of
from conspect.core.verdicts import Outcome, PropertyKind
from conspect.results.neighbourhoods import Neighbourhoods
from conspect.results.shares import Count, Fraction


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of n held-out images with its exact (Clopper-Pearson) interval; null when n is 0."""

    rate: Fraction | None
    low: Fraction
    high: Fraction
    n: Count


class RegionSummary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The region that a property speaks of; `gamma` in standard deviations."""

    shape: str
    gamma: float
    cut: bool
    provenance: str
    digest: str


class CurvePoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The verdict over the region of one size, with the margin's certified lower end and the share of images inside."""

    gamma: float
    margin: float | None
    verdict: Outcome
    coverage: Fraction | None


class NearImage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A held-out image near a witness; `distance`: Euclidean, in the model's embedding space."""

    id: str
    distance: float
    class_name: str = field(name="class")


class Witness(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An embedding that makes the property false: its strengths by concept, what the model says, its neighbours.

    `embedding [D]` is left out (null) in results.json: the certificate carries it. `around`: the image in whose
    neighbourhood it lies; `change`: what was done to that image to make the picture that this is.
    """

    profile: dict[str, float]
    predicted: str
    nearest: tuple[NearImage, ...]
    size: float
    image: str | None
    embedding: tuple[float, ...] | None = None
    around: str | None = None
    change: str | None = None


class NeighbourhoodCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known around the images of one property: proved, refuted by a real picture (of those `refuted_unchanged` by the
    image itself), refuted by an embedding alone, unknown. `share` of changed pictures that a neighbourhood of this `radius`
    holds, guaranteed; `measured_share`, and `by_change`, on images that had no part.
    """

    changes: str
    share: Fraction
    radius: float
    measured_share: Fraction
    by_change: dict[str, Fraction]
    images: Count
    proved: Count
    refuted_by_picture: Count
    refuted_unchanged: Count
    refuted_by_embedding: Count
    unknown: Count
    reads: str
    certified: bool


class Property(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything said about one property; docs/results.md has the fields.

    `quantifier`: for which inputs the statement is claimed, as the language writes it, with the sizes that options filled in;
    empty in results of older versions. `concepts`: those that the statement names, in the study's order; none in results of
    older versions. `vacuous`: it holds because its premise never does.
    `margin`: units of logits and unnormalised strengths.
    `float32_slack`: in the same units, what float32 inference can be off by; a larger margin survives it.
    `rarity`: that one of the `caveats` which says that hardly any image lies in the region; null where many do.
    `gamma_max_bracket`: proved up to, witness at, searched up to.
    """

    id: str
    kind: PropertyKind
    file: str
    line: int | None
    class_name: str | None = field(name="class")
    statement: str
    concepts: tuple[str, ...] = ()
    verdict: Outcome
    reason: str
    quantifier: str = ""
    vacuous: bool = False
    margin: float | None
    float32_slack: float | None = None
    region: RegionSummary | None
    gamma_max: float | None
    gamma_max_bracket: tuple[float | None, float | None, float] | None
    curve: tuple[CurvePoint, ...]
    coverage: Fraction | None
    coverage_interval: Rate | None
    satisfaction: Rate | None
    witness: Witness | None
    certificate: str | None
    decided_by: str
    caveats: tuple[str, ...]
    rarity: str | None = None
    seconds: float
    neighbourhood: NeighbourhoodCounts | None = None

    def _repr_html_(self) -> str | None:
        return drawing_of(self)


class VerifiedProperties(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect verify --json` prints: the properties in source order."""

    properties: tuple[Property, ...]


class GammaRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many properties hold over boxes of one size, and which share of real images such boxes contain."""

    gamma: float
    holds: Count
    violated: Count
    unknown: Count
    properties: Count
    share: Fraction | None
    mean_coverage: Fraction | None


class CoverageRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same over the smallest boxes that cover a share of real images; `why` says why there are none."""

    coverage: Fraction
    reached: Fraction | None
    holds: Count
    violated: Count
    unknown: Count
    properties: Count
    share: Fraction | None
    why: str | None = None


class SampleRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many properties hold for at least a share of the held-out images, by their exact intervals."""

    share_of_images: Fraction
    holds: Count
    violated: Count
    unknown: Count
    properties: Count
    share: Fraction | None


class ProvedShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The largest region of one shape over which a property is proved, exactly.

    `coverage`: share of future images of the class inside, guaranteed by split conformal prediction; `measured`: share of
    held-out images inside. `premise_dropped`: the conclusion alone was proved, which is stronger. `reads`: what spans it.
    """

    size: float
    coverage: Fraction
    measured: Rate
    premise_dropped: bool
    reads: str


class PropertyCoverage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many real images the proofs of a property speak of; `best`: the shape with the largest coverage, if any.

    `ceiling`: the share of held-out images that satisfy the property, which no proof can exceed for long.
    """

    id: str
    file: str
    best: str | None
    coverage: Fraction
    measured: Fraction | None
    ceiling: Fraction | None
    by_shape: dict[str, ProvedShape]


class ShapeRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many properties are proved over regions of one shape that hold at least `coverage` of real images."""

    coverage: Fraction
    proved: Count
    share: Fraction


class ShapeCoverage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One curve of the chart: properties proved against coverage; `median` coverage, guaranteed and as measured."""

    rows: tuple[ShapeRow, ...]
    median: Fraction
    measured_median: Fraction | None

    def proved_over(self, coverage: Fraction) -> Count:
        """How many properties are proved over at least this share of real images, one of the shares of `rows`.

        Raises: StopIteration for a share that is none of them.
        """
        return next(row.proved for row in self.rows if row.coverage == coverage)


class ProvableCoverage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The headline: the largest share of real images over which each property is proved, by shape of region.

    `ceiling`: the same counts for properties that so many held-out images satisfy, proved or not. `median`: of the best
    shape of each property. `definition_only`: lone strength predicates, for which a band's proof is its own definition.
    """

    by_shape: dict[str, ShapeCoverage]
    ceiling: ShapeCoverage
    best: ShapeCoverage
    definition_only: Count
    properties: tuple[PropertyCoverage, ...]


class Verification(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The properties of the files that [properties] names; `neighbourhoods_left_out`: why there are none."""

    files: tuple[str, ...]
    by_gamma: tuple[GammaRow, ...]
    by_coverage: tuple[CoverageRow, ...]
    statistically: tuple[SampleRow, ...]
    properties: tuple[Property, ...]
    provable_coverage: ProvableCoverage | None = None
    neighbourhoods: Neighbourhoods | None = None
    neighbourhoods_left_out: str | None = None
