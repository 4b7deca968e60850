"""Readouts: the few numbers of an embedding that formulas read. A region of readouts is a region of embeddings.

Comparisons see differences alone, so a logit is read relative to that of the region's class and a strength relative to
that of the first concept; `hasCon` needs the strengths themselves and the length of the mapped embedding. An embedding
belongs to a region of readouts exactly when its readouts do, whatever it does in the directions that nothing reads:
there is no slice that it would have to lie in, and what is proved of the readouts is true of the embedding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

import numpy as np

from conspect.core.spaces import AffineMap, Float64, Floats, Head, Lens
from conspect.language.syntax.tree import Formula, Implies, Predict
from conspect.verification.engine.exact import ExactModel
from conspect.verification.engine.integers import RationalVector, float_vector
from conspect.verification.engine.relu import exact_logits
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.model import VerificationModel

Interval: TypeAlias = tuple[Fraction, Fraction]
# |y| is a root; its exact square is enclosed between rationals that differ by less than 2**-ROOT_BITS.
ROOT_BITS = 160


@dataclass(frozen=True, slots=True)
class ReadoutKinds:
    """Which readouts a region is made of. `class_index`: the class whose logit the others are read relative to."""

    class_index: int | None
    presence: bool

    @property
    def label(self) -> str:
        """In words, for provenance."""
        parts = ["logits"] if self.class_index is not None else []
        parts.append("strengths and their length" if self.presence else "strengths")
        return " and ".join(parts)


def kinds_read(table: FormulaTable, class_index: int, *, cut: bool = False) -> ReadoutKinds:
    """The readouts that a formula needs."""
    atoms = {node[0] for node in table}
    return ReadoutKinds(class_index if cut or "predict" in atoms else None, "has" in atoms)


def without_premise(formula: Formula) -> Formula | None:
    """The conclusion of `predict(...) => conclusion`: a stronger formula that reads fewer numbers; None for others."""
    if isinstance(formula, Implies) and isinstance(formula.left, Predict):
        return formula.right
    return None


@dataclass(frozen=True, eq=False)
class ReadoutSpace:
    """v(z) of a model: relative logits, then relative strengths (or strengths and length), float64 `[image, V]`."""

    model: VerificationModel
    kinds: ReadoutKinds

    @property
    def _logits(self) -> list[int]:
        return [k for k in range(self.model.head.classes) if k != self.kinds.class_index]

    @property
    def dimension(self) -> int:
        """V."""
        concepts = len(self.model.concept_names)
        logits = 0 if self.kinds.class_index is None else self.model.head.classes - 1
        return logits + (concepts + 1 if self.kinds.presence else concepts - 1)

    def readouts(self, embeddings: Floats) -> Float64:
        """`[image, V]`, in float64: to estimate and size regions with, and to search."""
        data = np.asarray(embeddings, dtype=np.float64)
        mapped = self.model.lens.alignment(data)
        strengths = mapped @ np.asarray(self.model.lens.directions, dtype=np.float64).T
        parts = []
        if self.kinds.class_index is not None:
            logits = np.asarray(self.model.head.logits(data), dtype=np.float64)
            parts.append(logits[:, self._logits] - logits[:, [self.kinds.class_index]])
        if self.kinds.presence:
            parts += [strengths, np.linalg.norm(mapped, axis=1, keepdims=True)]
        else:
            parts.append(strengths[:, 1:] - strengths[:, :1])
        return np.concatenate(parts, axis=1)

    def exactly(self, exact: ExactModel, embedding: Float64) -> list[Interval]:
        """Every readout of one embedding between two rationals, which are equal for all but the length."""
        point = float_vector(np.asarray(embedding, dtype=np.float64))
        unit = point.denominator << exact.strengths.shift
        numerators = [Fraction(exact.strengths.value(k, point), unit) for k in range(len(self.model.concept_names))]
        values: list[Fraction] = []
        if self.kinds.class_index is not None:
            logits = self._exact_logits(exact, point)
            values += [logits[k] - logits[self.kinds.class_index] for k in self._logits]
        if not self.kinds.presence:
            values += [value - numerators[0] for value in numerators[1:]]
            return [(value, value) for value in values]
        values += numerators
        mapped = exact.mapped
        square = Fraction(
            sum(mapped.value(row, point) ** 2 for row in range(len(mapped.rows))),
            (point.denominator << mapped.shift) ** 2,
        )
        return [*((value, value) for value in values), _root(square)]

    def _exact_logits(self, exact: ExactModel, point: RationalVector) -> list[Fraction]:
        if exact.logits is None:
            return exact_logits(self.model.head, [Fraction(v, point.denominator) for v in point.integers])
        unit = point.denominator << exact.logits.shift
        return [Fraction(exact.logits.value(k, point), unit) for k in range(exact.classes)]

    def reader(self) -> VerificationModel:
        """A model whose embedding *is* the readouts: every logit and strength is one of them, or a constant 0.

        What the engine proves of it over a region of readouts holds for all embeddings whose readouts lie there. With
        `presence` the last mapped entry is the length, see `AtomRows.linear_norm`.
        """
        model, size = self.model, self.dimension
        head = np.zeros((model.head.classes, size))
        offset = 0
        if self.kinds.class_index is not None:
            for place, row in enumerate(self._logits):
                head[row, place] = 1.0
            offset = len(self._logits)
        concepts = len(model.concept_names)
        width = concepts + 1 if self.kinds.presence else concepts
        mapped = np.zeros((width, size))
        first = 0 if self.kinds.presence else 1
        for place, row in enumerate(range(first, width)):
            mapped[row, offset + place] = 1.0
        lens = Lens(AffineMap(mapped, np.zeros(width)), model.concept_names, np.eye(concepts, width))
        return replace(model, head=Head.linear(head, np.zeros(model.head.classes)), lens=lens)


def _root(square: Fraction) -> Interval:
    scale = 1 << ROOT_BITS
    low = isqrt(square.numerator * scale * scale // square.denominator)
    exact = Fraction(low, scale)
    return (exact, exact) if exact * exact == square else (exact, Fraction(low + 1, scale))
