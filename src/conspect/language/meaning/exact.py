"""The reference meaning at one point in exact rational arithmetic: what replays a witness.

A strength is q'y / ||y||, whose norm is in general irrational. Nothing is rounded: two strengths compare as their
numerators q'y do, and q'y > t ||y|| is decided by the signs and the squares of both sides. Where y vanishes no
direction exists: no concept is present (`hasCon` is false) and no two strengths differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from conspect.core.diagnostics import user_error
from conspect.language.meaning.expansion import expand
from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger


@dataclass(frozen=True, slots=True)
class ExactReadouts:
    """One embedding z, read exactly: y = M z + d.

    `logits [class]`; `numerators [concept]`: q_k'y; `squared_norm`: y'y; `thresholds [concept]`: cosines, None where a
    concept has none.
    """

    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    logits: tuple[Fraction, ...]
    numerators: tuple[Fraction, ...]
    squared_norm: Fraction
    thresholds: tuple[Fraction | None, ...] | None = None

    def __post_init__(self) -> None:
        fits = len(self.logits) == len(self.class_names) and len(self.numerators) == len(self.concept_names)
        fits = fits and (self.thresholds is None or len(self.thresholds) == len(self.concept_names))
        if not fits or self.squared_norm < 0:
            fix = "one logit per class, one numerator and threshold per concept, a squared norm of at least 0"
            raise user_error("SPEC303", "the numbers of an exact reading do not fit its names", fix)


def exceeds(numerator: Fraction, threshold: Fraction, squared_norm: Fraction) -> bool:
    """Whether numerator > threshold * sqrt(squared_norm), decided by signs and squares."""
    if threshold >= 0:
        return numerator > 0 and numerator * numerator > threshold * threshold * squared_norm
    if numerator >= 0:
        return numerator > 0 or squared_norm > 0
    return numerator * numerator < threshold * threshold * squared_norm


def holds_exactly(formula: Formula, reading: ExactReadouts) -> bool:
    """Whether the formula is true at one point; same meaning as `holds`, without rounding."""
    return _holds(expand(formula), reading)


def _position(names: Sequence[str], name: str, what: str) -> int:
    if name not in names:
        raise user_error("SPEC304", f"the reading has no {what} '{name[:40]}'", f"it has: {', '.join(names[:20])}")
    return names.index(name)


def _holds(formula: Formula, reading: ExactReadouts) -> bool:  # noqa: PLR0911 (one return for each kind of node)
    match formula:
        case Predict(class_name, lead):
            chosen = _position(reading.class_names, class_name, "class")
            own, others = reading.logits[chosen], [v for i, v in enumerate(reading.logits) if i != chosen]
            return all(own - other >= lead for other in others) if lead else all(own > other for other in others)
        case Stronger(left, right):
            i = _position(reading.concept_names, left, "concept")
            j = _position(reading.concept_names, right, "concept")
            return reading.numerators[i] > reading.numerators[j]
        case HasConcept(concept):
            return _present(concept, reading)
        case Not(operand):
            return not _holds(operand, reading)
        case And(operands):
            return all(_holds(part, reading) for part in operands)
        case Or(operands):
            return any(_holds(part, reading) for part in operands)
        case Implies(left, right):
            return not _holds(left, reading) or _holds(right, reading)
        case Iff(left, right):
            return _holds(left, reading) == _holds(right, reading)
        case _:
            raise AssertionError(f"{type(formula).__name__} is no core node")


def _present(concept: str, reading: ExactReadouts) -> bool:
    k = _position(reading.concept_names, concept, "concept")
    threshold = None if reading.thresholds is None else reading.thresholds[k]
    if threshold is None:
        raise user_error("SPEC304", f"concept '{concept}' has no threshold", "calibrate it, or give it by hand")
    return exceeds(reading.numerators[k], threshold, reading.squared_norm)
