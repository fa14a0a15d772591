"""Translate a statement with `%s` for each database's driver.

| outside of quotes and comments | meaning             | in quotes and comments | meaning            |
|--------------------------------|---------------------|------------------------|--------------------|
| `%s`                           | a column of the row | `%s`                   | `%s`               |
| `%%`                           | a percent sign      | `%%`                   | a percent sign     |
| another `%`                    | refused             | another `%`            | a percent sign     |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from ...errors import Halt
from ...routing import Row

_BIND: Final = "%s"

# In MySQL a backslash escapes a quote in a text, and # also begins a comment ("String Literals", "Comments").
_TEXT: Final = r"'[^']*' | \"[^\"]*\" | `[^`]*` | --[^\n]* | /\*.*?\*/"
_TEXT_MYSQL: Final = rf"'(?:[^'\\]|\\.)*' | \"(?:[^\"\\]|\\.)*\" | \#[^\n]* | {_TEXT}"


def _tokens(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<text>{text}) | (?P<percent>%.?) | (?P<open>['\"`]|/\*)", re.VERBOSE | re.DOTALL)


_PLAIN: Final = _tokens(_TEXT)
_MYSQL: Final = _tokens(_TEXT_MYSQL)


_ONE_ROW: Final = re.compile(rf"\(\s*{_BIND}(?:\s*,\s*{_BIND})*\s*\)")
_VALUES: Final = re.compile(r"\bVALUES\s*$", re.IGNORECASE)

PARAMETERS: Final = 65_535
"""Maximum parameters of one statement ("PostgreSQL Limits")."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement for the driver, and the number of columns of a row.

    `around` are the texts before and after the list of columns, if several rows can be sent in its place:
    PostgreSQL is several times faster with them. (The drivers of the other databases do this themselves.)
    """

    text: str
    columns: int
    around: tuple[str, str] | None = None

    @property
    def most(self) -> int:
        """The maximum number of rows of one request."""
        return PARAMETERS // self.columns

    def with_rows(self, rows: Sequence[Row]) -> tuple[str, Sequence[Any]]:
        """Return the text for these rows, and the parameters for SQLAlchemy's `exec_driver_sql`."""
        if self.around is None:
            return self.text, [tuple(row) for row in rows]
        one = f"({', '.join([_BIND] * self.columns)})"
        return ", ".join([one] * len(rows)).join(self.around), tuple(chain.from_iterable(rows))


def translated(statement: str, dialect: str, paramstyle: str) -> Statement:
    """Return the statement for a driver; `dialect` is SQLAlchemy's name, `paramstyle` that of PEP 249.

    Raises Halt if the statement cannot be parsed, or has no `%s`.
    """
    mysql = dialect in ("mysql", "mariadb")
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
            what = "write %s for a column, %% for a percent sign" if kind == "percent" else "it is not closed"
            raise Halt(f"the insert statement: {found!r} at character {start + 1}: {what}")
    if not columns:
        raise Halt("the insert statement has no %s: write one for each column")
    text = "".join([*parts, statement[last:]])
    return Statement(text, columns, _around(text, columns) if dialect == "postgresql" else None)


def _around(text: str, columns: int) -> tuple[str, str] | None:
    """Return the texts around `VALUES (%s, …)`; None if the statement has more lists or other parameters."""
    for found in _ONE_ROW.finditer(text):
        before, after = text[: found.start()], text[found.end() :]
        if found[0].count(_BIND) == columns and _VALUES.search(before):
            return before, after
    return None


def _found(statement: str, tokens: re.Pattern[str]) -> Iterator[tuple[str, int, int]]:
    """Yield each token that is not plain text: its kind, start and end."""
    for found in tokens.finditer(statement):
        yield str(found.lastgroup), found.start(), found.end()
