"""What breaks a property, as the explorer shows it: the counterexample, real images that do, and how far a proof reaches."""

from __future__ import annotations

import msgspec

from conspect.core.verdicts import Outcome
from conspect.results.exploration import ImageRow, Neighbour
from conspect.results.verification import Property


class PropertyEntry(msgspec.Struct, frozen=True):
    """A property of the study's own specifications in a list. `proved_up_to`: a size; `coverage`, `satisfied`: shares."""

    name: str
    file: str
    statement: str
    verdict: Outcome
    class_name: str | None
    proved_up_to: float | None
    coverage: float | None
    satisfied: float | None


class PropertyList(msgspec.Struct, frozen=True):
    """A range of the properties that pass a filter, in the order of their files; `counts`: of all, by verdict."""

    total: int
    offset: int
    properties: tuple[PropertyEntry, ...]
    counts: dict[str, int]


class SizeStep(msgspec.Struct, frozen=True):
    """A region of one size: held-out images of the class inside, those of them that break the property, and the verdict.

    `verdict`: holds up to the largest proved size, violated from the smallest refuted one, unknown between.
    """

    size: float
    inside: int
    breaking: int
    verdict: Outcome


class BreakingImage(msgspec.Struct, frozen=True):
    """A real held-out image for which the property is false. `size`: of the smallest region that holds it; `margin` <= 0."""

    image: ImageRow
    size: float | None
    margin: float | None


class ProfileEntry(msgspec.Struct, frozen=True):
    """A concept at the counterexample: strength (cosine) and its percentile among the class's held-out images (0..100)."""

    concept: str
    strength: float
    percentile: float | None


class WitnessPage(msgspec.Struct, frozen=True):
    """One property looked at closely, at the size that its text gives or at the size asked.

    `text`: the property as it can be edited. `size`: of the region, None where it has none. `members`: held-out images that
    count; `satisfied`: of them those for which the property is true. `steps`: by size, ascending; empty where the property
    speaks of no region of sizes. `witness_image`: the counterexample where it is a real image of the study, or the image that it
    lies around.
    `off_axis`: distance from the counterexample to the nearest real embedding over the usual one between real ones.
    `unlike_pictures`: that is so far that no picture is likely to look like it.
    """

    property: Property
    text: str
    names: tuple[str, ...]
    size: float | None
    proved_to: float | None
    broken_from: float | None
    searched: float | None
    members: int
    satisfied: int
    steps: tuple[SizeStep, ...]
    breaking: tuple[BreakingImage, ...]
    witness_image: ImageRow | None
    profile: tuple[ProfileEntry, ...]
    nearest: tuple[Neighbour, ...]
    distances: tuple[float, ...]
    off_axis: float | None
    unlike_pictures: bool
