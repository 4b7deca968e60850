"""An assurance case as an SVG drawing in the Goal Structuring Notation. Draws; decides nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from conspect.core.terminal import on_one_line
from conspect.report.plain import in_xml
from conspect.results.assurance import AssuranceCase, Node, Support

WIDTH, LINE, GAP_X, GAP_Y, CHARACTERS = 230, 14, 24, 60, 36
# Leaves drawn below one strategy; the JSON has all of them.
LEAVES_DRAWN = 4
COLOURS: dict[Support, str] = {"shown": "#2b7a4b", "gap": "#9a6700", "refuted": "#b3261e"}
WORDS: dict[Support, str] = {"shown": "shown", "gap": "gap", "refuted": "refuted"}
# First drawn: what is refuted, then what is open.
ORDER: dict[Support, int] = {"refuted": 0, "gap": 1, "shown": 2}


def assurance_svg(case: AssuranceCase) -> str:
    """The tree from the root down, contexts at its right: goals as boxes, strategies slanted, solutions round.

    A goal that nothing supports bears a diamond.
    """
    nodes = {node.id: node for node in case.nodes}
    drawing = _Drawing(nodes)
    width, depth = drawing.place(case.root, 0.0, 40.0)
    right = max(width, WIDTH) + GAP_X
    for row, name in enumerate(nodes[case.root].in_context_of):
        drawing.shape(nodes[name], right + WIDTH / 2, 40.0 + row * 110)
    total = right + WIDTH + GAP_X
    height = max(depth, 40 + 110 * len(nodes[case.root].in_context_of)) + 30
    title = f"Assurance case of {case.study}: {case.shown} goals shown, {case.gaps} open, {case.refuted} refuted"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.0f} {height:.0f}" '
        f'width="{total:.0f}" height="{height:.0f}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="11">\n<title>{_safe(title)}</title>\n'
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
        height = self._height(node)
        children = sorted(node.supported_by, key=lambda child: ORDER[self.nodes[child].support])
        drawn = children if len(children) <= LEAVES_DRAWN or name in self._inner() else children[:LEAVES_DRAWN]
        x, bottom, centres = left, top + height, []
        for child in drawn:
            width, low = self.place(child, x, top + height + GAP_Y)
            centres.append(x + width / 2)
            x, bottom = x + width + GAP_X, max(bottom, low)
        width = max(WIDTH, x - GAP_X - left)
        centre = left + width / 2
        for child_centre in centres:
            self.lines.append(
                f'<path d="M{centre:.0f} {top + height:.0f} L{child_centre:.0f} {top + height + GAP_Y:.0f}" '
                'stroke="#555" fill="none"/>'
            )
        if len(drawn) < len(children):
            self.shapes.append(
                f'<text x="{centre:.0f}" y="{top + height + 24:.0f}" text-anchor="middle">'
                f"and {len(children) - len(drawn):,} more (see the JSON)</text>"
            )
        self.shape(node, centre, top)
        return width, bottom

    def _inner(self) -> set[str]:
        """Nodes whose children are always all drawn: those above strategies and open goals near the root."""
        return {
            node.id
            for node in self.nodes.values()
            if any(self.nodes[k].element == "strategy" for k in node.supported_by)
        }

    def _height(self, node: Node) -> float:
        return 26 + LINE * len(_wrapped(node))

    def shape(self, node: Node, centre: float, top: float) -> None:
        """One element with its text, its state in words and colour."""
        height, x = self._height(node), centre - WIDTH / 2
        colour = COLOURS[node.support]
        style = f'fill="#fafafa" stroke="{colour}" stroke-width="2"'
        match node.element:
            case "strategy":
                corners = ((x + 12, top), (x + WIDTH, top), (x + WIDTH - 12, top + height), (x, top + height))
                self.shapes.append(f'<polygon points="{_points(corners)}" {style}/>')
            case "goal":
                self.shapes.append(f'<rect x="{x:.0f}" y="{top:.0f}" width="{WIDTH}" height="{height:.0f}" {style}/>')
            case "solution" | "context" | "assumption":
                radius = height / 2 if node.element == "solution" else 14
                self.shapes.append(
                    f'<rect x="{x:.0f}" y="{top:.0f}" width="{WIDTH}" height="{height:.0f}" rx="{radius:.0f}" {style}/>'
                )
        head = f"{node.id} · {WORDS[node.support]}"
        rows = [(head, "bold", colour), *((line, "normal", "#1d2329") for line in _wrapped(node))]
        for k, (line, weight, fill) in enumerate(rows):
            self.shapes.append(
                f'<text x="{centre:.0f}" y="{top + 16 + k * LINE:.0f}" text-anchor="middle" font-weight="{weight}" '
                f'fill="{fill}">{_safe(line)}</text>'
            )
        if node.element == "goal" and node.support == "gap" and not node.supported_by:
            y = top + height
            corners = ((centre, y), (centre + 9, y + 9), (centre, y + 18), (centre - 9, y + 9))
            self.shapes.append(f'<polygon points="{_points(corners)}" {style}/>')


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in corners)


def _wrapped(node: Node) -> list[str]:
    digests = [f"{name} {digest[:16]}" for name, digest in node.digests.items()]
    return [*textwrap.wrap(on_one_line(node.text), CHARACTERS), *digests]


def _safe(text: str) -> str:
    return escape(in_xml(on_one_line(text)))
