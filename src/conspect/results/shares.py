"""Shares with their intervals, and the types that several sections use."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Count: TypeAlias = Annotated[int, Meta(ge=0)]
# A share or a probability; a little room for the rounding of sums.
Fraction: TypeAlias = Annotated[float, Meta(ge=-1e-9, le=1 + 1e-9)]
# Lists by class or concept, and matrices `[row, column]`.
Counts: TypeAlias = tuple[tuple[Count, ...], ...]
Part: TypeAlias = Literal["head", "encoder"]
Culprit: TypeAlias = Literal["head", "encoder", "undecided"]


class Share(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`successes` of `n` with the Wilson interval at the study's confidence; `value` is null when n is 0."""

    value: Fraction | None
    low: Fraction
    high: Fraction
    successes: Count
    n: Count


class Interval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share with its interval, without the counts behind it; `value` is null when there is nothing to share."""

    value: Fraction | None
    low: Fraction
    high: Fraction


class CountInterval(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`[count, low, high, decided]`: the Wilson interval of the share that `count` is, at the study's confidence; `decided`:
    whether that leaves out one half, so that it is established which of two is the more frequent.
    """

    count: Count
    low: Fraction
    high: Fraction
    decided: bool


class CulpritCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many failures fall to the head, to the encoder, and to neither."""

    head: Count
    encoder: Count
    undecided: Count


class PartCounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many failures fall to the head and to the encoder, by an oracle that always decides."""

    head: Count
    encoder: Count


class BrokenPair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`stronger > weaker` holds on the share `usual` of the class's images, and not on this one."""

    stronger: str
    weaker: str
    usual: Fraction
