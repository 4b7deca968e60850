"""Independent decisions about images: fractions and the definition of the binomial distribution, nothing of the verifier."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np

from conspect.core.spaces import AffineMap, Floats
from conspect.language import expand
from conspect.language.syntax.tree import (
    And,
    ForImage,
    Formula,
    ForShare,
    HasConcept,
    Iff,
    Implies,
    Not,
    Or,
    Predict,
    Stronger,
)
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.planning import Obligation

Vector = list[Fraction]


def true_at(job: Obligation, subject: VerificationModel) -> bool:
    """Whether a property of one image is true."""
    assert isinstance(job.quantifier, ForImage)
    split = subject.splits["test"]
    return true_of(job.formula, split.embeddings[split.ids.index(job.quantifier.image_id)], subject)


def true_of(formula: Formula, embedding: Floats, subject: VerificationModel) -> bool:
    """Whether a formula is true of an embedding `[D]`."""
    return _true(expand(formula), np.asarray(embedding), subject)


def holds_at_least(job: Obligation, subject: VerificationModel, confidence: float) -> bool | None:
    """Whether a lone property of a share of images is decided, and how; None when the counts do not decide it."""
    assert isinstance(job.quantifier, ForShare)
    split = subject.splits[job.quantifier.images.split or subject.measure_split]
    wanted = job.quantifier.images.class_name
    chosen = [
        k for k in range(len(split.ids)) if wanted is None or split.labels[k] == subject.class_names.index(wanted)
    ]
    k, n = sum(_true(expand(job.formula), split.embeddings[row], subject) for row in chosen), len(chosen)
    return share_shown((k, k), n, job.quantifier.share, confidence)


def share_shown(true: tuple[int, int], images: int, share: Fraction, confidence: float) -> bool | None:
    """Whether the least and the largest number of images that a formula may be true for decide a share, and how."""
    n, level = images, 1 - Fraction(str(confidence))
    terms = [comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(n + 1)]
    if n and sum(terms[true[0] :]) <= level:
        return True
    return False if n and sum(terms[: true[1] + 1]) <= level else None


def _through(affine: AffineMap, point: Vector) -> Vector:
    return [
        sum((Fraction(w) * v for w, v in zip(row, point, strict=True)), Fraction(offset))
        for row, offset in zip(affine.weight.tolist(), affine.offset.tolist(), strict=True)
    ]


def _true(formula: Formula, embedding: np.ndarray, subject: VerificationModel) -> bool:
    z = [Fraction(float(v)) for v in embedding]
    values = z
    for depth, layer in enumerate(subject.head.layers):
        values = _through(layer, [max(v, Fraction(0)) for v in values] if depth else values)
    y = _through(subject.lens.alignment, z)
    directions = subject.lens.directions.tolist()
    strengths = [sum((Fraction(q) * v for q, v in zip(row, y, strict=True)), Fraction(0)) for row in directions]
    square = sum((v * v for v in y), Fraction(0))
    concepts = subject.concept_names

    def visit(node: Formula) -> bool:  # noqa: PLR0911 (one for each kind of node)
        match node:
            case Predict(name, lead):
                own = subject.class_names.index(name)
                gaps = [values[own] - v for k, v in enumerate(values) if k != own]
                return all(gap >= lead for gap in gaps) if lead else all(gap > 0 for gap in gaps)
            case Stronger(left, right):
                return strengths[concepts.index(left)] > strengths[concepts.index(right)]
            case HasConcept(name):
                return _exceeds(strengths[concepts.index(name)], Fraction(subject.thresholds[name]), square)
            case Not(operand):
                return not visit(operand)
            case And(operands):
                return all(map(visit, operands))
            case Or(operands):
                return any(map(visit, operands))
            case Implies(left, right):
                return not visit(left) or visit(right)
            case Iff(left, right):
                return visit(left) == visit(right)
            case _:
                raise AssertionError(f"{type(node).__name__} is no core node")

    return visit(formula)


def _exceeds(strength: Fraction, threshold: Fraction, square: Fraction) -> bool:
    """strength > threshold * root(square), by cases of sign."""
    bar = threshold * threshold * square
    if threshold >= 0:
        return strength > 0 and strength * strength > bar
    return strength > 0 or (strength == 0 and square > 0) or strength * strength < bar
