"""What is proved in the neighbourhoods of real images: the summary of a study's properties, and one counterexample."""

from __future__ import annotations

from msgspec import Struct, field

from conspect.results.shares import Count, Fraction


class NeighbourhoodProperty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One property around the measured images of its class; the counts add up to `images`.

    `refuted_by_picture`: a changed picture inside breaks it, or (`refuted_unchanged`) the image itself does.
    `refuted_by_embedding`: an embedding inside does, and no picture is known to.
    """

    id: str
    file: str
    class_name: str = field(name="class")
    images: Count
    proved: Count
    refuted_by_picture: Count
    refuted_unchanged: Count
    refuted_by_embedding: Count
    unknown: Count


class NeighbourhoodRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point of the curve: neighbourhoods of this `radius` hold this `share` of changed pictures, guaranteed.

    `mean_proved`: share of images around which a property is proved, averaged over properties. `decision_proved`: share of
    images around which the model's own answer is proved not to change.
    """

    share: Fraction
    radius: float
    measured_share: Fraction
    mean_proved: Fraction
    properties_proved_around_90: Count
    decision_proved: Fraction


class RealCounterexample(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A real picture that breaks a property: `image` after `change`; `strength_before` and `strength_after` by concept.

    `concepts`: those that the statement names; none in results of older versions.
    """

    id: str
    statement: str
    concepts: tuple[str, ...] = ()
    image: str
    label: str
    change: str
    predicted_before: str
    predicted_after: str
    strength_before: dict[str, float]
    strength_after: dict[str, float]


class Neighbourhoods(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Properties in the neighbourhoods of held-out images.

    `changes`: as study.toml names them. `share` of changed pictures of a new image, of whatever class, that a neighbourhood of
    `radius` holds, guaranteed; `measured_share` (interval from `measured_low` to `measured_high`), `by_change` and `by_class` on
    `images` images that had no part. `fitted_images`, `sized_images`: of which shape and radius were learned. `mean_proved`:
    share of images around which a property is proved, averaged over properties; in the same way the other means, which add up
    to 1 with it.
    `certified`: whether a certificate carries these proofs.
    """

    changes: tuple[str, ...]
    share: Fraction
    radius: float
    measured_share: Fraction
    measured_low: Fraction
    measured_high: Fraction
    by_change: dict[str, Fraction]
    by_class: dict[str, Fraction]
    fitted_images: Count
    sized_images: Count
    images: Count
    mean_proved: Fraction
    mean_refuted_by_picture: Fraction
    mean_refuted_by_embedding: Fraction
    mean_unknown: Fraction
    properties_proved_around_90: Count
    decision_proved: Fraction
    curve: tuple[NeighbourhoodRow, ...]
    counterexample: RealCounterexample | None
    certified: bool
    properties: tuple[NeighbourhoodProperty, ...]
