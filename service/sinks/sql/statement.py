"""A statement with `%s`, in the words of each database's driver.

| outside of quotes and comments | means                | in quotes and comments | means              |
|--------------------------------|----------------------|------------------------|--------------------|
| `%s`                           | a column of the row  | `%s`                   | itself             |
| `%%`                           | a percent sign       | `%%`                   | a percent sign     |
| another `%`                    | nothing: refused     | another `%`            | itself             |
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

# In MySQL a backslash keeps a quote within a text, and a # begins a comment, too ("String Literals", "Comments").
_TEXT: Final = r"'[^']*' | \"[^\"]*\" | `[^`]*` | --[^\n]* | /\*.*?\*/"
_TEXT_MYSQL: Final = rf"'(?:[^'\\]|\\.)*' | \"(?:[^\"\\]|\\.)*\" | \#[^\n]* | {_TEXT}"


def _tokens(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<text>{text}) | (?P<percent>%.?) | (?P<open>['\"`]|/\*)", re.VERBOSE | re.DOTALL)


_PLAIN: Final = _tokens(_TEXT)
_MYSQL: Final = _tokens(_TEXT_MYSQL)


_ONE_ROW: Final = re.compile(rf"\(\s*{_BIND}(?:\s*,\s*{_BIND})*\s*\)")
_VALUES: Final = re.compile(r"\bVALUES\s*$", re.IGNORECASE)

PARAMETERS: Final = 65_535
"""Of one statement, at most ("PostgreSQL Limits")."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the driver is given, and how many columns a row has.

    `around` is what stands before and after the one list of columns, where many can stand in its place: PostgreSQL
    is several times faster so. (The drivers of the others see to it themselves.)
    """

    text: str
    columns: int
    around: tuple[str, str] | None = None

    @property
    def most(self) -> int:
        """Rows that can be sent at once."""
        return PARAMETERS // self.columns

    def with_rows(self, rows: Sequence[Row]) -> tuple[str, Sequence[Any]]:
        """The text for these rows, and the parameters for SQLAlchemy's `exec_driver_sql`."""
        if self.around is None:
            return self.text, [tuple(row) for row in rows]
        one = f"({', '.join([_BIND] * self.columns)})"
        return ", ".join([one] * len(rows)).join(self.around), tuple(chain.from_iterable(rows))


def translated(statement: str, dialect: str, paramstyle: str) -> Statement:
    """The statement for a driver: `dialect` as SQLAlchemy calls it, `paramstyle` as PEP 249 does.

    Raises Halt for one that cannot be read, or that has no `%s`.
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
            what = "%s is a column, and %% a percent sign" if kind == "percent" else "it has no end"
            raise Halt(f"the statement for rows: {found!r} at character {start + 1}: {what}")
    if not columns:
        raise Halt("the statement for rows has no %s: write one for each column")
    text = "".join([*parts, statement[last:]])
    return Statement(text, columns, _around(text, columns) if dialect == "postgresql" else None)


def _around(text: str, columns: int) -> tuple[str, str] | None:
    """What stands around `VALUES (%s, …)`; None where there is more in it, or anything to bind elsewhere."""
    for found in _ONE_ROW.finditer(text):
        before, after = text[: found.start()], text[found.end() :]
        if found[0].count(_BIND) == columns and _VALUES.search(before):
            return before, after
    return None


def _found(statement: str, tokens: re.Pattern[str]) -> Iterator[tuple[str, int, int]]:
    """What is not plain text: its kind, and where it begins and ends."""
    for found in tokens.finditer(statement):
        yield str(found.lastgroup), found.start(), found.end()
