"""What an endpoint is asked: typed, so that a wrong value is refused by name before anything is read."""

from __future__ import annotations

from math import inf, isnan
from typing import Annotated

from msgspec import Meta, Struct

from conspect.core.diagnostics import user_error
from conspect.core.verdicts import Outcome
from conspect.results.exploration import ChangedSide, ImageSet, Order
from conspect.study.exploration.filters import ImageFilter

MOST_AT_ONCE = 500
Share = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(max_length=2000)]
Offset = Annotated[int, Meta(ge=0)]
Limit = Annotated[int, Meta(ge=0, le=MOST_AT_ONCE)]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No question beside the path; no answer beside "done"."""


class Filter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Conditions on images; those that are left out ask nothing. `slice`: "column=value", `pair`: "striped > metallic".

    `broken`: a pair that the failure lost; `monitor`: its verdict; `changed`: since the study that is compared with.
    `margin_from` and `margin_below`: of the pair, or strength of the concept; `accepted_to`: a threshold of the monitor.
    """

    label: Text | None = None
    output: Text | None = None
    set: ImageSet = ImageSet.ALL
    diagnosis: Text | None = None
    pair: Text | None = None
    holds: bool | None = None
    least: Share = 0.0
    most: Share = 1.0
    tag: Text | None = None
    text: Text | None = None
    slice: Text | None = None
    broken: Text | None = None
    monitor: Text | None = None
    changed: ChangedSide | None = None
    margin_from: float | None = None
    margin_below: float | None = None
    accepted_to: float | None = None

    def filter(self) -> ImageFilter:
        """The same for the study. Raises UserError EXPLORE002 for a slice that is not "column=value"."""
        slices: dict[str, str] = {}
        if self.slice is not None:
            column, equals, value = self.slice.partition("=")
            if not equals:
                raise user_error("EXPLORE002", f"{self.slice[:60]!r} is no slice", 'write "column=value"')
            slices[column] = value
        if any(
            number is not None and isnan(number) for number in (self.margin_from, self.margin_below, self.accepted_to)
        ):
            raise user_error("EXPLORE002", "a bound that is no number", "give one such as -2.2, or leave it out")
        if self.least > self.most:
            problem = f"no confidence lies from {self.least:g} to {self.most:g}"
            raise user_error("EXPLORE002", problem, "give the smaller number first")
        ranged = self.margin_from is not None or self.margin_below is not None
        low, high = (
            end if end is not None else far for end, far in ((self.margin_from, -inf), (self.margin_below, inf))
        )
        if low > high:
            raise user_error(
                "EXPLORE002", f"no number lies from {low:g} to below {high:g}", "give the smaller number first"
            )
        return ImageFilter(
            label=self.label,
            output=self.output,
            images=self.set,
            diagnosis=self.diagnosis,
            pair=self.pair,
            holds=self.holds,
            confidence=(self.least, self.most),
            tag=self.tag,
            text=self.text,
            slices=slices,
            broken=self.broken,
            monitor=self.monitor,
            changed=self.changed,
            margin=(low, high) if ranged else None,
            accepted_to=self.accepted_to,
        )


class Listing(Filter, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Conditions, an order and a range."""

    order: Order = Order.FILE
    offset: Offset = 0
    limit: Limit = 60


class Page(Struct, frozen=True, forbid_unknown_fields=True):
    """A range of a list."""

    offset: Offset = 0
    limit: Limit = 60


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """A concept or a pair in plain words."""

    q: Text


class OneImage(Struct, frozen=True, forbid_unknown_fields=True):
    """An image by its id."""

    id: Text


class SeveralImages(Struct, frozen=True, forbid_unknown_fields=True):
    """Images by their ids."""

    ids: Annotated[tuple[Text, ...], Meta(max_length=10_000)]


class NewConcepts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Words that become concepts; `shares`: word to class to the share of its images that show it. `write`: not only shown."""

    words: Annotated[tuple[Text, ...], Meta(max_length=100)]
    shares: dict[str, dict[str, float]] = {}
    write: bool = False


class TagChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Images and a tag to give them, or to take away."""

    ids: Annotated[tuple[Text, ...], Meta(max_length=10_000)]
    tag: Text
    remove: bool = False


class SpecificationText(Struct, frozen=True, forbid_unknown_fields=True):
    """A specification in Con_spec."""

    text: Annotated[str, Meta(max_length=100_000)]


class PropertyListing(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Properties of the last run: those with a verdict, and with `text` in name or statement; a range of them."""

    verdict: Outcome | None = None
    text: Text | None = None
    offset: Offset = 0
    limit: Limit = 60


class WitnessQuestion(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A property by name (left out: the first) of a text, or of the study's own files; `size`: of its region instead."""

    text: Annotated[str, Meta(max_length=100_000)] = ""
    property: Text | None = None
    size: Annotated[float, Meta(ge=0)] | None = None


class SliderQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """An image and by how many standard deviations its concepts are moved."""

    id: Text
    shifts: dict[str, float] = {}


class MapQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """An image and a concept; without one: every concept."""

    id: Text
    concept: Text | None = None


class ChangedListing(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Images that changed sides since the earlier study: of one side, of one class; a range of them."""

    side: ChangedSide | None = None
    label: Text | None = None
    offset: Offset = 0
    limit: Limit = 60


class OneClass(Struct, frozen=True, forbid_unknown_fields=True):
    """A class by name; left out: the one that changed most."""

    label: Text | None = None


class PictureFile(Struct, frozen=True, forbid_unknown_fields=True):
    """An image file, as it is: PNG, JPEG, WebP, BMP or GIF."""

    content: bytes
