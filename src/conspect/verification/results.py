"""What comes back for each property."""

from __future__ import annotations

from dataclasses import dataclass, field

from conspect.core.notebooks import drawing_of
from conspect.core.regions import Region
from conspect.core.spaces import Float64
from conspect.core.verdicts import PropertyKind, Verdict
from conspect.verification.certificates.claims import Claim, RegionClaim
from conspect.verification.measures import CurvePoint, GammaMax, Rate


@dataclass(frozen=True, slots=True)
class NearImage:
    """A held-out image near a witness: its id, Euclidean distance in the model's embedding space, true class."""

    image_id: str
    distance: float
    class_name: str


@dataclass(frozen=True, eq=False)
class WitnessRecord:
    """An embedding that makes a property false: `embedding [D]`, its strengths, what the model says, its neighbours.

    `image_id`: the image that it is the embedding of. `around`: the image in whose neighbourhood it lies; it is then a real
    picture when `image_id` is that image, or when `change` says what was done to it.
    """

    embedding: Float64
    profile: tuple[tuple[str, float], ...]
    predicted: str
    nearest: tuple[NearImage, ...]
    size: float
    image_id: str | None = None
    around: str | None = None
    change: str | None = None


@dataclass(frozen=True, slots=True)
class NeighbourhoodCounts:
    """What is known around the images of one property; the last four of `images` add up to it with `proved`.

    `share` of changed pictures that a neighbourhood holds, `measured_share` and `by_change` on images that had no part.
    `refuted_unchanged`: of those refuted by a picture, images that break the property themselves.
    """

    changes: str
    share: float
    radius: float
    measured_share: float
    by_change: dict[str, float]
    images: int
    proved: int
    refuted_by_picture: int
    refuted_unchanged: int
    refuted_by_embedding: int
    unknown: int
    reads: str


@dataclass(frozen=True, eq=False)
class PropertyResult:
    """Everything said about one property. `quantifier`: for which inputs the `statement` is claimed; `concepts`: those it names.

    `caveats` are printed beside the verdict. `rarity`: that one of them which says that hardly any image lies in the region; it
    heads the verdict.

    `margin`: how far the formula is from changing its value at the worst embedding of the region, in units of logits
    and of unnormalised strengths (q'y): a proved lower end when it holds, the witness's own margin (<= 0) when
    violated, None when unknown. `vacuous`: it holds because its premise never does or by its logic alone, as the reason says.
    `float32_slack`: how far float32 inference can move an atom's gap anywhere in the region; a larger margin survives it.
    `certificate`: the claim's digest in the bundle, or None. `ends`: the claims behind `gamma_max`.
    """

    name: str
    kind: PropertyKind
    verdict: Verdict
    class_name: str | None = None
    quantifier: str = ""
    statement: str = ""
    concepts: tuple[str, ...] = ()
    line: int | None = None
    file: str = ""
    region: Region | None = None
    margin: float | None = None
    gamma_max: GammaMax | None = None
    curve: tuple[CurvePoint, ...] = ()
    coverage: Rate | None = None
    satisfaction: Rate | None = None
    witness: WitnessRecord | None = None
    certificate: str | None = None
    decided_by: str = ""
    caveats: tuple[str, ...] = ()
    rarity: str | None = None
    seconds: float = 0.0
    vacuous: bool = False
    float32_slack: float | None = None
    claim: Claim | None = field(default=None, repr=False)
    neighbourhood: NeighbourhoodCounts | None = None
    ends: tuple[RegionClaim, ...] = field(default=(), repr=False)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What a certificate carries of this property: its verdict, and both ends of the sizes at which it holds."""
        return self.ends if self.claim is None else (self.claim, *self.ends)

    def _repr_html_(self) -> str | None:
        return drawing_of(self)
