"""The report's sections on metadata: how the model does on parts of the data, and whether the lens sees labelled concepts."""

from __future__ import annotations

from markupsafe import Markup

from conspect.report.pages import Part, environment
from conspect.results.slices import ConceptLabels, Slices

SHOWN = 20


def slices_part(slices: Slices) -> Part:
    """The section on slices, those with the lowest accuracy first."""
    html = environment().get_template("slices.html.j2").render(s=slices, shown=slices.slices[:SHOWN])
    return Part("slices", "Where in the data", "Slices", Markup(html))


def concept_part(labelled: ConceptLabels) -> Part:
    """The section on labelled concepts: those that the lens sees worst first."""
    worst = sorted(labelled.concepts, key=lambda row: 2.0 if row.lens.auroc is None else row.lens.auroc)
    html = environment().get_template("concept_labels.html.j2").render(c=labelled, concepts=worst)
    return Part("concepts", "Does the lens see the concept?", "Labels", Markup(html))
