"""Rules for names, docstrings and imports that keep the code readable."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SERVICE: Final = Path(__file__).parents[2] / "service"
FILES: Final = sorted(SERVICE.rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SERVICE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES: Final = {module_of(path): path for path in FILES}

HARD_TO_READ: Final = ("What", "Whether", "Who", "How", "Of")
"""Words that make the first sentence of a docstring hard to read."""


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module, its classes, functions and attributes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value


def test_no_docstring_starts_in_the_middle_of_a_thought():
    found = [
        f"{path.relative_to(SERVICE)}: {text.splitlines()[0]}"
        for path in FILES
        for text in docstrings(path)
        if re.match(rf"({'|'.join(HARD_TO_READ)})\b", text)
    ]
    assert found == []


def test_no_two_modules_outside_commands_have_the_same_name():
    names = Counter(path.stem for path in FILES if path.stem != "__init__" and "commands" not in path.parts)
    assert [name for name, count in names.items() if count > 1] == []


def imports_of(path: Path) -> set[str]:
    """Return the modules of the service that a file imports when it is imported itself."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= MODULES.keys() & {module, *(f"{module}.{each.name}" for each in node.names)}
    return found


def test_no_two_modules_import_each_other():
    imports = {name: imports_of(path) for name, path in MODULES.items() if path.name != "__init__.py"}
    circles = {tuple(sorted((a, b))) for a, found in imports.items() for b in found if a in imports.get(b, ())}
    assert sorted(circles) == []
