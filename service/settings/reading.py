"""Reading of settings: configuration file < environment < command line.

No other module reads settings from the environment.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NoReturn, TypeVar

import configargparse

from ..errors import SettingsError
from ..program import PROGRAM
from .files import nested_yaml
from .options import Option, collect, converter, is_bool, masked, options_of, shown_value

DEFAULT_FILES = ("const.yml", "config/streamdex.yml")

T = TypeVar("T")


@dataclass(frozen=True)
class Usage:
    """The texts of `--help` besides the options. `example` are arguments; `ending` is printed last."""

    program: str = "streamdex"
    summary: str = ""
    example: str = ""
    ending: str = ""


@dataclass(frozen=True)
class Shown:
    """A setting for output, with secrets masked."""

    name: str
    value: str
    origin: str
    variable: str
    help: str


@dataclass(frozen=True, repr=False)  # a repr would show secrets
class Configuration:
    """The values that were read. `build` returns an instance of any of the declaring classes."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    options: Mapping[str, Option]
    operands: Sequence[str] = ()

    def build(self, declaring: type[T]) -> T:
        """Return an instance of a dataclass whose settings were read."""
        names = [option.name for option in options_of(declaring)]
        return declaring(**{name: self.values[name] for name in names})

    def replaced(self, **values: Any) -> Configuration:
        """Return a copy with other values for some settings."""
        return Configuration({**self.values, **values}, self.origins, self.options, self.operands)

    def environment(self, secrets: bool = True) -> dict[str, str]:
        """Return the settings that differ from their defaults as environment variables, for other programs."""
        return {
            option.env: shown_value(self.values[name])
            for name, option in self.options.items()
            if option.env and self.values[name] != option.default and (secrets or not option.declared.secret)
        }

    def shown(self) -> list[Shown]:
        """Return every setting with its value and the value's origin, in the order of declaration."""
        return [
            Shown(name, masked(option, self.values[name]), self.origins[name], option.env, option.declared.help)
            for name, option in self.options.items()
            if option.env
        ]


def read_configuration(
    *declaring: type,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    operands: Sequence[str] = (),
    strict: bool = True,
    narrowed: bool = False,
    own: Sequence[type] = (),
    usage: Usage = Usage(),  # immutable
) -> Configuration:
    """Read the values of all settings of the declaring classes.

    - `arguments` are the command line options. A Lambda passes none, so `sys.argv` is never read for it.
    - `parameters` replace environment variables that are not set.
    - `operands` are the names of the positional arguments. NAMES takes one or more, NAME? takes one or none.
    - `strict=False` ignores unknown options and keys, for a first call before the routes are known.
    - `narrowed` only logs unknown keys of the file, because FUNC selects some of the routes.
    - `own` are the classes with the options of one command: given on the command line alone, first in the help.

    Raises SettingsError, naming the option or key, if it is unknown or its value is invalid.
    """
    options = collect(declaring, own)
    arguments = list(spelled_out(arguments, options))
    environ = {**(parameters or {}), **without_empty(os.environ if environment is None else environment)}
    aliases: dict[str, str] = {}
    for option in options.values():
        for alias in option.declared.aliases if option.env else ():
            if alias.upper() in environ and option.env not in environ:
                environ[option.env], aliases[option.env] = environ[alias.upper()], alias.upper()
    parser = make_parser(options, nested_yaml(options, strict, narrowed), own, operands, usage)
    if strict:
        for operand in operands:
            parser.add_argument(operand, nargs={"S": "+", "?": "?"}.get(operand[-1]), help=argparse.SUPPRESS)
        namespace, unknown = parser.parse_known_args(list(arguments), env_vars=environ)
        if unknown:
            parser.error(f"unknown option: {', '.join(name + like(name, options) for name in names_of(unknown))}")
    else:
        namespace, _ = parser.parse_known_args(list(arguments), env_vars=environ, ignore_help_args=True)
    values = {name: getattr(namespace, name) for name in options}
    given = [getattr(namespace, operand) for operand in operands] if strict else []
    given = [word for words in given for word in ([words] if isinstance(words, str) else words or ())]
    return Configuration(values, find_origins(parser, options, arguments, aliases), options, given)


