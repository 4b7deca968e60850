"""Parts of the report as a notebook shows them: styles stand on the elements, because notebooks drop style sheets and scripts."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from conspect.report.drawing import heatmap_svg
from conspect.report.pages import environment
from conspect.report.summary import cards, cause_shares
from conspect.report.wording import warnings
from conspect.results.explanations import ImageExplanation
from conspect.results.heatmaps import CountMatrix
from conspect.results.localization import Failure
from conspect.results.results import Results
from conspect.results.verification import Property

NONE: Mapping[str, str] = {}


def summary(results: Results, thumbnails: Mapping[str, str] = NONE) -> str:
    """The report's first screen; `thumbnails`: data URIs by image id."""
    return _part(
        "summary",
        headline=results.diagnosis.headline,
        warnings=warnings(results),
        cards=cards(results),
        causes=cause_shares(results),
        thumbnails=thumbnails,
    )


def unfinished(folder: str, problem: str, fix: str) -> str:
    """A study without results: what is missing, and the remedy."""
    return _part("unfinished", folder=folder, problem=problem, fix=fix)


def heatmap(title: str, names: Sequence[str], counts: CountMatrix) -> str:
    """A heatmap as a picture: share of images in which the row's concept is stronger than the column's."""
    picture = base64.b64encode(heatmap_svg(title, names, counts).encode()).decode()
    return _part("heatmap", title=title, images=counts.images, picture=picture)


def verdict(property_: Property) -> str:
    """A property with its verdict, the region it speaks of, and what of real images lies there."""
    return _part("verdict", p=property_)


def failure(record: Failure, thumbnail: str | None = None) -> str:
    """A mistake: picture, sentence, and what it is put down to."""
    return _part("failure", f=record, thumbnail=thumbnail)


def explanation(record: ImageExplanation) -> str:
    """An image explained: sentence, what would change the output, and the concepts that decide."""
    return _part("explanation", e=record)


def _part(name: str, **values: Any) -> str:
    return environment().get_template("notebook.html.j2").render(part=name, **values).strip()
