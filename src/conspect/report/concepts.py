"""The report's section on grades: which concepts are seen, and why others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from conspect.report.pages import Part, environment
from conspect.results.concepts import Concept, Grade

ORDER: tuple[Grade, ...] = ("seen", "partly", "not seen")


def grades_part(concepts: Sequence[Concept]) -> Part:
    """The section on the concepts' grades, the best first."""
    counts = Counter(concept.grade for concept in concepts)
    html = (
        environment()
        .get_template("grades.html.j2")
        .render(
            concepts=sorted(concepts, key=lambda concept: ORDER.index(concept.grade)),
            counts=[(grade, counts[grade]) for grade in ORDER],
        )
    )
    return Part("grades", "Which concepts are seen?", "Concepts", Markup(html))
