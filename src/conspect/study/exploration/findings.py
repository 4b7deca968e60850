"""What a finished run said of single images and concepts, by name: the explorer shows it and decides nothing itself."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.results.exploration import ConceptEntry, Sentence
from conspect.results.results import Results


@dataclass(frozen=True)
class ImageFinding:
    """The diagnosis of a failure, and in words what is wrong and why."""

    diagnosis: str
    diagnosis_sentence: str | None = None
    explanation: str | None = None


@dataclass(frozen=True)
class SuspectFinding:
    """A label that is suspect: how much, in 0..1, and what the witnesses say instead."""

    score: float
    suggested: str


@dataclass(frozen=True)
class Findings:
    """By image id, and of the concepts in the order of the study; `broken`: "stronger > weaker" to the failures that lost it."""

    images: dict[str, ImageFinding]
    suspects: dict[str, SuspectFinding]
    concepts: tuple[ConceptEntry, ...]
    sentences: tuple[Sentence, ...]
    broken: dict[str, tuple[str, ...]]


def findings_of(results: Results, sentences: tuple[str, ...]) -> Findings:
    """What `results` says of images and concepts; `sentences`: the report's first lines."""
    failures = results.localization.images
    broken: dict[str, list[str]] = {}
    for failure in failures:
        for pair in failure.went_wrong:
            broken.setdefault(f"{pair.stronger} > {pair.weaker}", []).append(failure.id)
    return Findings(
        images={
            failure.id: ImageFinding(failure.cause, explanation=failure.explanation.sentence) for failure in failures
        },
        suspects={
            failure.id: SuspectFinding(failure.label_wrong, failure.label_instead)
            for failure in failures
            if failure.cause in ("label suspect", "ambiguous")
        },
        concepts=tuple(
            ConceptEntry(concept.name, concept.phrases, concept.grade, concept.reasons) for concept in results.concepts
        ),
        sentences=tuple(Sentence(text) for text in sentences),
        broken={pair: tuple(names) for pair, names in broken.items()},
    )
