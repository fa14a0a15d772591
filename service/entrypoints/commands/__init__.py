"""The subcommands of `python -m service`: one module each, which has a `COMMAND`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from .command import Command

MODULES: Final[Mapping[str, str]] = {
    "run": "run",
    "record": "record",
    "replay": "replay",
    "backfill": "backfill",
    "verify": "verify",
    "dead-letters": "dead_letters",
    "doctor": "doctor",
    "indices": "indices",
    "routes": "routes",
    "settings": "settings",
}
"""The module of each command, in the order that help lists them."""


def command_of(name: str) -> Command:
    """What a command is; imported when it is asked for. Raises KeyError for none."""
    found: Command = import_module(f".{MODULES[name]}", __package__).COMMAND
    return found
