"""The commands of `python -m service`, and the module of each."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from ..commands.command import Command

MODULES: Final[Mapping[str, str]] = {
    "run": "service.entrypoints.run_command",
    "record": "service.commands.record.command",
    "replay": "service.commands.replay.command",
    "backfill": "service.commands.backfill.command",
    "verify": "service.commands.verify.command",
    "dead-letters": "service.commands.dead_letters.command",
    "doctor": "service.commands.doctor.command",
    "indices": "service.commands.indices.command",
    "routes": "service.commands.routes.command",
    "settings": "service.commands.settings",
}
"""The module of each command, in the order of `--help`. Each module defines `COMMAND`."""


def command_of(name: str) -> Command:
    """Import a command. Raises KeyError for an unknown name."""
    found: Command = import_module(MODULES[name]).COMMAND
    return found
