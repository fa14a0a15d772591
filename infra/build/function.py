"""The code of the Lambda: `service`, the selected routes and the configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from service.errors import SettingsError

from .archive import write_zip
from .declared import ROOT
from .listing import chosen_modules, modules, text_with

CONFIGURATION: Final = "config/streamdex.yml"
FILES: Final = ("const.yml", CONFIGURATION)
"""The configuration files that the handler reads."""

PAGE: Final = "service/web/page/"
"""Only containers serve the page."""

LOAD: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from service.routing import Router
from service.routing.loading import load_routes
Router([route() for route in load_routes("routes")])
"""
"""Load the routes, and check their declarations with the default settings."""


def build(func: tuple[str, ...], arch: str, out: Path, env: str = "") -> list[Path]:
    """Build the zip for the modules of FUNC and any architecture: `streamdex-lambda[-FUNC].zip`.

    With `env`, the names of that deployment (`config/ENV.names.yml`, if it exists) are added to the configuration.
    Raises SettingsError if a route cannot be loaded from the zip.
    """
    made = write_zip(
        out / f"{'-'.join(['streamdex-lambda', *func])}.zip",
        {name: content for name, content in contents(func, env).items() if not name.startswith(PAGE)},
    )
    check(made, func)
    return [made]


def contents(func: Sequence[str], env: str = "") -> dict[str, bytes]:
    """Return the files of `service`, of FUNC's routes and of the configuration, by name. Raises SettingsError."""
    chosen = chosen_modules(ROOT / "routes", func)
    left_out = [name for name in modules(ROOT / "routes") if name not in chosen]
    found = dict(code(ROOT / "service", lambda name: False))
    found |= dict(code(ROOT / "routes", lambda name: is_of(name, left_out)))
    found["routes/__init__.py"] = text_with(ROOT / "routes", func).encode()
    return found | configuration(ROOT, env)


def code(package: Path, is_left_out: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a package by their names in the zip, without tests, caches, hidden files and backups."""
    for path in package.rglob("*"):
        name = path.relative_to(package.parent).as_posix()
        unwanted = re.search(r"(^|/)(__pycache__|tests)/|/\.|(\.pyc|~)$", name)
        if path.is_file() and not unwanted and not is_left_out(name):
            yield name, path.read_bytes()


def is_of(name: str, left_out: Sequence[str]) -> bool:
    """True if a file belongs to one of these route modules."""
    places = [f"routes/{module.replace('.', '/')}" for module in left_out]
    return name.startswith(tuple(place + end for place in places for end in (".py", "/")))


def configuration(root: Path, env: str) -> dict[str, bytes]:
    """Return the configuration files of a checkout, with the names of a deployment added."""
    found = {file: (root / file).read_bytes() for file in FILES if (root / file).is_file()}
    if env and not re.fullmatch(r"[A-Za-z0-9][\w-]*", env):
        raise SettingsError(f"ENV={env!r} is not a valid deployment name. Use only letters, digits, _ and -.")
    deployed = root / "config" / f"{env}.names.yml"
    if env and deployed.is_file():
        known = mapping(root / CONFIGURATION) if CONFIGURATION in found else {}
        names = {**(known.get("names") or {}), **(mapping(deployed).get("names") or {})}
        found[CONFIGURATION] = yaml.safe_dump({**known, "names": names}, allow_unicode=True).encode()
    return found


def mapping(file: Path) -> dict[str, Any]:
    """Read a YAML mapping; scalars stay text. Raises SettingsError."""
    try:
        content = yaml.load(file.read_bytes(), yaml.BaseLoader)  # noqa: S506  # BaseLoader creates only text
    except yaml.YAMLError as error:
        raise SettingsError(f"{file} is not valid YAML") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{file} must be a mapping of keys to values")
    return content


def check(made: Path, func: Sequence[str]) -> None:
    """Load the routes from the zip alone. Raises SettingsError if the zip lacks something that they need."""
    command = [sys.executable, "-I", "-B", "-c", LOAD, str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        made.unlink()
        reason = (done.stderr.strip().splitlines() or ["the process printed no error"])[-1]
        remedy = ". If they need a module that FUNC leaves out, add it to FUNC" if func else ""
        raise SettingsError(f"the routes cannot be loaded from {made.name}: {reason.rstrip('.')}{remedy}")
