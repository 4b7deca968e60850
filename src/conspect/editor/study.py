"""The study beside a specification: its classes, concepts with their grades, and splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from conspect.language.meaning.vocabulary import Vocabulary
from conspect.results.files import decoded
from conspect.results.results import Results

RESULTS_FILE, CONFIG_FILE = "results.json", "study.toml"


@dataclass(frozen=True)
class StudyNames:
    """Names that exist in a study; `concepts`: name to what is known of it, in words."""

    folder: Path
    classes: tuple[str, ...]
    concepts: dict[str, str] = field(default_factory=dict)
    splits: tuple[str, ...] = ()

    def vocabulary(self) -> Vocabulary:
        """For the checker of the language."""
        return Vocabulary(self.classes, tuple(self.concepts))


def folder_beside(file: Path) -> Path | None:
    """The nearest folder above `file` that holds a study that was run."""
    folders = file.resolve().parents
    return next((f for f in folders if (f / CONFIG_FILE).is_file() and (f / RESULTS_FILE).is_file()), None)


def names_in(folder: Path) -> StudyNames | None:
    """The names of the study in `folder`; None of one of another version: the editor works without its names."""
    try:
        return names_of(decoded((folder / RESULTS_FILE).read_bytes(), Results), folder)
    except (OSError, ValueError):
        return None


def names_of(results: Results, folder: Path) -> StudyNames:
    """The names in the results of a study."""
    concepts = {}
    for concept in results.concepts:
        reasons = f" ({'; '.join(concept.reasons)})" if concept.reasons else ""
        concepts[concept.name] = f"concept, {concept.grade}{reasons}; phrases: {', '.join(concept.phrases)}"
    return StudyNames(folder, results.classes, concepts, (results.asked.train.split, results.dataset.split))
