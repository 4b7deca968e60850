"""An assurance case in the Goal Structuring Notation: claims, how they are argued, what shows them, and where nothing does."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from conspect.results.shares import Count

# GSN Community Standard, version 3: the elements that are used here.
Element: TypeAlias = Literal["goal", "strategy", "solution", "context", "assumption"]
# `gap`: nothing in the study shows it (GSN: undeveloped); `refuted`: the study shows the contrary.
Support: TypeAlias = Literal["shown", "gap", "refuted"]


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An element. `digests`: what it rests on, by name; `supported_by`, `in_context_of`: ids of other elements."""

    id: str
    element: Element
    text: str
    support: Support
    digests: dict[str, str] = {}
    supported_by: tuple[str, ...] = ()
    in_context_of: tuple[str, ...] = ()


class AssuranceCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect evidence` writes as JSON: the elements, the root first, and how many goals are shown, open and refuted."""

    study: str
    root: str
    nodes: tuple[Node, ...]
    shown: Count
    gaps: Count
    refuted: Count
