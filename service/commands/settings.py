"""`settings`: list every setting with its current value."""

from __future__ import annotations

from ..bootstrap.selection import Chosen
from .command import Command, Output, aligned, print_result


def show_settings(chosen: Chosen) -> int:
    rows = chosen.configuration.shown()
    lines = aligned([(row.name, row.value, row.origin, row.variable) for row in rows])
    for row, line in zip(rows, lines, strict=True):
        print_result(chosen, vars(row), line)
    return 0


COMMAND = Command(
    show_settings,
    "list every setting with its value, its origin and its environment variable",
    example="--config=config/streamdex.yml",
    options=(Output,),
)
