# SPDX-License-Identifier: Apache-2.0
"""A picture of a graph's layers for notebooks: boxes down a column, arcs beside it for the jumps."""
from __future__ import annotations

import re
from html import escape

_NODE = re.compile(r'^\s*(\w+) \[label="((?:[^"\\]|\\.)*)"', re.M)
_EDGE = re.compile(r"^\s*(\w+) -> (\w+)", re.M)
_WIDTH, _ROW, _GAP, _LINE = 260, 14, 18, 11
_MAX_LAYERS = 400


def _boxes(dot):
    """[(key, lines, top, height)] in the order of the text, and the height of all."""
    found, top = [], _GAP
    for key, label in _NODE.findall(dot)[:_MAX_LAYERS]:
        lines = [re.sub(r"\\(.)", r"\1", line) for line in label.split("\\n")]
        height = _ROW * len(lines) + 8
        found.append((key, lines, top, height))
        top += height + _GAP
    return found, top


def _draw_box(lines, top, height):
    yield f'<rect x="10" y="{top}" width="{_WIDTH}" height="{height}" rx="4" fill="#f6f8fa" stroke="#57606a"/>'
    for number, line in enumerate(lines):
        weight = ' font-weight="bold"' if number == 0 else ""
        shown = line if len(line) <= 40 else line[:39] + "…"
        yield f'<text x="18" y="{top + _ROW * (number + 1)}"{weight}>{escape(shown)}</text>'


def _draw_edge(start, end, jump):
    """A line between neighbours; else an arc, the wider the farther it goes."""
    if jump == 1:
        return f'<path d="M{10 + _WIDTH // 2} {start} V{end}" stroke="#57606a" marker-end="url(#tip)"/>'
    side = 10 + _WIDTH
    reach = side + min(30 + 6 * abs(jump), 140)
    return (f'<path d="M{side} {start - 6} C{reach} {start - 6} {reach} {end + 6} {side} {end + 6}" fill="none" stroke="#8c959f" '
            'marker-end="url(#tip)"/>')


def svg_of_dot(dot: str) -> str | None:
    """SVG of what Graph.summary("dot") gives; None when there is nothing to draw."""
    boxes, height = _boxes(dot)
    if not boxes:
        return None
    place = {key: (number, top, top + tall) for number, (key, _, top, tall) in enumerate(boxes)}
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + 170}" height="{height}" font-family="sans-serif" '
             f'font-size="{_LINE}">',
             '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
             '<path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>']
    for _, lines, top, tall in boxes:
        parts += _draw_box(lines, top, tall)
    for a, b in _EDGE.findall(dot):
        if a in place and b in place:
            parts.append(_draw_edge(place[a][2], place[b][1], place[b][0] - place[a][0]))
    return "\n".join(parts) + "\n</svg>"
