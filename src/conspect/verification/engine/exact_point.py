"""An exact embedding as formulas see it: truths of literals and of whole formulas, without rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from conspect.language.meaning.exact import ExactReadouts, exceeds
from conspect.verification.engine.exact import ExactModel
from conspect.verification.engine.integers import RationalVector
from conspect.verification.queries.formula_table import (
    FormulaNode,
    FormulaTable,
    NodeKind,
    concepts_asked,
    concepts_compared,
    lead_of,
    leads_asked,
    predicts,
    truth,
)
from conspect.verification.queries.negation import AtomRows, ConeLiteral, Literal


@dataclass(eq=False)
class ExactPoint:
    """An exact embedding with its forms, evaluated when asked."""

    model: ExactModel
    located: Callable[[], RationalVector]
    base: Callable[[int], int | Fraction]
    rows: AtomRows
    memory: dict[int, int | Fraction] = field(default_factory=dict)

    @cached_property
    def embedding(self) -> RationalVector:
        """The embedding itself; comparisons of base forms can do without."""
        return self.located()

    def value(self, row: int) -> int | Fraction:
        """Base form at this point, times a positive factor common to all base forms."""
        if row not in self.memory:
            self.memory[row] = self.base(row)
        return self.memory[row]

    def satisfies(self, literal: Literal) -> bool:
        """Whether a literal of a state is true here."""
        if isinstance(literal, ConeLiteral):
            return self.has_concept(literal.concept) == literal.wanted
        first, second, strict = literal
        difference = self.value(first) - self.value(second)
        return difference > 0 or (difference == 0 and not strict)

    def has_concept(self, concept: int) -> bool:
        """strength > threshold; a mapped embedding of zero has no concept."""
        if self.rows.linear_norm:
            return self.value(self.model.classes + concept) > self.value(self.rows.threshold_row(concept))
        return exceeds(self.numerator(concept), self.rows.thresholds[concept], self.squared_norm())

    def reading(self, table: FormulaTable, names: tuple[tuple[str, ...], tuple[str, ...]]) -> ExactReadouts:
        """This point as the reference semantics reads it.

        Only what the formula mentions is computed. Without `hasCon` strengths share one positive factor, and without a lead
        logits do, which no comparison can see and which spares their reduction to lowest terms.
        """
        asked, compared = concepts_asked(table), concepts_compared(table)
        numerators = [Fraction(0)] * len(names[1])
        for k in compared:
            numerators[k] = Fraction(self.value(self.model.classes + k))
        squared = Fraction(0)
        if asked:
            squared = self.squared_norm()
            for k in compared | asked:
                numerators[k] = self.numerator(k)
        predicted = predicts(table)
        unit = self._unit(table)
        logits = [self.value(k) / unit if predicted else Fraction(0) for k in range(self.model.classes)]
        thresholds = tuple(self.rows.thresholds.get(k) for k in range(len(names[1])))
        return ExactReadouts(names[0], names[1], tuple(logits), tuple(numerators), squared, thresholds)

    def _unit(self, table: FormulaTable) -> Fraction:
        """What logits are multiplied by here, where a lead is compared with them: a raised logit tells. 1 otherwise."""
        lead = max(leads_asked(table), default=Fraction(0))
        if not lead:
            return Fraction(1)
        return Fraction(self.value(self.rows.raised_row(0, lead)) - self.value(0)) / lead

    def numerator(self, concept: int) -> Fraction:
        """q'y."""
        forms = self.model.strengths
        return Fraction(forms.value(concept, self.embedding), self.embedding.denominator << forms.shift)

    def squared_norm(self) -> Fraction:
        """y'y for y = M z + d."""
        mapped = self.model.mapped
        total = sum(mapped.value(row, self.embedding) ** 2 for row in range(len(mapped.rows)))
        return Fraction(total, (self.embedding.denominator << mapped.shift) ** 2)

    def predicts(self, index: int, lead: Fraction = Fraction(0)) -> bool:
        """Whether the logit of a class is strictly larger than every other; with a lead, at least that much larger."""
        own = self.value(index)
        others = [other for other in range(self.model.classes) if other != index]
        if lead == 0:
            return all(own > self.value(other) for other in others)
        return all(own >= self.value(self.rows.raised_row(other, lead)) for other in others)

    def makes_true(self, table: FormulaTable) -> bool:
        """Truth of a formula here, under the meaning of the language, exactly."""
        return truth(table, self._has_atom)

    def _has_atom(self, atom: FormulaNode) -> bool:
        if atom[0] == NodeKind.PREDICT:
            return self.predicts(int(atom[1]), lead_of(atom))
        if atom[0] == NodeKind.HAS:
            return self.has_concept(int(atom[1]))
        first, second = (self.value(self.model.classes + int(concept)) for concept in atom[1:])
        return first > second
