"""How far floats may be from the exact readouts of an embedding: bounds for float64 (to decide) and float32 (at run time).

A sum of n products in any order, with or without fused steps, is off by at most n u / (1 - n u) times the sum of the
products' sizes, where u is the unit roundoff (Higham 2002, ch. 3 and 4). The bounds follow a head's layers and the lens
by that rule; they are evaluated in float64 and widened by far more than that evaluation can lose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conspect.core.regions import Region
from conspect.core.spaces import AffineMap, Float64
from conspect.verification.queries.formula_table import FormulaTable, NodeKind, lead_of
from conspect.verification.queries.model import VerificationModel

DOUBLE, SINGLE = 2.0**-53, 2.0**-24
_WIDER = 1.0 + 1e-6
_TINY = 1e-290  # covers what underflow can lose


@dataclass(frozen=True, eq=False)
class ReadoutErrors:
    """Bounds on |computed - exact|: `logits [image, class]`, `numerators [image, concept]` (q'y), `norm [image]` (|y|)."""

    logits: Float64
    numerators: Float64
    norm: Float64


def readout_errors(model: VerificationModel, magnitudes: Float64, unit: float) -> ReadoutErrors:
    """Bounds for embeddings with |z| <= `magnitudes [image, D]`, computed with unit roundoff `unit`.

    Weights, offsets and embedding are rounded to that precision first; with float64 that loses nothing and the bound is
    merely wider.
    """
    values, errors = magnitudes, unit * magnitudes
    for layer in model.head.layers:  # a ReLU between two of them enlarges neither sizes nor errors
        values, errors = _through(layer, values, errors, unit)
    logits = errors
    mapped, mapped_errors = _through(model.lens.alignment, magnitudes, unit * magnitudes, unit)
    directions = AffineMap(np.asarray(model.lens.directions, dtype=np.float64), np.zeros(len(model.concept_names)))
    sizes, numerators = _through(directions, mapped, mapped_errors, unit)
    numerators = numerators + 4 * unit * sizes  # at run time strengths are divided by the length, which rounds as well
    width = mapped.shape[1]
    length = np.sqrt(np.square(mapped).sum(axis=1))
    norm = np.sqrt(np.square(mapped_errors).sum(axis=1)) + _gamma(width + 4, unit) * length
    return ReadoutErrors(*(_WIDER * part + _TINY for part in (logits, numerators, norm)))


def formula_slack(model: VerificationModel, region: Region, table: FormulaTable) -> float:
    """How far float32 inference can move the gap of any atom of a formula, at any embedding of a region.

    A formula whose margin is larger than this keeps its value: a margin changes by no more than its atoms' gaps do.
    """
    factor, size = np.abs(region.factor), float(region.size)
    if region.factor.ndim == 2:
        reach = factor.sum(axis=1) if region.norm == "max" else np.sqrt(np.square(factor).sum(axis=1))
    else:
        reach = factor
    with np.errstate(all="ignore"):
        errors = readout_errors(model, (np.abs(region.centre) + size * reach)[None, :], SINGLE)
    logits, numerators, norm = errors.logits[0], errors.numerators[0], float(errors.norm[0])
    slack = 0.0
    for node in table:
        args = [int(value) for value in node[1:]] if node[0] in (NodeKind.STRONGER, NodeKind.HAS) else []
        if node[0] == NodeKind.PREDICT:
            own = int(node[1])
            others = np.delete(logits, own)
            # A lead is rounded itself, and so is the difference of logits that it is compared with.
            lead = 2 * SINGLE * _WIDER * float(lead_of(node))
            slack = max(slack, float(logits[own] + others.max(initial=0.0)) + lead)
        elif node[0] == NodeKind.STRONGER:
            slack = max(slack, float(numerators[args[0]] + numerators[args[1]]))
        elif node[0] == NodeKind.HAS:
            threshold = abs(model.thresholds[model.concept_names[args[0]]])
            slack = max(slack, float(numerators[args[0]]) + threshold * norm)
    return slack


def _through(affine: AffineMap, values: Float64, errors: Float64, unit: float) -> tuple[Float64, Float64]:
    """Sizes and error bounds behind an affine map, from those before it."""
    weight = np.abs(np.asarray(affine.weight, dtype=np.float64))
    sizes = (values + errors) @ weight.T + np.abs(affine.offset)
    # Two more roundings than terms: the weight's own, and that of the offset's addition.
    return sizes, errors @ weight.T + _gamma(weight.shape[1] + 3, unit) * sizes


def _gamma(terms: int, unit: float) -> float:
    return terms * unit / (1.0 - terms * unit)
