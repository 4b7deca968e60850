"""By how much a concept may change in the images of a class before anything else does: what `conspect verify --extent` prints."""

from __future__ import annotations

from msgspec import Struct, field

from conspect.results.shares import Count


class ExtentStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In a `share` of the images the concept may change by `change` either way (of the strength q'y), proved."""

    change: float
    share: float


class ClassExtents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one class: `of` is a property's name, or "output". `changed_at_once`: images that the smallest step changes."""

    of: str
    class_name: str = field(name="class")
    concept: str
    images: Count
    changed_at_once: Count
    curve: tuple[ExtentStep, ...]


class PrintedExtents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect verify --extent --json` prints."""

    extents: tuple[ClassExtents, ...]
