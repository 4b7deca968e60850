"""Groups of failures that were found without being given, and combinations of concepts that the images hardly contain."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from conspect.results.shares import Count, Fraction, Share


class GroupCondition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The image is in the quarter of its class's images that shows `concept`, as the VLM sees it, most or least."""

    concept: str
    shown: Literal["most", "least"]


class FailureGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images of the class `label` (null: any) that meet all conditions and are taken for `output` (null: any wrong class).

    `inside`, `outside`: share of failures among images that meet the conditions and among others of the class, in the half of
    the images that had no part in the search; `p_value`: exact, Holm-adjusted over all groups that were checked. `failures`:
    of both halves, `images` the ids of the first hundred, `share` of all failures.
    """

    label: str | None
    output: str | None
    conditions: tuple[GroupCondition, ...]
    sentence: str
    failures: Count
    share: Fraction
    inside: Share
    outside: Share
    p_value: Fraction
    images: tuple[str, ...]


class ThinCombination(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So few `images` of a class are in the quarters that show each of two concepts most, where `expected` would be by chance."""

    class_name: str = field(name="class")
    concepts: tuple[str, str]
    images: Count
    expected: float
    sentence: str


class FailureSearch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the groups were searched among: at most 20,000 images with so many failures; `tried` combinations on one half of
    them, `checked` on the other. `sentence`: what came of it.
    """

    images: Count
    failures: Count
    tried: Count
    checked: Count
    sentence: str
    thin: tuple[ThinCombination, ...]
