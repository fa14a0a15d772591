"""Plots of the figures as SVG, written without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from .figures import Figure, rounded

WIDTH: Final = 760
BAR: Final = 22
LEFT: Final = 300
RIGHT: Final = 150
DRAWN: Final = {
    "records/s": "throughput",
    "CPU per record": "cpu",
    "cold start": "cold-start",
    "of the limit": "limit",
}
"""The measures that have a plot, and its file name."""


def draw(figures: Sequence[Figure], folder: Path) -> None:
    """Write a plot of each measure that has figures."""
    for measure, name in DRAWN.items():
        found = [one for one in figures if one.measure == measure]
        if found:
            (folder / f"{name}.svg").write_text(bars(measure, found))


def bars(title: str, figures: Sequence[Figure]) -> str:
    """Return an SVG with a bar for each figure, and a line from its lower to its upper quartile."""
    most = max(one.value.high for one in figures)
    scale = (WIDTH - LEFT - RIGHT) / most
    lines = [text(10, 20, f"{title} ({figures[0].unit})", bold=True)]
    for row, one in enumerate(figures):
        top = 34 + row * BAR
        colour = "#1b6ca8" if one.who in ("ours", "container") else "#b8c4ce"
        middle = top + BAR / 2 - 2
        low, high = LEFT + one.value.low * scale, LEFT + one.value.high * scale
        lines += [
            text(10, top + 14, f"{one.where}: {one.who}"),
            f'<rect x="{LEFT}" y="{top}" width="{one.value.median * scale:.1f}" height="{BAR - 4}"'
            f' fill="{colour}"/>',
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="#333"/>',
            text(max(high, LEFT) + 6, top + 14, rounded(one.value.median)),
        ]
    height = 44 + len(figures) * BAR
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *lines, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y}" font-family="sans-serif" font-size="12"{weight}>{escape(words)}</text>'
