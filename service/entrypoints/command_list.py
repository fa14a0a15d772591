"""The commands of `python -m service`, and the module of each."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from ..commands.command import Command

MODULES: Final[Mapping[str, str]] = {
    "run": ".run_command",
    "record": "..commands.record",
    "replay": "..commands.replay.command",
    "backfill": "..commands.backfill.command",
    "verify": "..commands.verify.command",
    "dead-letters": "..commands.dead_letters.command",
    "doctor": "..commands.doctor.command",
    "indices": "..commands.indices.command",
    "routes": "..commands.routes.command",
    "settings": "..commands.settings",
}
"""The module of each command, in the order of `--help`. Each module defines `COMMAND`."""


def command_of(name: str) -> Command:
    """Import a command. Raises KeyError for an unknown name."""
    found: Command = import_module(MODULES[name], __package__).COMMAND
    return found
