"""An assurance case as an SVG drawing in the Goal Structuring Notation. Draws; decides nothing."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Sequence
from html import escape

from conspect.core.terminal import on_one_line
from conspect.report.plain import in_xml
from conspect.results.assurance import AssuranceCase, Node, Support

LINE, GAP_X, GAP_Y, MARGIN = 14, 24, 60, 12
# Signs in a row of text, and the width of a sign at this size of letters.
CHARACTERS, ROUND_CHARACTERS, SIGN = 36, 26, 5.9
WIDTH = 230.0
TOP = 40.0
# Leaves drawn below one strategy; the JSON has all of them.
LEAVES_DRAWN = 4
COLOURS: dict[Support, str] = {"shown": "#2b7a4b", "gap": "#9a6700", "refuted": "#b3261e"}
WORDS: dict[Support, str] = {"shown": "shown", "gap": "gap", "refuted": "refuted"}
# First drawn: what is refuted, then what is open.
ORDER: dict[Support, int] = {"refuted": 0, "gap": 1, "shown": 2}


# The arrows of the notation: solid where a claim is supported, hollow where it is read in a context.
ARROWS = (
    '<defs><marker id="supported" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 L10 5 L0 10 z" fill="#555"/></marker>'
    '<marker id="context" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M1 1 L9 5 L1 9 z" fill="#fff" stroke="#555"/></marker></defs>'
)


def assurance_svg(case: AssuranceCase) -> str:
    """The tree from the root down, contexts at its right: goals as boxes, strategies slanted, solutions as circles, contexts
    with round corners, assumptions as ellipses with an A. A goal that nothing supports bears a diamond.

    Source: GSN Community Standard, version 3, part 1.
    """
    nodes = {node.id: node for node in case.nodes}
    drawing = _Drawing(nodes)
    width, depth = drawing.place(case.root, MARGIN, TOP)
    right, bottom = drawing.contexts(case.root, MARGIN + width)
    total, height = right + MARGIN, max(depth, bottom) + 2 * MARGIN + 18
    title = f"Assurance case of {case.study}: {case.shown} goals shown, {case.gaps} open, {case.refuted} refuted"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.0f} {height:.0f}" '
        f'width="{total:.0f}" height="{height:.0f}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="11">\n<title>{_safe(title)}</title>\n{ARROWS}\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n<text x="12" y="20" font-size="14">{_safe(title)}</text>\n'
        + "\n".join([*drawing.lines, *drawing.shapes])
        + "\n</svg>\n"
    )


class _Drawing:
    def __init__(self, nodes: dict[str, Node]) -> None:
        self.nodes = nodes
        self.lines: list[str] = []
        self.shapes: list[str] = []

    def place(self, name: str, left: float, top: float) -> tuple[float, float]:
        """Draws the tree below a node with its left edge at `left`; returns its width and its lowest y."""
        node = self.nodes[name]
        own_width, height = _size(node)
        children = sorted(node.supported_by, key=lambda child: ORDER[self.nodes[child].support])
        drawn = children if len(children) <= LEAVES_DRAWN or name in self._inner() else children[:LEAVES_DRAWN]
        if node.element == "strategy":
            width, bottom = self._column(drawn, left, top + height, own_width)
        else:
            width, bottom = self._row(drawn, left, top + height, own_width)
        width = max(own_width, width)
        centre = left + width / 2
        if len(drawn) < len(children):
            self.shapes.append(
                f'<text x="{centre:.0f}" y="{top + height + 20:.0f}" text-anchor="middle">'
                f"and {len(children) - len(drawn):,} more (see the JSON)</text>"
            )
        self.shape(node, centre, top)
        return width, bottom

    def _row(self, names: Sequence[str], left: float, level: float, parent: float) -> tuple[float, float]:
        """Draws the trees of children side by side below `level`; `parent`: the width of what they support."""
        total = sum(self._width(name) for name in names) + GAP_X * (len(names) - 1)
        x, bottom, centres = left + max(0.0, (parent - total) / 2), level, []
        for name in names:
            width, low = self.place(name, x, level + GAP_Y)
            centres.append(x + width / 2)
            x, bottom = x + width + GAP_X, max(bottom, low)
        width = max(parent, total)
        start = left + width / 2
        for centre in centres:
            self._arrow(f"M{start:.0f} {level:.0f} L{centre:.0f} {level + GAP_Y:.0f}", "supported")
        return width, bottom

    def _width(self, name: str) -> float:
        """Of the tree below a node, drawn on another sheet."""
        return _Drawing(self.nodes).place(name, 0.0, 0.0)[0]

    def _column(self, names: Sequence[str], left: float, level: float, parent: float) -> tuple[float, float]:
        """Draws the trees of children one below the other: a strategy has many, and side by side they are a very long drawing."""
        widest = GAP_X + max((self._width(name) for name in names), default=0.0)
        start, y = left + max(parent, widest) / 2, level + GAP_Y / 2
        for name in names:
            width, low = self.place(name, left + GAP_X, y)
            own_width, height = _size(self.nodes[name])
            edge = left + GAP_X + (width - own_width) / 2
            way = f"M{start:.0f} {level:.0f} V{level + 6:.0f} H{left + 8:.0f} V{y + height / 2:.0f} H{edge:.0f}"
            self._arrow(way, "supported")
            y = low + GAP_X
        return widest, y

    def contexts(self, name: str, edge: float) -> tuple[float, float]:
        """Draws the contexts of a node in a column behind `edge`, joined to the node; returns their right and lowest edge."""
        node = self.nodes[name]
        own_width, own_height = _size(node)
        start, level = MARGIN + (edge - MARGIN + own_width) / 2, TOP + own_height / 2
        column, top = edge + 2 * GAP_X, TOP
        inside = [self.nodes[context] for context in node.in_context_of]
        widest = max((_size(context)[0] for context in inside), default=0.0)
        for context in inside:
            width, height = _size(context)
            left, middle = column + (widest - width) / 2, top + height / 2
            way = f"M{start:.0f} {level:.0f} H{edge + GAP_X / 2:.0f} V{middle:.0f} H{left:.0f}"
            self._arrow(way, "context")
            self.shape(context, column + widest / 2, top)
            top += height + GAP_X
        return column + widest, top

    def _arrow(self, way: str, kind: str) -> None:
        self.lines.append(f'<path d="{way}" stroke="#555" fill="none" marker-end="url(#{kind})"/>')

    def _inner(self) -> set[str]:
        """Nodes whose children are always all drawn: those above strategies and open goals near the root."""
        return {
            node.id
            for node in self.nodes.values()
            if any(self.nodes[k].element == "strategy" for k in node.supported_by)
        }

    def shape(self, node: Node, centre: float, top: float) -> None:
        """One element with its text, its state in words and colour."""
        width, height = _size(node)
        x, middle = centre - width / 2, top + height / 2
        style = f'fill="#fafafa" stroke="{COLOURS[node.support]}" stroke-width="2"'
        box = f'x="{x:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"'
        match node.element:
            case "strategy":
                slanted = ((x + 12, top), (x + width, top), (x + width - 12, top + height), (x, top + height))
                self.shapes.append(f'<polygon points="{_points(slanted)}" {style}/>')
            case "goal":
                self.shapes.append(f"<rect {box} {style}/>")
            case "context":
                self.shapes.append(f'<rect {box} rx="{min(height / 2, 24):.0f}" {style}/>')
            case "solution":
                self.shapes.append(f'<circle cx="{centre:.0f}" cy="{middle:.0f}" r="{width / 2:.0f}" {style}/>')
            case "assumption":
                axes = f'rx="{width / 2:.0f}" ry="{height / 2:.0f}"'
                self.shapes.append(f'<ellipse cx="{centre:.0f}" cy="{middle:.0f}" {axes} {style}/>')
                self.shapes.append(f'<text x="{x + width - 14:.0f}" y="{top + height:.0f}">A</text>')
        self._words(node, centre, middle)
        if node.element == "goal" and node.support == "gap" and not node.supported_by:
            y = top + height
            corners = ((centre, y), (centre + 9, y + 9), (centre, y + 18), (centre - 9, y + 9))
            self.shapes.append(f'<polygon points="{_points(corners)}" {style}/>')

    def _words(self, node: Node, centre: float, middle: float) -> None:
        head = f"{node.id} · {WORDS[node.support]}"
        rows = [(head, "bold", COLOURS[node.support]), *((line, "normal", "#1d2329") for line in _wrapped(node))]
        first = middle - LINE * len(rows) / 2 + LINE - 3
        for k, (line, weight, fill) in enumerate(rows):
            self.shapes.append(
                f'<text x="{centre:.0f}" y="{first + k * LINE:.0f}" text-anchor="middle" font-weight="{weight}" '
                f'fill="{fill}">{_safe(line)}</text>'
            )


def _size(node: Node) -> tuple[float, float]:
    """Width and height of an element: as much as its text needs within its shape."""
    tall = LINE * (1 + len(_wrapped(node)))
    match node.element:
        case "solution":
            across = math.hypot(ROUND_CHARACTERS * SIGN, tall) + 8
            return across, across
        case "assumption":
            return math.sqrt(2) * ROUND_CHARACTERS * SIGN, math.sqrt(2) * tall
        case "goal" | "strategy" | "context":
            return WIDTH, tall + 12.0


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in corners)


def _wrapped(node: Node) -> list[str]:
    text = on_one_line(node.text)
    length = ROUND_CHARACTERS if node.element in {"solution", "assumption"} else CHARACTERS
    if any(unicodedata.east_asian_width(sign) in "WF" for sign in text):
        length //= 2
    return [*textwrap.wrap(text, length), *(f"{name} {digest[:16]}" for name, digest in node.digests.items())]


def _safe(text: str) -> str:
    return escape(in_xml(on_one_line(text)))
