"""Concepts, the prompts that name them, and which concepts are relevant to which class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Shares of a class's images that carry an attribute: from here on it counts as relevant, below the other as irrelevant.
RELEVANT_SHARE, IRRELEVANT_SHARE = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Concept:
    """A name and the phrases that express it."""

    name: str
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConceptSet:
    """Concepts with the prompt templates (each contains `{}`) for concepts and for class names.

    `unseen_words` are (concept name, phrase) pairs that probe a VLM with words its training did not contain.
    """

    concepts: tuple[Concept, ...]
    concept_templates: tuple[str, ...] = ("a photo of something with {}", "{}")
    class_templates: tuple[str, ...] = ("a photo of a {}", "{}")
    unseen_words: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Concept names in order."""
        return tuple(concept.name for concept in self.concepts)

    def unseen(self) -> tuple[Concept, ...]:
        """The concepts that have an unseen phrase, named by it alone."""
        return tuple(Concept(name, (phrase,)) for name, phrase in self.unseen_words)


@dataclass(frozen=True, eq=False)
class ClassAttributes:
    """Share of images of a class that carry an attribute: `shares [class, concept]`, 0..1."""

    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    shares: NDArray[np.float64]

    @property
    def relevant(self) -> NDArray[np.bool_]:
        """`[class, concept]`: share of at least 0.5."""
        return self.shares >= RELEVANT_SHARE

    @property
    def irrelevant(self) -> NDArray[np.bool_]:
        """`[class, concept]`: share below 0.1."""
        return self.shares < IRRELEVANT_SHARE

    def aligned_to(self, class_names: tuple[str, ...], concept_names: tuple[str, ...]) -> ClassAttributes:
        """The same table with rows and columns in the given order; KeyError names what is missing."""
        for wanted, known in ((class_names, self.class_names), (concept_names, self.concept_names)):
            missing = [name for name in wanted if name not in known]
            if missing:
                raise KeyError(f"the class-attribute table has no {', '.join(missing)}")
        rows = [self.class_names.index(name) for name in class_names]
        columns = [self.concept_names.index(name) for name in concept_names]
        return ClassAttributes(class_names, concept_names, self.shares[np.ix_(rows, columns)])
