"""How the model does on parts of the data, and how well concepts are seen where images say which they show."""

from __future__ import annotations

from msgspec import Struct

from conspect.results.shares import Count, CulpritCounts, Fraction, Share


class SliceColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of metadata; `unknown`: images without a value in it."""

    name: str
    unknown: Count


class Slice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The images with one value in a column. `rest`: accuracy of those with another value, null when there are none.

    `p_value`: exact, Holm-adjusted over the slices; `failures`: by the lens's verdict; `satisfied`: mean share of expected
    predicates that an image keeps, null without a class-attribute table.
    """

    column: str
    value: str
    accuracy: Share
    rest: Fraction | None
    p_value: Fraction
    failures: CulpritCounts
    satisfied: Fraction | None


class Slices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The slices of every column that [data] slices names, lowest accuracy first."""

    columns: tuple[SliceColumn, ...]
    slices: tuple[Slice, ...]


class Auroc(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AUROC of a strength for a labelled concept, with its interval; `within_classes` compares images of one class only."""

    auroc: Fraction | None
    low: Fraction | None
    high: Fraction | None
    within_classes: Fraction | None


class LabelledConcept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One concept that images are labelled with: seen through the lens, and by the VLM itself."""

    concept: str
    shown: Count
    not_shown: Count
    lens: Auroc
    vlm: Auroc


class ConceptLabels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labelled concepts of the study; `not_asked`: labelled ones that are none of its concepts."""

    concepts: tuple[LabelledConcept, ...]
    mean_lens: Fraction | None
    mean_vlm: Fraction | None
    mean_vlm_within_classes: Fraction | None
    not_asked: tuple[str, ...]
