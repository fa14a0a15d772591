"""Add an entry to the list ROUTES in a package's source text, and keep everything else unchanged."""

from __future__ import annotations

import ast
import json
from itertools import accumulate
from typing import Final

from ...errors import SettingsError

_LONGEST: Final = 100
"""The longest line of ROUTES in characters. A longer list gets one line for each entry."""


def with_entry(text: str, entry: str, where: str) -> str:
    """Return the text of a package's `__init__.py` with `entry` at the end of ROUTES, unless it is in it.

    Raises SettingsError, which names the file `where`, if ROUTES is not a list literal.
    """
    found = routes_in(text)
    if found is None:
        raise SettingsError(f'{where} has no list literal ROUTES: write ROUTES = ["{entry}"]')
    if any(isinstance(member, ast.Constant) and member.value == entry for member in found.elts):
        return text
    source = text.encode()
    begin, end = span(found, source)
    if b"\n" not in source[begin:end]:
        return _in_one_line(source, found, entry)
    if not found.elts:
        line = source.rindex(b"\n", begin, end) + 1
        return (source[:line] + f"    {quoted(entry)},\n".encode() + source[line:]).decode()
    start, stop = span(found.elts[-1], source)
    rest = source[stop : end - 1]
    if b"\n" not in rest:
        return (source[:stop] + f", {quoted(entry)}".encode() + source[stop:]).decode()
    comma = b"" if rest.lstrip().startswith(b",") else b","
    newline = stop + rest.index(b"\n")  # after the last entry's comment, if any
    indent = start - source.rindex(b"\n", 0, start) - 1
    line_of_it = f"\n{' ' * indent}{quoted(entry)},".encode()
    return (source[:stop] + comma + source[stop:newline] + line_of_it + source[newline:]).decode()


def quoted(text: str) -> str:
    """Return text as a string literal: in double quotes, unless that needs more backslashes."""
    return repr(text) if text.count('"') > text.count("'") else json.dumps(text, ensure_ascii=False)


def routes_in(text: str) -> ast.List | None:
    """Return the list literal ROUTES in a package's source text; None if there is none."""
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.List) and any(isinstance(t, ast.Name) and t.id == "ROUTES" for t in targets):
            return value
    return None


def _in_one_line(source: bytes, found: ast.List, entry: str) -> str:
    begin, end = span(found, source)
    members = [source[slice(*span(member, source))].decode() for member in found.elts] + [quoted(entry)]
    listed = f"[{', '.join(members)}]"
    if begin - source.rfind(b"\n", 0, begin) + len(listed) > _LONGEST:
        listed = "[\n" + "".join(f"    {member},\n" for member in members) + "]"
    return (source[:begin] + listed.encode() + source[end:]).decode()


def span(node: ast.expr, source: bytes) -> tuple[int, int]:
    """Return the start and the end of an expression in `source`, in bytes."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    lines = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]
    return lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset
