"""What is broken in the model, and what each of its failures is put down to: one answer, made in analysis, shown everywhere."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from conspect.results.shares import Count, Fraction

SuspectName: TypeAlias = Literal["labels", "input pipeline", "encoder", "head", "none"]
CauseName: TypeAlias = Literal[
    "label suspect", "ambiguous", "head", "encoder", "input pipeline", "hard for everybody", "undecided"
]


class SuspectChance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A suspect with its probability, calibrated on planted faults."""

    suspect: SuspectName
    probability: Fraction


class ChangeEffect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change does: so many of `images` become right, so many wrong; McNemar's exact one-sided p-value."""

    fixes: Count
    breaks: Count
    images: Count
    p_value: Fraction


class InputChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of the input and what it does; `p_value` is corrected over all changes. `named`: it shows a broken pipeline."""

    name: str
    fix: str
    exchanged: ChangeEffect
    p_value: Fraction
    named: bool


class NormDeparture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch norm's distance from its record on training images, in recorded deviations."""

    layer: str
    departure: float


class CauseCounted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many failures are put down to a cause, and between how many it would be in other samples of this size."""

    cause: CauseName
    count: Count
    low: Count
    high: Count


class Diagnosis(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """About the model. `named`: one suspect, or those that the evidence cannot tell apart; `confidence`: that one of them is
    right. `headline` counts mistakes and causes; `sentence` says what is broken; `evidence`: a sentence for each kind.
    """

    headline: str
    sentence: str
    named: tuple[SuspectName, ...]
    confidence: Fraction
    suspects: tuple[SuspectChance, ...]
    evidence: tuple[str, ...]
    causes: tuple[CauseCounted, ...]
    corrected_head: ChangeEffect
    other_biases: ChangeEffect
    labels_expected_wrong: float
    input_changes: tuple[InputChange, ...]
    norms: tuple[NormDeparture, ...]
