"""What can be proved of outputs that the model is sure of: provable coverage against the lead of the winning logit.

A property of a class is asked with the premise that the class leads by L logits; the more it has to lead, the fewer
embeddings the property speaks of, and the wider the region over which it is proved. How many images lead by so much says
what that costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from conspect.core.protocols import ProgressBar, silent
from conspect.core.regions import Shape
from conspect.language.syntax.tree import ForAll, Formula, Implies, Predict
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.regions.provable import ProvableCoverage


@dataclass(frozen=True, slots=True)
class LeadPoint:
    """One lead. `leading` of `images` held-out images of the properties' classes have an output of their class that leads by
    it; `coverages`: of each property, the guaranteed coverage of the largest region over which it is proved (0 for none)."""

    lead: Fraction
    leading: int
    images: int
    coverages: tuple[Fraction, ...]


def with_lead(formula: Formula, class_name: str, lead: Fraction) -> Formula:
    """The formula for outputs of a class that lead by at least so much; a larger lead of its own stays."""
    if lead == 0:
        return formula
    if isinstance(formula, Implies) and isinstance(formula.left, Predict) and formula.left.class_name == class_name:
        return Implies(Predict(class_name, max(lead, formula.left.lead)), formula.right)
    return Implies(Predict(class_name, lead), formula)


def lead_curve(
    obligations: Sequence[Obligation],
    model: VerificationModel,
    leads: Sequence[Fraction],
    shape: Shape = "span",
    bar: ProgressBar = silent,
) -> list[LeadPoint]:
    """One point for each lead, over the properties that speak of a class; none without such properties.

    Every region is proved in exact arithmetic. VERIFY006 for a class without embeddings.
    """
    asked = [job for job in obligations if isinstance(job.quantifier, ForAll) and job.class_name is not None]
    if not asked:
        return []
    options, truth = VerifyOptions(), ExactTruth(model)
    focus = FocusRegions(model, options)
    names = names_of(model)
    points = []
    for lead in leads:
        jobs = []
        for job in asked:
            formula = with_lead(job.formula, job.class_name or "", lead)
            jobs.append(replace(job, formula=formula, table=tabulate(formula, names)))
        proved = ProvableCoverage.of(jobs, model, options).search(jobs, (shape,), bar)
        leading = images = 0
        for class_name in dict.fromkeys(job.class_name or "" for job in asked):
            members = focus.members(model.measure_split, class_name)
            leading += int(truth.of_split(Predict(class_name, lead), model.measure_split)[members].sum())
            images += int(members.sum())
        points.append(
            LeadPoint(lead, leading, images, tuple(p[shape].coverage if shape in p else Fraction(0) for p in proved))
        )
    return points
