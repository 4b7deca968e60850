"""A comparison as one HTML page and as lines of a terminal. Formats; decides nothing."""

from __future__ import annotations

from importlib import resources

from markupsafe import Markup

from conspect.core.terminal import on_one_line
from conspect.report.pages import environment
from conspect.report.policy import MARK, sealed
from conspect.results.comparison import Comparison


def render_comparison(comparison: Comparison) -> str:
    """The page as HTML text; all text of the results is escaped, and nothing is fetched."""
    style = (resources.files("conspect.report") / "templates" / "report.css").read_text(encoding="utf-8")
    page = environment().get_template("comparison.html.j2")
    return sealed(page.render(c=comparison, style=Markup(style), policy=MARK))


def comparison_lines(comparison: Comparison) -> list[str]:
    """What is compared, then its sentences."""
    sides = (comparison.before, comparison.after)
    head = [
        f"{when}: {side.name}: {side.model} on {side.images:,} {side.split} images of {side.dataset}"
        for when, side in zip(("before", "after"), sides, strict=True)
    ]
    return [on_one_line(line) for line in (*head, *comparison.sentences)]
