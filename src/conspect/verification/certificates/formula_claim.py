"""What every claim says of its property, and how a region of readouts is written in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from conspect.core.json_value import JsonValue
from conspect.core.verdicts import Outcome as Decided
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.regions.readouts import ReadoutKinds

# What a claim says as JSON: the checker reads each kind of claim key by key, and a digest is taken of all of it.
ClaimFields: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, eq=False)
class ClaimOfFormula:
    """What every claim says of its property: name, file, text, formula and verdict."""

    name: str
    file: str
    statement: str
    formula: FormulaTable
    verdict: Decided

    kind: ClassVar[str]

    def fields(self) -> ClaimFields:
        """Everything that the claim says, as plain JSON without its evidence."""
        return {
            "kind": self.kind,
            "name": self.name,
            "file": self.file,
            "statement": self.statement,
            "formula": [list(node) for node in self.formula],
            "verdict": self.verdict,
        }


def readouts_record(reads: ReadoutKinds | None) -> ClaimFields | None:
    """What a region of readouts is made of, as JSON; None for a region of embeddings."""
    return (
        None
        if reads is None
        else {
            "class": reads.class_index,
            "concepts": list(reads.concepts),
            "strengths": reads.form.value,
        }
    )
