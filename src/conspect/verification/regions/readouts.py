"""Readouts: the few numbers of an embedding that formulas read. A region of readouts is a region of embeddings.

A span is made of what its formula reads: the strengths of the concepts that it names, the logits (relative to that of the
region's class) where it says `predict`, and the length of the mapped embedding where it says `hasCon`. Bands and
neighbourhoods are joint: they read all concepts of the study, so that one set serves many formulas. An embedding belongs
to a region of readouts exactly when its readouts do, whatever it does in the directions that nothing reads: there is no
slice that it would have to lie in, and what is proved of the readouts is true of the embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import AffineMap, Float64, Floats, Head, Lens
from conspect.verification.engine.exact import ExactModel
from conspect.verification.engine.integers import RationalVector, float_vector
from conspect.verification.engine.relu import exact_logits
from conspect.verification.queries.formula_table import FormulaTable, concepts_asked, concepts_compared, predicts
from conspect.verification.queries.model import VerificationModel

Interval: TypeAlias = tuple[Fraction, Fraction]
# |y| is a root; its exact square is enclosed between rationals that differ by less than 2**-ROOT_BITS.
ROOT_BITS = 160


class StrengthForm(Enum):
    """How strengths are read: as they are, relative to that of the first concept, or as they are with the length |y|."""

    EACH = "each"
    RELATIVE = "relative"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class ReadoutKinds:
    """Which readouts a region is made of, in this order: logits, strengths, length.

    `class_index`: the class whose logit the others are read relative to; None: no logits. `concepts`: indices, ascending.
    """

    class_index: int | None
    concepts: tuple[int, ...]
    form: StrengthForm

    @property
    def has_length(self) -> bool:
        """Whether the length |y| is the last readout."""
        return self.form is StrengthForm.LENGTH

    def logits(self, classes: int) -> int:
        """How many logits are read of a model with so many classes."""
        return 0 if self.class_index is None else classes - 1

    @property
    def strengths_read(self) -> tuple[int, ...]:
        """The concepts whose strengths are readouts, in order; the first of relative ones is not."""
        return self.concepts[1:] if self.form is StrengthForm.RELATIVE else self.concepts

    def dimension(self, classes: int) -> int:
        """V, for a model with so many classes."""
        return self.logits(classes) + len(self.strengths_read) + self.has_length

    def covers(self, other: ReadoutKinds) -> bool:
        """Whether all that `other` reads can be told from what this reads."""
        return (
            other.class_index in (None, self.class_index)
            and set(other.concepts) <= set(self.concepts)
            and (self.has_length or not other.has_length)
        )

    def words(self, concept_names: Sequence[str]) -> str:
        """What is read, with names."""
        names = [concept_names[k] for k in self.concepts]
        whose = ", ".join(names)
        if len(names) == len(concept_names) > 2:
            whose = "all concepts"
        elif len(names) > 1:
            whose = f"{', '.join(names[:-1])} and {names[-1]}"
        parts = ["logits"] if self.class_index is not None else []
        parts += [f"strengths of {whose}"] if names else []
        parts += ["the length of the mapped embedding"] if self.has_length else []
        return ", ".join(parts)


def kinds_read(table: FormulaTable, class_index: int) -> ReadoutKinds:
    """The readouts of one formula alone: strengths of concepts that it names, logits for `predict`, |y| for `hasCon`."""
    asked = concepts_asked(table)
    form = StrengthForm.LENGTH if asked else StrengthForm.EACH
    named = tuple(sorted(asked | concepts_compared(table)))
    return ReadoutKinds(class_index if predicts(table) else None, named, form)


def kinds_joint(table: FormulaTable, class_index: int, concepts: int) -> ReadoutKinds:
    """The readouts of all formulas that say `predict` and `hasCon` where this one does: strengths of all concepts."""
    return replace(kinds_read(table, class_index), concepts=tuple(range(concepts)))


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
        return self.kinds.dimension(self.model.head.classes)

    def readouts(self, embeddings: Floats) -> Float64:
        """`[image, V]`, in float64: to estimate and size regions with, and to search."""
        return self.chosen(self.all_of(embeddings))

    def slopes(self) -> Float64:
        """The linear readouts `[V_linear, D]` as slopes: all but the length, and but logits of a head with ReLU layers."""
        kinds, model = self.kinds, self.model
        weights = model.lens.folded.weight
        strengths = weights[list(kinds.strengths_read)]
        if kinds.form is StrengthForm.RELATIVE:
            strengths = strengths - weights[list(kinds.concepts[:1])]
        if kinds.class_index is None or not model.head.is_linear:
            return np.asarray(strengths, dtype=np.float64)
        logits = model.head.layers[0].weight
        return np.vstack([logits[self._logits] - logits[[kinds.class_index]], strengths])

    def all_of(self, embeddings: Floats) -> AllReadouts:
        """Everything that formulas may read of embeddings `[image, D]`, in float64."""
        return AllReadouts.of(self.model, embeddings, logits=self.kinds.class_index is not None)

    def chosen(self, known: AllReadouts) -> Float64:
        """`[image, V]` out of everything that formulas may read."""
        kinds, parts = self.kinds, list[Float64]()
        if kinds.class_index is not None:
            assert known.logits is not None
            parts.append(known.logits[:, self._logits] - known.logits[:, [kinds.class_index]])
        strengths = known.strengths[:, list(kinds.strengths_read)]
        if kinds.form is StrengthForm.RELATIVE:
            strengths = strengths - known.strengths[:, list(kinds.concepts[:1])]
        parts += [strengths, known.lengths[:, None]] if kinds.has_length else [strengths]
        return np.concatenate(parts, axis=1)

    def exactly(self, exact: ExactModel, embedding: Float64) -> list[Interval]:
        """Every readout of one embedding between two rationals, which are equal for all but the length."""
        point = float_vector(np.asarray(embedding, dtype=np.float64))
        unit = point.denominator << exact.strengths.shift
        strengths = {k: Fraction(exact.strengths.value(k, point), unit) for k in self.kinds.concepts}
        values: list[Fraction] = []
        if self.kinds.class_index is not None:
            logits = self._exact_logits(exact, point)
            values += [logits[k] - logits[self.kinds.class_index] for k in self._logits]
        base = strengths[self.kinds.concepts[0]] if self.kinds.form is StrengthForm.RELATIVE else 0
        values += [strengths[k] - base for k in self.kinds.strengths_read]
        if not self.kinds.has_length:
            return [(value, value) for value in values]
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
        """A model whose embedding *is* the readouts: every logit and strength that is read is one of them, every other 0.

        What the engine proves of it over a region of readouts, of formulas that read nothing else, holds for all embeddings
        whose readouts lie there. With the length, which is the last mapped entry, see `AtomRows.linear_norm`.
        """
        model, kinds, size = self.model, self.kinds, self.dimension
        head = np.zeros((model.head.classes, size))
        offset = kinds.logits(model.head.classes)
        if kinds.class_index is not None:
            head[self._logits, range(offset)] = 1.0
        concepts = len(model.concept_names)
        mapped = np.zeros((concepts + kinds.has_length, size))
        mapped[list(kinds.strengths_read), range(offset, offset + len(kinds.strengths_read))] = 1.0
        if kinds.has_length:
            mapped[-1, -1] = 1.0
        width = len(mapped)
        lens = Lens(AffineMap(mapped, np.zeros(width)), model.concept_names, np.eye(concepts, width))
        return replace(model, head=Head.linear(head, np.zeros(model.head.classes)), lens=lens)


@dataclass(frozen=True, eq=False)
class AllReadouts:
    """What formulas may read of images: `strengths [image, concept]`, `lengths [image]` of y, `logits [image, class]` or None."""

    strengths: Float64
    lengths: Float64
    logits: Float64 | None

    @classmethod
    def of(cls, model: VerificationModel, embeddings: Floats, *, logits: bool = True) -> AllReadouts:
        """Of embeddings `[image, D]`, in float64."""
        data = np.asarray(embeddings, dtype=np.float64)
        mapped = model.lens.alignment(data)
        strengths = mapped @ np.asarray(model.lens.directions, dtype=np.float64).T
        logits_of_data = np.asarray(model.head.logits(data), dtype=np.float64) if logits else None
        return cls(strengths, np.linalg.norm(mapped, axis=1), logits_of_data)

    def taken(self, rows: NDArray[np.intp]) -> AllReadouts:
        """Of some of the images."""
        logits = None if self.logits is None else self.logits[rows]
        return AllReadouts(self.strengths[rows], self.lengths[rows], logits)


def _root(square: Fraction) -> Interval:
    scale = 1 << ROOT_BITS
    low = isqrt(square.numerator * scale * scale // square.denominator)
    exact = Fraction(low, scale)
    return (exact, exact) if exact * exact == square else (exact, Fraction(low + 1, scale))
