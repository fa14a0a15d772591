"""The declaration of a setting, for the service and for route classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Declared:
    """The declared properties of a setting, besides its name, type and default."""

    help: str
    env: str = "*"
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    secret: bool = False


def setting(
    default: Any,
    help: str,
    *,
    env: str = "*",
    aliases: tuple[str, ...] = (),
    choices: tuple[str, ...] = (),
    least: float | None = None,
    most: float | None = None,
    secret: bool = False,
) -> Any:
    """Return a dataclass field that is also a command line option, a variable and a key of the configuration file.

    `env` is the name of the variable; * stands for the name of the field in upper case. `aliases` are further
    options and, in upper case, variables. `least` and `most` bound a number. A `secret` is masked in all output.
    """
    declared = Declared(help, env, aliases, choices, least, most, secret)
    metadata = {"declared": declared}
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
