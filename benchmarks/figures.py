"""Measured figures and their goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .contest import Spread


@dataclass(frozen=True)
class Figure:
    """A figure of a measure: server and work (`where`), contestant (`who`), unit, and goal (">= 0.9" or "")."""

    measure: str
    where: str
    who: str
    unit: str
    value: Spread
    goal: str = ""

    @property
    def reached(self) -> bool | None:
        """True if the median reaches the goal; None without a goal."""
        if not self.goal:
            return None
        sign, number = self.goal.split()
        return self.value.median >= float(number) if sign == ">=" else self.value.median <= float(number)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


def table(figures: Sequence[Figure], facts: Mapping[str, Any] | None = None) -> str:
    """Format the figures as lines of text, after a line with the facts of the machine."""
    lines = [", ".join(f"{name} {value}" for name, value in facts.items())] if facts else []
    for one in figures:
        value = f"{rounded(one.value.median)} {one.unit} ({rounded(one.value.low)} to {rounded(one.value.high)})"
        verdict = {None: "", True: f"{one.goal}: yes", False: f"{one.goal}: no"}[one.reached]
        lines.append(f"{one.measure:34} {one.where:28} {one.who:26} {value:40} {verdict}".rstrip())
    return "\n".join(lines)


def rounded(value: float) -> str:
    """Format a number with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
