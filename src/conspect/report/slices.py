"""The report's sections on metadata: how the model does on parts of the data, and whether the lens sees labelled concepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from conspect.report.pages import Part, environment

Json = Mapping[str, Any]
SHOWN = 20


def slices_part(found: Json, _thumbnails: Mapping[str, str]) -> Part:
    """The section, from `results["slices"]`: the slices with the lowest accuracy first."""
    html = environment().get_template("slices.html.j2").render(s=found, shown=found["slices"][:SHOWN])
    return Part("slices", "Where in the data", Markup(html))


def concept_part(found: Json, _thumbnails: Mapping[str, str]) -> Part:
    """The section, from `results["concept_labels"]`: the concepts that the lens sees worst first."""
    worst = sorted(found["concepts"], key=lambda one: 2.0 if one["lens"]["auroc"] is None else one["lens"]["auroc"])
    html = environment().get_template("concept_labels.html.j2").render(c=found, concepts=worst)
    return Part("concepts", "Does the lens see the concept?", Markup(html))
