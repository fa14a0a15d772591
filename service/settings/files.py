"""The configuration file: YAML whose nesting is only for the reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import configargparse
import yaml

from .options import Option


class NestedYaml(configargparse.ConfigFileParser):  # type: ignore[misc]  # it has no types
    """YAML whose nesting is only for the reader: `db: {host: h}` is `db_host`, else `host`."""

    _options: ClassVar[Mapping[str, Option]] = {}
    _names: ClassVar[Mapping[str, str]] = {}

    def get_syntax_description(self) -> str:
        return "YAML; nesting is flattened"

    def parse(self, stream: Iterable[str]) -> dict[str, str]:
        label = getattr(stream, "name", "the configuration file")
        try:
            content = yaml.safe_load("".join(stream))
        except yaml.YAMLError as error:
            raise configargparse.ConfigFileParserException(f"{label} is not YAML: {error}") from error
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise configargparse.ConfigFileParserException(f"{label} must hold keys and values")
        flat: dict[str, str] = {}
        for path, value in self._leaves(content, ()):
            name = self._name_of(path)
            if name in flat:
                raise configargparse.ConfigFileParserException(f"{label} sets {name} twice")
            flat[name] = value
        return flat

    def _name_of(self, path: tuple[str, ...]) -> str:
        for candidate in ("_".join(path), path[-1]):
            if candidate.replace("-", "_") in self._names:
                return self._names[candidate.replace("-", "_")]
        return ".".join(path)

    def _leaves(self, content: Mapping[Any, Any], path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str]]:
        for key, value in content.items():
            here = (*path, str(key))
            option = self._options.get(self._name_of(here))
            if isinstance(value, dict) and option is not None:
                yield here, ",".join(f"{name}={target}" for name, target in value.items())
            elif isinstance(value, dict):
                yield from self._leaves(value, here)
            elif isinstance(value, list):
                yield here, ",".join(str(part) for part in value)
            elif isinstance(value, bool):
                yield here, str(value).lower()
            elif value is not None:
                yield here, str(value)


def nested_yaml(options: Mapping[str, Option]) -> type[NestedYaml]:
    """The parser that knows these options (ConfigArgParse takes a class, and makes the instance)."""
    names = {name: option.name for option in options.values() for name in (option.name, *option.declared.aliases)}
    return type("NestedYaml", (NestedYaml,), {"_options": options, "_names": names})
