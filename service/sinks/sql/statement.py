"""A statement with `%s`, in the words of each database's driver.

| outside of quotes and comments | means                | in quotes and comments | means              |
|--------------------------------|----------------------|------------------------|--------------------|
| `%s`                           | a column of the row  | `%s`                   | itself             |
| `%%`                           | a percent sign       | `%%`                   | a percent sign     |
| another `%`                    | nothing: refused     | another `%`            | itself             |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...errors import Halt

_BIND: Final = "%s"

# In MySQL a backslash keeps a quote within a text, and a # begins a comment, too ("String Literals", "Comments").
_TEXT: Final = r"'[^']*' | \"[^\"]*\" | `[^`]*` | --[^\n]* | /\*.*?\*/"
_TEXT_MYSQL: Final = rf"'(?:[^'\\]|\\.)*' | \"(?:[^\"\\]|\\.)*\" | \#[^\n]* | {_TEXT}"


def _tokens(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<text>{text}) | (?P<percent>%.?) | (?P<open>['\"`]|/\*)", re.VERBOSE | re.DOTALL)


_PLAIN: Final = _tokens(_TEXT)
_MYSQL: Final = _tokens(_TEXT_MYSQL)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the driver is given, and how many columns a row has."""

    text: str
    columns: int


def translated(statement: str, paramstyle: str, mysql: bool = False) -> Statement:
    """The statement for a driver, by its `paramstyle`: `qmark`, `format` or `pyformat` (PEP 249).

    Raises Halt for one that cannot be read, or that has no `%s`.
    """
    qmark = paramstyle == "qmark"
    sign = "%" if qmark else "%%"
    parts, columns, last = [], 0, 0
    for kind, start, end in _found(statement, _MYSQL if mysql else _PLAIN):
        parts.append(statement[last:start])
        last, found = end, statement[start:end]
        if kind == "text":
            parts.append(found.replace("%%", "%").replace("%", sign))
        elif found == _BIND:
            columns += 1
            parts.append("?" if qmark else _BIND)
        elif found == "%%":
            parts.append(sign)
        else:
            what = "%s is a column, and %% a percent sign" if kind == "percent" else "it has no end"
            raise Halt(f"the statement for rows: {found!r} at character {start + 1}: {what}")
    if not columns:
        raise Halt("the statement for rows has no %s: write one for each column")
    return Statement("".join([*parts, statement[last:]]), columns)


def _found(statement: str, tokens: re.Pattern[str]) -> Iterator[tuple[str, int, int]]:
    """What is not plain text: its kind, and where it begins and ends."""
    for found in tokens.finditer(statement):
        yield str(found.lastgroup), found.start(), found.end()
