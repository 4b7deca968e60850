"""The report's words on proofs: what they are worth where a concept is not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest

from conspect.report.summary import pairs_compared
from conspect.report.verification import not_seen_sentence
from conspect.results.concepts import Concept
from conspect.results.verification import Property, ProvableCoverage


@dataclass(frozen=True)
class Named:
    name: str
    grade: str


@dataclass(frozen=True)
class Stated:
    concepts: tuple[str, ...]


@dataclass(frozen=True)
class Covered:
    definition_only: int
    properties: tuple[str, ...]


CONCEPTS = cast(
    "Sequence[Concept]",
    [Named("ears", "partly"), Named("hairy", "not seen"), Named("long", "not seen"), Named("blue sky", "not seen")],
)


def said(*named: tuple[str, ...]) -> str:
    return not_seen_sentence(cast("Sequence[Property]", [Stated(names) for names in named]), CONCEPTS)


def test_of_properties_in_concepts_that_are_seen_nothing_is_said() -> None:
    assert not said(("ears", "horns"), ("long-snout", "ears"), ())


def test_properties_that_name_a_concept_graded_not_seen_are_counted_and_named() -> None:
    told = said(("ears", "hairy", "long"), ("ears", "hairy"), ("ears", "blue sky"), ("ears", "horns"))
    assert told.startswith("3 of them name a concept that is graded not seen (“hairy” or “long” or “blue sky”): ")
    assert said(("ears", "hairy")).startswith("1 of them names a concept that is graded not seen (“hairy”): ")


@pytest.mark.parametrize(
    ("pairs", "words"), [(3, "All of them compare"), (1, "1 of them compares"), (2, "2 of them compare")]
)
def test_claims_that_compare_are_counted_or_all(pairs: int, words: str) -> None:
    coverage = cast("ProvableCoverage", Covered(pairs, ("a", "b", "c")))
    assert pairs_compared(coverage) == words
