"""Options: the declared settings of classes, with their names, types and conversions from and to text."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DeclarationError
from .declaration import Declared

MASK = "********"

TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})

RESERVED = ("config", "const_path", "help")
"""Names of options that are not settings."""


@dataclass(frozen=True)
class Option:
    """One setting with its name, type, default and declared properties. `owner` is the declaring class."""

    name: str
    type: Any
    default: Any
    declared: Declared
    owner: str
    command: bool = False
    """True for an option of one command: it is given on the command line alone."""

    @property
    def env(self) -> str:
        """The variable of the environment; "" for an option of one command."""
        return "" if self.command else self.declared.env.replace("*", self.name.upper())

    def __str__(self) -> str:
        return f"{self.owner} ({kind_of(self.type)}, default {masked(self, self.default)!r})"

    def is_like(self, other: Option) -> bool:
        """True if two declarations are equal except for the help text."""
        here, there = (dataclasses.replace(option.declared, help="") for option in (self, other))
        return (self.type, self.default, here) == (other.type, other.default, there)

    @property
    def flags(self) -> list[str]:
        names = (self.name, *self.declared.aliases)
        spellings = [flag for name in names for flag in (f"--{name.replace('_', '-')}", f"--{name}")]
        return list(dict.fromkeys(spellings))


def options_of(declaring: type, command: bool = False) -> list[Option]:
    """Return the settings that a class declares. Raises DeclarationError for a field without `setting`."""
    if not dataclasses.is_dataclass(declaring):
        return []
    types = typing.get_type_hints(declaring)
    found = []
    for field in dataclasses.fields(declaring):
        declared = field.metadata.get("declared")
        if declared is None:
            raise DeclarationError(
                f"{declaring.__name__}.{field.name} is a field without a description. Declare a setting:"
                f" {field.name} = setting(default, 'its purpose'), or annotate a constant as ClassVar"
            )
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        found.append(Option(field.name, types[field.name], default, declared, declaring.__name__, command))
    return found


def collect(declaring: Iterable[type], own: Sequence[type] = ()) -> dict[str, Option]:
    """Return all settings by name. Raises DeclarationError if two different declarations share a name."""
    options: dict[str, Option] = {}
    names: dict[str, Option | None] = dict.fromkeys(RESERVED)
    for owner in declaring:
        for option in options_of(owner, owner in own):
            twin = options.setdefault(option.name, option)
            if not twin.is_like(option):
                raise DeclarationError(
                    f"the setting {option.name!r} has different declarations in {twin} and {option}."
                    " Rename one of them"
                )
            for name in (option.name, *option.declared.aliases):
                if names.setdefault(name, twin) is not twin:
                    raise DeclarationError(
                        f"{option.owner}.{option.name}: the option --{name} exists already. Rename the setting"
                    )
    return options


def converter(option: Option) -> Callable[[str], Any]:
    """Return a function from text to the setting's type. It raises ArgumentTypeError for an invalid value."""
    declared = option.declared

    def convert(text: str) -> Any:
        try:
            value = CONVERTERS[typing.get_origin(option.type) or option.type](text)
        except KeyError:
            raise DeclarationError(
                f"{option.owner}.{option.name}: the type of a setting must be str, int, float, bool,"
                " tuple[str, ...] or Mapping[str, str]"
            ) from None
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text_of(option, text)} is not of type {kind_of(option.type)}"
            ) from None
        if declared.choices and value not in declared.choices:
            raise argparse.ArgumentTypeError(
                f"{text_of(option, text)} is not one of {', '.join(declared.choices)}"
            )
        if declared.least is not None and value < declared.least:
            raise argparse.ArgumentTypeError(f"{text_of(option, text)} is below the minimum of {declared.least}")
        if declared.most is not None and value > declared.most:
            raise argparse.ArgumentTypeError(f"{text_of(option, text)} is above the maximum of {declared.most}")
        return value

    return convert


def kind_of(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)) if typing.get_origin(kind) is None else str(kind)


def text_of(option: Option, text: str) -> str:
    return MASK if option.declared.secret else repr(text)


def to_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def to_bool(text: str) -> bool:
    if not is_bool(text):
        raise ValueError(text)
    return text.strip().lower() in TRUE


def is_bool(text: str) -> bool:
    return text.strip().lower() in TRUE | FALSE


def to_tuple(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def to_mapping(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in to_tuple(text)]
    if not all(name and equals and value for name, equals, value in pairs):
        raise ValueError(text)
    return {name.strip(): value.strip() for name, _, value in pairs}


CONVERTERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: to_float,
    bool: to_bool,
    tuple: to_tuple,
    Mapping: to_mapping,
}


def shown_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={target}" for name, target in value.items())
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def masked(option: Option, value: Any) -> str:
    """Return the value as text for output. Secrets and passwords in URLs are masked."""
    text = shown_value(value)
    if option.declared.secret:
        return MASK if text else ""
    return hide_password(text)


def hide_password(text: str) -> str:
    """Mask the password in `scheme://user:password@host`."""
    return re.sub(r"(://[^:/@\s]*):[^/\s]*@", rf"\1:{MASK}@", text)
