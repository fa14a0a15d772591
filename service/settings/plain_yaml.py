"""YAML in which every scalar stays the text it is: 0123 and 12:30 are no numbers, and types are the settings'."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml


class PlainLoader(yaml.BaseLoader):
    """Takes every scalar for text, but for the ways to say nothing."""


PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), [*"~nN", ""])
PlainLoader.add_constructor("tag:yaml.org,2002:null", lambda loader, node: None)


class NotYaml(ValueError):
    """Says the line where it is known, as " (line 3)", and never what is on it: that may be a secret."""


def load(lines: Iterable[str]) -> Any:
    """What a file holds. Raises NotYaml."""
    try:
        return yaml.load("".join(lines), PlainLoader)  # noqa: S506  # it makes nothing but text
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise NotYaml(f" (line {mark.line + 1})" if mark else "") from None
