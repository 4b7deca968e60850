"""What all pages share: the template environment, and the parts a page is made of."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from conspect.core.chances import p_value_cell, p_value_words
from conspect.core.percentages import percent, percent_range


@dataclass(frozen=True)
class Part:
    """A further section of the page: anchor, title, its name in the navigation, and HTML that is already escaped."""

    id: str
    title: str
    short: str
    html: Markup


@cache
def environment() -> Environment:
    """The template environment of all pages: everything is escaped, and a missing value is an error."""
    made = Environment(
        loader=PackageLoader("conspect.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    made.filters["percent"] = percent
    # What was proved up to a size is not printed as proved up to a larger one.
    made.filters["proved"] = lambda size: str(Decimal(size).quantize(Decimal("0.01"), ROUND_FLOOR))
    made.filters["points"] = lambda difference: f"{100 * difference:+.1f}"
    made.filters["p_value"] = p_value_words
    made.filters["chance"] = p_value_cell
    made.filters["number"] = lambda count: f"{count:,}"
    made.filters["interval"] = lambda share: percent_range(share.low, share.high)
    return made
