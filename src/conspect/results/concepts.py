"""The concepts of a study, each with what is measured of it and its grade."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

from conspect.results.shares import Count, Fraction

Grade: TypeAlias = Literal["seen", "partly", "not seen"]


class ConceptMeasures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Null where the study has nothing to measure it with.

    `separation`: AUROC of the VLM's strength between classes that carry the concept and classes that do not. `shown`: between
    images labelled as showing it and others of the same class. `stability`: mean correlation of one phrase and template with
    all. `agreement`: correlation over images of the model's reading with the VLM's; `r2`: share of variance the reading has in
    common with it, 1 = the same. `beyond_classes`: share of its variance within classes that class strengths do not explain.
    `meaning`: how likely words without meaning behave so on these images, of concepts that nothing checks.
    `tolerance`: share of its variance that the other concepts do not explain.
    """

    separation: Fraction | None
    shown: Fraction | None
    meaning: Fraction | None = None
    stability: float | None
    agreement: float
    r2: float
    beyond_classes: Fraction
    tolerance: Fraction


class Concept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A concept and the phrases that its text direction is the mean of. `reasons`: why the grade is no better.

    `not_told_from`: concepts of the same identifiability group, which no method can tell from it here.
    """

    name: str
    phrases: tuple[str, ...]
    grade: Grade
    reasons: tuple[str, ...]
    not_told_from: tuple[str, ...]
    measures: ConceptMeasures


class ConceptScores(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect concepts score --json` prints."""

    concepts: tuple[Concept, ...]


class SuggestedConcept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word that is seen here. `agreement`: correlation of the model's reading with the VLM's within classes. `own_share`: share
    of its variance within classes that class strengths do not explain. `auroc`: how well it tells `class` from the others,
    whose images show it `more`, or less. `speaks`: share of words without meaning in which images vary less. `failures`: by how
    many standard deviations failures show it more than right images of their class do, beyond what class strengths say;
    `p_value` of there being no such shift, or none beyond that of words without meaning, corrected for all candidates.
    `tells_failures`: that is small enough to be told. `examples`: ids of the images that show it most.
    `known`: the study's concept that it is but for the wording, or that its strengths follow by 0.9.
    """

    name: str
    agreement: float
    own_share: Fraction
    class_name: str = field(name="class")
    auroc: Fraction
    more: bool
    speaks: Fraction
    failures: float
    p_value: Fraction
    tells_failures: bool
    examples: tuple[str, ...]
    known: str | None


class SuggestedConcepts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect concepts suggest --json` prints: of so many candidates, those worth a look, and why others were dropped."""

    candidates: Count
    names_of_classes: Count
    not_seen: Count
    like_meaningless: Count
    tell_nothing: Count
    near_duplicates: Count
    suggestions: tuple[SuggestedConcept, ...]
