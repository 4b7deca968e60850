"""The report's section on failure groups: what fails together, and what the images hardly contain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from conspect.report.pages import Part, environment
from conspect.results.failure_groups import FailureGroup, FailureSearch

PICTURES = 8


def groups_part(groups: Sequence[FailureGroup], search: FailureSearch, thumbnails: Mapping[str, str]) -> Part:
    """The section: each group in a sentence with some of its images, the largest first."""
    pictures = [[name for name in group.images if name in thumbnails][:PICTURES] for group in groups]
    html = (
        environment()
        .get_template("failure_groups.html.j2")
        .render(groups=zip(groups, pictures, strict=True), search=search, thumbnails=thumbnails)
    )
    return Part("groups", "Which failures belong together?", "Groups", Markup(html))
