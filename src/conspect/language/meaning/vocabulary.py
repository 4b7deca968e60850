"""What the names of a specification may refer to: the classes, concepts, splits and thresholds of a study."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names that exist. None in an optional field: unknown, so nothing is reported about it.

    `new_concepts`: a specification may declare further concepts by giving their phrases.
    """

    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    classes_with_data: frozenset[str] | None = None
    splits: tuple[str, ...] | None = None
    image_ids: frozenset[str] | None = None
    concepts_with_threshold: frozenset[str] | None = None
    changes: tuple[str, ...] | None = None
    new_concepts: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Classes and concepts."""
        return (*self.class_names, *self.concept_names)
