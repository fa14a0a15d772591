"""The parser of the configuration file: YAML whose nesting is flattened."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, get_origin

import configargparse

from .options import Option

logger = logging.getLogger(__name__)


class NestedYaml(configargparse.ConfigFileParser):  # type: ignore[misc]  # the library has no types
    """A parser that flattens YAML: `db: {host: h}` sets `db_host` or, if there is no such setting, `host`."""

    _options: ClassVar[Mapping[str, Option]] = {}
    _names: ClassVar[Mapping[str, str]] = {}
    _strict: ClassVar[bool] = True
    _narrowed: ClassVar[bool] = False

    def get_syntax_description(self) -> str:
        return "YAML; nesting is flattened"

    def parse(self, stream: Iterable[str]) -> dict[str, str]:
        from .plain_yaml import NotYaml, load

        label = getattr(stream, "name", "the configuration file")
        try:
            content = load(stream)
        except NotYaml as error:
            raise configargparse.ConfigFileParserException(f"{label} is not YAML{error}") from None
        if not content:
            return {}
        if not isinstance(content, dict):
            raise configargparse.ConfigFileParserException(f"{label} must contain keys and values")
        flat: dict[str, str] = {}
        for path, value in self._leaves(content, ()):
            name = self._name_of(path)
            if name not in self._options and not self._strict:
                continue
            if name not in self._options and self._narrowed:
                logger.warning(
                    "unknown key ignored: no selected route declares this setting",
                    extra={"file": label, "key": name},
                )
                continue
            if name not in self._options:
                raise configargparse.ConfigFileParserException(f"{label}: unknown key {name}{self._like(name)}")
            if name in flat:
                raise configargparse.ConfigFileParserException(f"{label} sets {name} twice")
            flat[name] = value
        return flat

    def _name_of(self, path: tuple[str, ...]) -> str:
        for candidate in ("_".join(path), path[-1]):
            if candidate.replace("-", "_") in self._names:
                return self._names[candidate.replace("-", "_")]
        return ".".join(path)

    def _like(self, name: str) -> str:
        close = difflib.get_close_matches(name.replace(".", "_"), self._names, n=1)
        return f" (did you mean {close[0]}?)" if close else ""

    def _leaves(self, content: Mapping[Any, Any], path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str]]:
        for key, value in content.items():
            here = (*path, str(key))
            option = self._options.get(self._name_of(here))
            if isinstance(value, dict) and option is not None and get_origin(option.type) is Mapping:
                yield here, ",".join(f"{name}={target}" for name, target in value.items())
            elif isinstance(value, dict):
                yield from self._leaves(value, here)
            elif isinstance(value, list):
                yield here, ",".join(str(part) for part in value)
            elif value:
                yield here, str(value)


def nested_yaml(options: Mapping[str, Option], strict: bool, narrowed: bool) -> type[NestedYaml]:
    """Return a parser class for these options. ConfigArgParse creates the instance.

    With `strict`, an unknown key is an error. With `narrowed`, it is only logged, because FUNC selects some routes
    and another route may declare it.
    """
    settings = {name: option for name, option in options.items() if option.env}
    names = {name: option.name for option in settings.values() for name in (option.name, *option.declared.aliases)}
    members = {"_options": settings, "_names": names, "_strict": strict, "_narrowed": narrowed}
    return type("NestedYaml", (NestedYaml,), members)
