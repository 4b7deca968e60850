"""Do held-out images satisfy the strength predicates that their class leads one to expect?"""

from __future__ import annotations

from msgspec import Struct, field

from conspect.results.shares import Count, Fraction, Share


class ExpectedPair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A relevant concept over an irrelevant one: how many images of the class put them so, through the lens and by the VLM."""

    class_name: str = field(name="class")
    relevant: str
    irrelevant: str
    through_lens: Share
    by_vlm: Share


class ExpectedPairs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many pairs are expected, the mean share of images that satisfies one, and the weakest of each class."""

    number: Count
    mean_share: Fraction | None
    weakest: tuple[ExpectedPair, ...]


class Validation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agreement_by_class`: share of (image, pair) on which VLM and lens say the same; null for a class without images."""

    agreement_by_class: tuple[Fraction | None, ...]
    expected_pairs: ExpectedPairs | None
