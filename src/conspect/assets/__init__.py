"""What ships with Conspect: weights trained by this project, prompts, and the class-attribute table."""

from __future__ import annotations

import csv
import io
import tomllib
from dataclasses import dataclass
from importlib import resources

from conspect.core.attribute_table import read_attribute_table
from conspect.core.concepts import ClassAttributes, Concept, ConceptSet


def read_bytes(name: str) -> bytes:
    """The content of a shipped file."""
    return (resources.files("conspect.assets") / name).read_bytes()


def demo_concepts() -> ConceptSet:
    """The demo's eighteen concepts with their prompts."""
    table = tomllib.loads(read_bytes("cifar10_concepts.toml").decode())
    return ConceptSet(
        concepts=tuple(Concept(name, tuple(entry["phrases"])) for name, entry in table["concepts"].items()),
        concept_templates=tuple(table["concept_templates"]),
        class_templates=tuple(table["class_templates"]),
        unseen_words=tuple((name, entry["unseen"]) for name, entry in table["concepts"].items()),
    )


def demo_class_attributes() -> ClassAttributes:
    """Attribute shares of CIFAR-10's ten classes (RIVAL10's figure; see the file's first lines)."""
    return read_attribute_table(read_bytes("class_attributes.csv"), "class_attributes.csv")


@dataclass(frozen=True, slots=True)
class LabelByEye:
    """What a person saw on one image of CIFAR-10's test split: `shown`, or not; None: not to be told from the picture."""

    class_name: str
    concept: str
    row: int
    shown: bool | None


def demo_labels_by_eye() -> tuple[LabelByEye, ...]:
    """Labels of the demo's concepts on its test images, which nothing was fitted on (docs/pocket-vlm.md)."""
    rows = csv.DictReader(io.StringIO(read_bytes("cifar10_labels_by_eye.csv").decode()))
    return tuple(
        LabelByEye(row["class"], row["concept"], int(row["row"]), None if row["unsure"] == "1" else row["shown"] == "1")
        for row in rows
    )
