"""What certificates claim, as far as it is compared with a study's results; their evidence is the checker's alone."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from conspect.core.verdicts import Outcome
from conspect.results.shares import Count


class CarriedClaim(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every claim says. `digest`: of the claim without its evidence, tied to head and lens."""

    name: str
    file: str
    verdict: Outcome
    digest: str


class CarriedCoverage(Struct, frozen=True, kw_only=True):
    """How many images of the class lie inside the region of a claim, of so many of a split."""

    inside: Count
    images: Count
    split: str


class CarriedRegion(CarriedClaim, frozen=True, kw_only=True, tag="region"):
    """About all embeddings of a region. `size`: a fraction as text. `part`: of the property, "whole" or "conclusion"."""

    region_digest: str
    size: str
    part: str
    coverage: CarriedCoverage | None


class CarriedShare(CarriedClaim, frozen=True, kw_only=True, tag="share"):
    """About a share of images: `successes` of `trials` satisfy the formula."""

    successes: Count
    trials: Count


class CarriedNeighbourhood(CarriedClaim, frozen=True, kw_only=True, tag="near"):
    """About the neighbourhoods of `trials` images: around so many it is proved, around so many refuted."""

    trials: Count
    proved: Count
    refuted: Count


class CarriedImage(CarriedClaim, frozen=True, kw_only=True, tag="image"):
    """About one image."""


class CarriedExtent(CarriedClaim, frozen=True, kw_only=True, tag="extent"):
    """About how much a concept may change in one image."""


Carried: TypeAlias = CarriedRegion | CarriedShare | CarriedNeighbourhood | CarriedImage | CarriedExtent


class Certificate(Struct, frozen=True, kw_only=True):
    """The claims of a certificate, and SHA-256 of the text of each specification file that they are about, by name."""

    sources: dict[str, str]
    claims: tuple[Carried, ...]

    def by_name(self) -> dict[str, Carried]:
        """The claims; names of one file's are told apart."""
        return {claim.name: claim for claim in self.claims}


class AcceptedClaim(Struct, frozen=True):
    """A claim that the checker accepted: what is claimed, in the language."""

    name: str
    verdict: str
    statement: str


class CheckedCertificate(Struct, frozen=True, kw_only=True):
    """A certificate file as `conspect certificate check --json` prints it. `differences`: why it is refused."""

    file: str
    accepted: bool
    reason: str
    differences: tuple[str, ...]
    nothing_claimed: tuple[str, ...]
    claims: tuple[AcceptedClaim, ...]


class CheckedCertificates(Struct, frozen=True, kw_only=True):
    """What `conspect certificate check --json` prints."""

    certificates: tuple[CheckedCertificate, ...]
