"""The reference meaning of formulas over arrays: true or false, and by how much. Plain recursion, nothing clever.

Strict everywhere: a tie satisfies neither `a > b` nor `b > a`, and where two logits share the top no class is
predicted. A positive margin means true and a negative one false. A margin of exactly zero decides nothing: at a tie
`a > b` is false and `not a > b` is true, both with margin 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64, Floats
from conspect.language.meaning.expansion import expand
from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger

Truth: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Readouts:
    """What formulas are evaluated on: `logits [image, class]`, `strengths [image, concept]`, `thresholds [concept]`.

    Strengths are cosines in [-1, 1], higher = more present. Thresholds are in the same unit, NaN where a concept has
    none. Raises UserError when shapes and names do not fit or a value is not finite.
    """

    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    logits: Floats
    strengths: Floats
    thresholds: Floats | None = None

    def __post_init__(self) -> None:
        fix = "logits are [image, class], strengths [image, concept], thresholds [concept], one name per column"
        images = len(self.logits)
        if self.logits.shape != (images, len(self.class_names)):
            raise user_error("SPEC303", f"logits {self.logits.shape} for {len(self.class_names)} classes", fix)
        if self.strengths.shape != (images, len(self.concept_names)):
            problem = f"strengths {self.strengths.shape} for {images} images and {len(self.concept_names)} concepts"
            raise user_error("SPEC303", problem, fix)
        if self.thresholds is not None and self.thresholds.shape != (len(self.concept_names),):
            problem = f"thresholds {self.thresholds.shape} for {len(self.concept_names)} concepts"
            raise user_error("SPEC303", problem, fix)
        if not (np.isfinite(self.logits).all() and np.isfinite(self.strengths).all()):
            raise user_error("SPEC303", "a logit or strength is not finite", "leave out the images without a result")

    @cached_property
    def class_columns(self) -> dict[str, int]:
        """Column of each class in `logits`."""
        return {name: column for column, name in enumerate(self.class_names)}

    @cached_property
    def concept_columns(self) -> dict[str, int]:
        """Column of each concept in `strengths`."""
        return {name: column for column, name in enumerate(self.concept_names)}

    def logit_gap(self, class_name: str) -> Float64:
        """Logit of the class minus the largest other logit `[image]`; infinite when there is no other class."""
        column = _column(self.class_columns, class_name, "class")
        logits = np.asarray(self.logits, dtype=np.float64)
        others = np.delete(logits, column, axis=1)
        return np.asarray(logits[:, column] - others.max(axis=1, initial=-np.inf))

    def strength(self, concept: str) -> Float64:
        """Strength of a concept `[image]`, float64."""
        return np.asarray(self.strengths[:, _column(self.concept_columns, concept, "concept")], dtype=np.float64)

    def threshold(self, concept: str) -> float:
        """Threshold of a concept. Raises UserError when it has none."""
        column = _column(self.concept_columns, concept, "concept")
        value = np.nan if self.thresholds is None else float(self.thresholds[column])
        if np.isnan(value):
            raise user_error("SPEC304", f"concept '{concept}' has no threshold", "calibrate it, or give it by hand")
        return value


def _column(columns: dict[str, int], name: str, what: str) -> int:
    if name not in columns:
        known = ", ".join(list(columns)[:20])
        raise user_error("SPEC304", f"the reading has no {what} '{name[:40]}'", f"it has: {known}")
    return columns[name]


def holds(formula: Formula, reading: Readouts) -> Truth:
    """Where the formula is true `[image]`."""
    return _holds(expand(formula), reading)


def margin(formula: Formula, reading: Readouts) -> Float64:
    """By how much the formula is true `[image]`, float64: min for and, max for or, sign change for not.

    Atoms: logit minus the largest other logit (and minus the lead asked for); difference of two strengths; strength
    minus threshold. Logits and cosines are different units, so margins compare only between images, for one formula.
    """
    return _margin(expand(formula), reading)


def _holds(formula: Formula, reading: Readouts) -> Truth:  # noqa: PLR0911 (one return for each kind of node)
    match formula:
        case Predict(class_name, lead):
            gap = reading.logit_gap(class_name)
            return np.asarray(gap >= float(lead) if lead else gap > 0)
        case Stronger(left, right):
            return np.asarray(reading.strength(left) > reading.strength(right))
        case HasConcept(concept):
            return np.asarray(reading.strength(concept) > reading.threshold(concept))
        case Not(operand):
            return ~_holds(operand, reading)
        case And(operands):
            true = np.ones(len(reading.logits), dtype=np.bool_)
            return reduce(np.logical_and, [_holds(part, reading) for part in operands], true)
        case Or(operands):
            false = np.zeros(len(reading.logits), dtype=np.bool_)
            return reduce(np.logical_or, [_holds(part, reading) for part in operands], false)
        case Implies(left, right):
            return ~_holds(left, reading) | _holds(right, reading)
        case Iff(left, right):
            return np.asarray(_holds(left, reading) == _holds(right, reading))
        case _:
            raise AssertionError(f"{type(formula).__name__} is no core node")


def _margin(formula: Formula, reading: Readouts) -> Float64:  # noqa: PLR0911 (one return for each kind of node)
    match formula:
        case Predict(class_name, lead):
            return np.asarray(reading.logit_gap(class_name) - float(lead))
        case Stronger(left, right):
            return np.asarray(reading.strength(left) - reading.strength(right))
        case HasConcept(concept):
            return np.asarray(reading.strength(concept) - reading.threshold(concept))
        case Not(operand):
            return -_margin(operand, reading)
        case And(operands):
            return _least([_margin(part, reading) for part in operands], len(reading.logits))
        case Or(operands):
            return -_least([-_margin(part, reading) for part in operands], len(reading.logits))
        case Implies(left, right):
            return np.asarray(np.maximum(-_margin(left, reading), _margin(right, reading)))
        case Iff(left, right):
            a, b = _margin(left, reading), _margin(right, reading)
            return np.asarray(np.minimum(np.maximum(-a, b), np.maximum(a, -b)))
        case _:
            raise AssertionError(f"{type(formula).__name__} is no core node")


def _least(parts: Sequence[Float64], images: int) -> Float64:
    return reduce(lambda a, b: np.asarray(np.minimum(a, b)), parts, np.full(images, np.inf))
