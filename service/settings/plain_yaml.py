"""YAML whose scalars stay text: 0123 and 12:30 are not converted to numbers. The settings define the types."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml


class PlainLoader(yaml.BaseLoader):
    """A loader that reads every scalar as text, except for null."""


PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), [*"~nN", ""])
PlainLoader.add_constructor("tag:yaml.org,2002:null", lambda loader, node: None)


class NotYaml(ValueError):
    """The text is not YAML. The message is the line if it is known, as " (line 3)".

    It never quotes the text, which may contain a secret.
    """


def load(lines: Iterable[str]) -> Any:
    """Return the contents of a file. Raises NotYaml."""
    try:
        return yaml.load("".join(lines), PlainLoader)  # noqa: S506  # PlainLoader creates only text, lists and dictionaries
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise NotYaml(f" (line {mark.line + 1})" if mark else "") from None
