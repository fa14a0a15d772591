"""Load the route classes that ROUTES lists. Only the modules that FUNC selects are imported."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Sequence

from ..errors import DeclarationError, SettingsError
from .routes import Route


def load_routes(package: str, func: Sequence[str] = ()) -> list[type[Route]]:
    """Return the classes of `package.ROUTES`, a list of "module:Class"; with `func` only those of these modules.

    Raises SettingsError for an unknown module name, listing the known ones, and DeclarationError for an entry that
    does not lead to a route class.
    """
    entries = _entries(package)
    modules = list(dict.fromkeys(module for module, _ in entries))
    unknown = [name for name in func if name not in modules]
    if unknown:
        raise SettingsError(f"FUNC: no routes in {', '.join(unknown)}. Modules with routes: {', '.join(modules)}")
    return [_load(package, module, name) for module, name in entries if not func or module in func]


def _entries(package: str) -> list[tuple[str, str]]:
    if not all(part.isidentifier() for part in package.split(".")):
        raise SettingsError(f"{package!r} is not a valid package name. Correct STREAMDEX_ROUTES.")
    try:
        listed = importlib.import_module(package).ROUTES
    except ModuleNotFoundError as error:
        if error.name and not f"{package}.".startswith(f"{error.name}."):
            raise  # the package exists, but a module that it imports is missing
        raise SettingsError(
            f"cannot find the package {package!r} with the routes. Set STREAMDEX_ROUTES to its name."
        ) from error
    except AttributeError as error:
        raise DeclarationError(f"{package}/__init__.py has no ROUTES. Add ROUTES = ['module:Class'].") from error
    entries = []
    for entry in listed:
        module, colon, name = str(entry).partition(":")
        if not (module and colon and name):
            raise DeclarationError(f"{package}.ROUTES: {entry!r} must have the form 'module:Class'")
        entries.append((module, name))
    return entries


def _load(package: str, module: str, name: str) -> type[Route]:
    where = f"{package}.ROUTES: '{module}:{name}'"
    full = f"{package}.{module}"
    try:
        loaded = importlib.import_module(full)
    except ModuleNotFoundError as error:
        missing = (
            "the module does not exist"
            if error.name == full
            else f"the module {error.name}, which it imports, is missing"
        )
        raise DeclarationError(f"{where} cannot be imported: {missing}") from error
    except Exception as error:  # the module's own code runs here and can raise anything
        raise DeclarationError(f"{where} cannot be imported: {_place(error)}") from error
    found = getattr(loaded, name, None)
    if found is None:
        there = [n for n, value in vars(loaded).items() if isinstance(value, type) and value.__module__ == full]
        raise DeclarationError(f"{where}: the module has no {name}. Its classes: {', '.join(there) or 'none'}")
    if not isinstance(found, type) or not issubclass(found, Route):
        raise DeclarationError(f"{where} is not a route class. Derive it from TableRoute or BucketRoute.")
    return found


def _place(error: Exception) -> str:
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):  # its message already contains file and line
        return words
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{words} ({place.filename}, line {place.lineno})"
