"""`settings`: list every setting with its current value."""

from __future__ import annotations

from ..bootstrap.selection import Chosen
from .command import Command, Output, print_result


def show_settings(chosen: Chosen) -> int:
    rows = chosen.configuration.shown()
    name_width = max(len(row.name) for row in rows)
    value_width = max(len(row.value) for row in rows)
    origin_width = max(len(row.origin) for row in rows)
    for row in rows:
        line = f"{row.name:{name_width}}  {row.value:{value_width}}  {row.origin:{origin_width}}  {row.variable}"
        print_result(chosen, vars(row), line)
    return 0


COMMAND = Command(
    show_settings,
    "list every setting with its value, its origin and its environment variable",
    example="--config=config/streamdex.yml",
    options=(Output,),
)
