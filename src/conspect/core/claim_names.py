"""How claims beside that of a property itself are named, and which names of properties would be taken for one of these."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple


class EndName(NamedTuple):
    """How the claims about the two ends of a property's sizes are named."""

    low: str = "at its largest proved size"
    high: str = "at its smallest refuted size"


END_NAMES = EndName()
AROUND_IMAGES = "around images"
OUTPUT = "output"  # what an extent is of, where it is of no property
# Behind the name of a property: an end of its sizes, a coverage, a shape, images.
_RESERVED = re.compile(
    rf".*\s(?:{END_NAMES.low}|{END_NAMES.high}|{AROUND_IMAGES}|at a coverage of\s.*"
    r"|over (?:box|ellipsoid|pca-box|span|band))\s*",
    re.DOTALL,
)


def over_shape(name: str, shape: str) -> str:
    """The name of the claim about the largest region of a shape over which a property is proved."""
    return f"{name} over {shape}"


def at_coverage(name: str, coverage: Fraction) -> str:
    """The name of the claim about the smallest box that covers a share of a property's class."""
    return f"{name} at a coverage of {coverage}"


def around_images(name: str) -> str:
    """The name of the claim about a property around the images of its class."""
    return f"{name} {AROUND_IMAGES}"


def is_reserved(name: str) -> bool:
    """Whether a property of this name would be taken for a claim about another property."""
    return _RESERVED.fullmatch(name) is not None
