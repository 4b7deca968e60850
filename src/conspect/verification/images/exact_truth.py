"""Where a formula is true among images, exactly: floats with a rigorous error bound settle most, integers the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats
from conspect.language import expand, holds_exactly
from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger
from conspect.verification.engine.exact import ExactModel
from conspect.verification.engine.exact_point import ExactPoint
from conspect.verification.engine.integers import float_vector
from conspect.verification.engine.relu import exact_logits
from conspect.verification.engine.rounding import DOUBLE, readout_errors
from conspect.verification.queries.formula_table import FormulaTable, leads_asked, tabulate
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.negation import AtomRows
from conspect.verification.queries.numbers import require_finite
from conspect.verification.queries.planning import names_of

Truth = NDArray[np.bool_]


class Bounds(NamedTuple):
    """Three-valued truth of images: certainly true, and possibly true; they differ where floats cannot tell."""

    surely: Truth
    maybe: Truth


@dataclass(frozen=True, eq=False)
class SplitReadouts:
    """Float readouts of images with their error bounds, `[image, ...]`."""

    logits: Float64
    numerators: Float64
    norm: Float64
    logit_errors: Float64
    numerator_errors: Float64
    norm_errors: Float64

    def taken(self, rows: NDArray[np.integer]) -> SplitReadouts:
        """Those of some images."""
        parts = (self.logits, self.numerators, self.norm, self.logit_errors, self.numerator_errors, self.norm_errors)
        return SplitReadouts(*(part[rows] for part in parts))


@dataclass(eq=False)
class ExactTruth:
    """Truths of formulas at embeddings of one model; readouts of a split are kept."""

    model: VerificationModel
    _exact: ExactModel | None = None
    _readouts: dict[str, SplitReadouts] = field(default_factory=dict)

    def of_split(self, formula: Formula, split: str) -> Truth:
        """Where a formula is true among all images of a split, `[image]`."""
        embeddings = self.model.splits[split].embeddings
        if split not in self._readouts:
            self._readouts[split] = self.readouts(embeddings)
        bounds = self.bounds(formula, self._readouts[split])
        truth = bounds.surely.copy()
        for row in np.flatnonzero(bounds.maybe & ~bounds.surely).tolist():
            truth[row] = self.at(formula, embeddings[row])
        return truth

    def at(self, formula: Formula, embedding: Floats) -> bool:
        """Whether a formula is true at one embedding, in exact arithmetic."""
        table = tabulate(formula, names_of(self.model))
        point = self.point(embedding, table)
        return holds_exactly(formula, point.reading(table, (self.model.class_names, self.model.concept_names)))

    def point(self, embedding: Floats, table: FormulaTable) -> ExactPoint:
        """The exact point of an embedding, for the atoms of a formula."""
        model = self.model
        require_finite(embedding, "the embeddings")
        if self._exact is None:
            linear = model.head.layers[0] if model.head.is_linear else None
            self._exact = ExactModel.of(linear, model.head.classes, model.lens)
        exact = self._exact
        thresholds = {
            k: Fraction(model.thresholds[name])
            for k, name in enumerate(model.concept_names)
            if name in model.thresholds
        }
        rows = AtomRows(model.head.classes, len(model.concept_names), thresholds, tuple(sorted(leads_asked(table))))
        vector = float_vector(np.asarray(embedding, dtype=np.float64))
        unit = vector.denominator << exact.shift
        logits: list[Fraction] = []
        if not model.head.is_linear:
            logits = exact_logits(model.head, [Fraction(v, vector.denominator) for v in vector.integers])

        def value(row: int) -> int | Fraction:
            entry = rows.logit(row)
            if entry is None:
                return exact.value(row, vector)
            own = logits[entry.class_index] * unit if logits else exact.value(entry.class_index, vector)
            return own + entry.lead * unit

        return ExactPoint(exact, lambda: vector, value, rows)

    def readouts(self, embeddings: Floats) -> SplitReadouts:
        """Readouts in float64 with their error bounds; what overflows has an infinite bound, or is no number."""
        data = np.asarray(embeddings, dtype=np.float64)
        with np.errstate(all="ignore"):
            mapped = self.model.lens.alignment(data)
            errors = readout_errors(self.model, np.abs(data), DOUBLE)
            return SplitReadouts(
                np.asarray(self.model.head.logits(data), dtype=np.float64),
                mapped @ np.asarray(self.model.lens.directions, dtype=np.float64).T,
                np.linalg.norm(mapped, axis=1),
                errors.logits,
                errors.numerators,
                errors.norm,
            )

    def bounds(self, formula: Formula, readouts: SplitReadouts) -> Bounds:
        """What floats can tell of a formula, by Kleene's rules."""
        with np.errstate(all="ignore"):
            return self._bounds(expand(formula), readouts)

    def _bounds(self, formula: Formula, r: SplitReadouts) -> Bounds:  # noqa: PLR0911 (one for each kind of node)
        match formula:
            case Predict(name, lead):
                own = self.model.class_names.index(name)
                others = [k for k in range(self.model.head.classes) if k != own]
                gaps = r.logits[:, [own]] - r.logits[:, others] - float(lead)
                slack = r.logit_errors[:, [own]] + r.logit_errors[:, others]
                # The subtraction and the lead's own rounding are covered twice over by the wider bound of a product.
                slack = slack + 4 * DOUBLE * (np.abs(r.logits[:, [own]]) + np.abs(r.logits[:, others]) + float(lead))
                return Bounds(np.asarray((gaps > slack).all(axis=1)), ~np.asarray((gaps < -slack).any(axis=1)))
            case Stronger(left, right):
                i, j = (self.model.concept_names.index(name) for name in (left, right))
                slack = r.numerator_errors[:, i] + r.numerator_errors[:, j]
                return _sign(r.numerators[:, i], r.numerators[:, j], slack)
            case HasConcept(name):
                k, threshold = self.model.concept_names.index(name), self.model.thresholds[name]
                slack = r.numerator_errors[:, k] + abs(threshold) * r.norm_errors
                truth = _sign(r.numerators[:, k], threshold * r.norm, slack)
                # A mapped embedding of zero has no concept, whatever the threshold: only integers see an exact zero.
                present = r.norm > r.norm_errors
                return Bounds(truth.surely & present, truth.maybe | ~present)
            case Not(operand):
                inner = self._bounds(operand, r)
                return Bounds(~inner.maybe, ~inner.surely)
            case And(operands) | Or(operands):
                parts = [self._bounds(part, r) for part in operands]
                combine = np.logical_and.reduce if isinstance(formula, And) else np.logical_or.reduce
                surely, maybe = combine([p.surely for p in parts]), combine([p.maybe for p in parts])
                return Bounds(np.asarray(surely), np.asarray(maybe))
            case Implies(left_side, right_side):
                return self._bounds(Or((Not(left_side), right_side)), r)
            case Iff(left_side, right_side):
                both, neither = And((left_side, right_side)), And((Not(left_side), Not(right_side)))
                return self._bounds(Or((both, neither)), r)
            case _:
                raise AssertionError(f"{type(formula).__name__} is no core node")


def _sign(above: Float64, below: Float64, slack: Float64) -> Bounds:
    slack = slack + 4 * DOUBLE * (np.abs(above) + np.abs(below))
    gap = above - below
    # Comparisons with what is no number are false, which leaves such images open.
    return Bounds(gap > slack, ~(gap < -slack))
