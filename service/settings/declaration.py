"""How a setting is declared, by the service and by route classes alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Declared:
    """What a setting's declaration says beyond its name, type and default."""

    help: str
    env: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    secret: bool = False


def setting(
    default: Any,
    help: str,
    *,
    env: str = "",
    aliases: tuple[str, ...] = (),
    choices: tuple[str, ...] = (),
    least: float | None = None,
    most: float | None = None,
    secret: bool = False,
) -> Any:
    """A dataclass field that is also an option, a variable and a key of the configuration file.

    `env` is the variable's name; without it, the field's name in capitals. `aliases` are further
    names, each an option and (in capitals) a variable. `least` and `most` bound a number. A `secret`
    is masked wherever settings are shown.
    """
    declared = Declared(help, env, aliases, choices, least, most, secret)
    metadata = {"declared": declared}
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