def spelled_out(arguments: Sequence[str], options: Mapping[str, Option]) -> Iterator[str]:
    """Yield the arguments with `=true` after each switch without a value, so that `--json FILE` works."""
    switches = {flag for option in options.values() if option.type is bool for flag in option.flags}
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        yield f"{word}=true" if word in switches and not is_bool(following) else word


def without_empty(environment: Mapping[str, str]) -> dict[str, str]:
    """Remove empty variables. An empty variable counts as not set (`make run SEARCH_URL=`)."""
    return {name: value for name, value in environment.items() if value != ""}


class Parser(configargparse.ArgumentParser):  # type: ignore[misc]  # the library has no types
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message} (to list all settings, run {PROGRAM} settings)")


def names_of(unknown: Sequence[str]) -> list[str]:
    """Return the option names among unknown arguments, without their values, which may be secrets."""
    names, in_front = [], ""
    for word in unknown:
        if word.startswith("--") and not in_front:
            names.append(word.partition("=")[0])
            in_front = "" if "=" in word else word
        else:
            in_front = ""
    return names or ["a value without an option"]


def like(name: str, options: Mapping[str, Option]) -> str:
    """Return a suggestion of the closest option, or ""."""
    flags = [flag for option in options.values() for flag in option.flags]
    close = difflib.get_close_matches(name, flags, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def make_parser(
    options: Mapping[str, Option],
    file_parser: type,
    own: Sequence[type],
    operands: Sequence[str],
    usage: Usage,
) -> Parser:
    words = " ".join([usage.program, *operands, "[options]"])
    parser = Parser(
        prog=usage.program,
        usage=words,
        description=usage.summary,
        epilog=f"Example: {usage.program} {usage.example}\n\n{usage.ending}".replace("%", "%%"),
        allow_abbrev=False,
        add_help=False,  # argparse would read a value such as -hunter2 as -h
        add_env_var_help=False,
        add_config_file_help=False,
        default_config_files=list(DEFAULT_FILES),
        config_file_parser_class=file_parser,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    narrow = parser.add_argument_group("options of this command") if own else parser
    wide = parser.add_argument_group("settings of the service and its routes")
    parser.add_argument("--help", action="help", help="print this help")
    parser.add_argument(
        "--config", "--const-path", "--const_path", is_config_file=True, help="a configuration file (YAML)"
    )
    for option in options.values():
        default = f"default {masked(option, option.default)}" if masked(option, option.default) else ""
        known = ", ".join(filter(None, [option.env, default]))
        (narrow if option.command else wide).add_argument(
            *option.flags,
            dest=option.name,
            env_var=option.env or None,
            type=converter(option),
            default=option.default,
            metavar=option.name.upper(),
            **({"nargs": "?", "const": True} if option.type is bool else {}),  # --json means --json=true
            help=(f"{option.declared.help} [{known}]" if known else option.declared.help).replace("%", "%%"),
        )
    return parser


def find_origins(
    parser: Parser, options: Mapping[str, Option], arguments: Sequence[str], aliases: Mapping[str, str]
) -> dict[str, str]:
    """Return the origin of each setting's value. `aliases` maps a variable to the alias that was set instead."""
    origins = dict.fromkeys(options, "default")
    for source, entries in reversed(parser.get_source_to_settings_dict().items()):
        label = {"environment_variables": "environment"}.get(source, source.partition("|")[2])
        for key, (action, _) in entries.items():
            if action is not None and action.dest in options and source != "defaults":
                variable = f"{label} {aliases.get(key, key)}"
                origins[action.dest] = variable if label == "environment" else f"file {label}"
    given = {argument.partition("=")[0] for argument in arguments}
    for name, option in options.items():
        if given.intersection(option.flags):
            origins[name] = "command line"
    return origins
