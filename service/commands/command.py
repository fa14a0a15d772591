"""The declaration of a subcommand, and the functions that print its results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..bootstrap.selection import Chosen
from ..settings import Settings, setting


@dataclass(frozen=True)
class Output:
    """The output format of a command."""

    json: bool = setting(False, "print JSON, one value per line, for scripts")


@dataclass(frozen=True)
class Command:
    """A subcommand: the function that runs it and its help text.

    `run` returns the exit code. `operands` names the positional arguments; one that ends in S takes several
    values, one that ends in ? is optional. `options` are the classes that declare this command's own options.
    `example` is the arguments that help shows after the command's name.
    """

    run: Callable[[Chosen], int]
    summary: str
    example: str = ""
    operands: Sequence[str] = ()
    options: Sequence[type] = ()


def print_result(chosen: Chosen, value: Mapping[str, Any], words: str) -> None:
    """Print one result: `value` as JSON with --json, otherwise the text `words`."""
    print(json.dumps(value) if chosen.configuration.build(Output).json else words)


def quietly(chosen: Chosen) -> Settings:
    """Return the settings with log level WARNING unless one is set: progress is shown instead."""
    shown = {row.name: row.origin for row in chosen.configuration.shown()}
    return chosen.settings if shown["log_level"] != "default" else replace(chosen.settings, log_level="WARNING")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines, with the columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]


def counted(number: int, what: str = "record") -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
