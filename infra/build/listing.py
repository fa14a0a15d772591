"""The package of routes: the modules in ROUTES, and a ROUTES with only some of them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from service.commands.routes.registration import quoted, routes_in, span
from service.errors import SettingsError


def entries(package: Path) -> list[str]:
    """Return the entries of ROUTES. Raises SettingsError if ROUTES is not a literal list of strings."""
    where = package / "__init__.py"
    found = routes_in(where.read_text(encoding="utf-8"))
    listed = [member.value for member in found.elts if isinstance(member, ast.Constant)] if found else []
    if found is None or len(listed) != len(found.elts):
        raise SettingsError(f"ROUTES in {where} must be a literal list of strings: ROUTES = […]")
    return [str(entry) for entry in listed]


def modules(package: Path) -> list[str]:
    """Return the modules in ROUTES."""
    return list(dict.fromkeys(entry.partition(":")[0] for entry in entries(package)))


def chosen_modules(package: Path, func: Sequence[str]) -> list[str]:
    """Return the modules of FUNC (default: all). Raises SettingsError for an unknown module."""
    listed = modules(package)
    unknown = [name for name in func if name not in listed]
    if unknown:
        raise SettingsError(f"FUNC: no routes in {', '.join(unknown)}. Modules with routes: {', '.join(listed)}")
    return [name for name in listed if not func or name in func]


def text_with(package: Path, func: Sequence[str]) -> str:
    """Return the text of the package's `__init__.py` with only the entries of FUNC in ROUTES."""
    text = (package / "__init__.py").read_text(encoding="utf-8")
    found = routes_in(text)
    if not func or found is None:
        return text
    kept = [entry for entry in entries(package) if entry.partition(":")[0] in func]
    source = text.encode()
    begin, end = span(found, source)
    listed = "[\n" + "".join(f"    {quoted(entry)},\n" for entry in kept) + "]"
    return (source[:begin] + listed.encode() + source[end:]).decode()
