"""The settings that classes declare, as options: names, types, and text to value and back."""

from __future__ import annotations

import argparse
import dataclasses
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DeclarationError
from .declaration import Declared

MASK = "********"


@dataclass(frozen=True)
class Option:
    """One setting: its name, its type, its default and what its declaration says."""

    name: str
    type: Any
    default: Any
    declared: Declared
    owner: str

    @property
    def env(self) -> str:
        return self.declared.env or self.name.upper()

    @property
    def flags(self) -> list[str]:
        names = (self.name, *self.declared.aliases)
        spellings = [flag for name in names for flag in (f"--{name.replace('_', '-')}", f"--{name}")]
        return list(dict.fromkeys(spellings))


def options_of(declaring: type) -> list[Option]:
    """The settings that a class declares; DeclarationError for a field that is not one."""
    if not dataclasses.is_dataclass(declaring):
        return []
    types = typing.get_type_hints(declaring)
    found = []
    for field in dataclasses.fields(declaring):
        declared = field.metadata.get("declared")
        if declared is None:
            raise DeclarationError(
                f"{declaring.__name__}.{field.name} is a field without a description: write"
                f" {field.name} = setting(default, 'what it is for'), or ClassVar for what is fixed"
            )
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        found.append(Option(field.name, types[field.name], default, declared, declaring.__name__))
    return found


def collect(declaring: Iterable[type]) -> dict[str, Option]:
    """All settings by name and alias; DeclarationError where two classes declare one differently."""
    options: dict[str, Option] = {}
    for owner in declaring:
        for option in options_of(owner):
            twin = options.setdefault(option.name, option)
            if (twin.type, twin.default) != (option.type, option.default):
                raise DeclarationError(
                    f"the setting {option.name!r} is declared by {twin.owner} ({twin.type},"
                    f" default {twin.default!r}) and by {option.owner} ({option.type}, default"
                    f" {option.default!r}): give one of them another name"
                )
    return options


def converter(option: Option) -> Callable[[str], Any]:
    """What turns the text of a setting into its type, saying in words what does not fit."""
    declared = option.declared

    def convert(text: str) -> Any:
        try:
            value = CONVERTERS[typing.get_origin(option.type) or option.type](text)
        except KeyError:
            raise DeclarationError(
                f"{option.owner}.{option.name}: a setting is str, int, float, bool,"
                " tuple[str, ...] or Mapping[str, str]"
            ) from None
        except ValueError:
            kind = getattr(option.type, "__name__", str(option.type))
            raise argparse.ArgumentTypeError(f"{text_of(option, text)} is not of type {kind}") from None
        if declared.choices and value not in declared.choices:
            raise argparse.ArgumentTypeError(f"{text_of(option, text)} is none of {', '.join(declared.choices)}")
        if declared.least is not None and value < declared.least:
            raise argparse.ArgumentTypeError(f"{text} is less than {declared.least}")
        if declared.most is not None and value > declared.most:
            raise argparse.ArgumentTypeError(f"{text} is more than {declared.most}")
        return value

    return convert


def text_of(option: Option, text: str) -> str:
    return MASK if option.declared.secret else repr(text)


def to_bool(text: str) -> bool:
    word = text.strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError(text)


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
    float: float,
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
    """The value as a person may see it: secrets and the passwords in addresses are not shown."""
    text = shown_value(value)
    if option.declared.secret:
        return MASK if text else ""
    return hide_password(text)


def hide_password(text: str) -> str:
    """`scheme://user:password@host` without the password."""
    return re.sub(r"(://[^:/@\s]*):[^@/\s]*@", rf"\1:{MASK}@", text)
