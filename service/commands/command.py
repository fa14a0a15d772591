"""What a subcommand says of itself, and how it tells what it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..bootstrap.selection import Chosen
from ..settings import Settings, setting


@dataclass(frozen=True)
class Output:
    """How a command tells what it found."""

    json: bool = setting(False, "JSON, one value on each line, for scripts", env="STREAMDEX_JSON")


@dataclass(frozen=True)
class Command:
    """What a command does and returns as exit code, and what help says of it.

    `operands` are the names of its words: one that ends in S takes several, one that ends in ? may be left out.
    `options` gives the classes that declare options for it alone; `example` is what stands behind its name.
    """

    run: Callable[[Chosen], int]
    summary: str
    example: str = ""
    operands: Sequence[str] = ()
    options: Callable[[], Sequence[type]] = tuple


def tell(chosen: Chosen, value: Mapping[str, Any], words: str) -> None:
    """Prints what was found: the value with --json, else the words."""
    print(json.dumps(value) if chosen.configuration.build(Output).json else words)


def quietly(chosen: Chosen) -> Settings:
    """The settings with warnings alone logged, unless somebody has set a level: progress is shown instead."""
    shown = {row.name: row.origin for row in chosen.configuration.shown()}
    return chosen.settings if shown["log_level"] != "default" else replace(chosen.settings, log_level="WARNING")


def counted(number: int, what: str = "record") -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
