"""Counts that keep the code easy to follow: names, docstrings, and the way of one record through the modules."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, ClassVar, Final

import pytest

from benchmarks import work
from service import TableRoute
from service.clients.search.response_reader import read_answer
from service.entrypoints.lambda_handler import handler_for

SERVICE: Final = Path(__file__).parents[2] / "service"
FILES: Final = sorted(SERVICE.rglob("*.py"))

HARD_TO_READ: Final = ("What", "Whether", "Who", "How", "Of")
"""Words with which a docstring starts in the middle of a thought."""

MOST: Final = (32, 15, 184, 267)
"""Modules of the service that one record crosses, frames deep at its bulk request, distinct functions, calls."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SERVICE.parent).with_suffix("").parts).removesuffix(".__init__")


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
    known = {module_of(each) for each in FILES}
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {
                name for name in (module, *(f"{module}.{each.name}" for each in node.names)) if name in known
            }
    return found


def test_no_two_modules_import_each_other():
    imports = {module_of(path): imports_of(path) for path in FILES if path.name != "__init__.py"}
    circles = {tuple(sorted((a, b))) for a, found in imports.items() for b in found if a in imports.get(b, ())}
    assert sorted(circles) == []


class Search:
    """Accepts every document, and notes how many frames of ours are on the stack."""

    indices = SimpleNamespace(get_alias=lambda index: {index.rstrip("*"): {"aliases": {}}})

    def __init__(self) -> None:
        self.deep = 0

    def bulk(self, body: bytes) -> Any:
        frame: FrameType | None = sys._getframe(1)
        self.deep = 0
        while frame is not None:
            self.deep += ours(frame)
            frame = frame.f_back
        return read_answer('{"took":1,"errors":false,"items":[{"index":{"status":201}}]}')

    def close(self) -> None:
        pass


class Items(TableRoute):
    table: ClassVar = work.TABLE
    key: ClassVar = {"id": "S"}
    index: ClassVar = "bench"

    def document(self, item):
        return item


def ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(str(SERVICE))


def test_a_record_crosses_few_modules_and_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A small record of DynamoDB, from a warm Lambda function to the bulk request and the answer."""
    search = Search()
    monkeypatch.setattr("service.context.make_search_client", lambda settings: search)
    monkeypatch.setattr("service.sinks.opensearch.alias_targets.SEEN_FOR", float("inf"))
    monkeypatch.setenv("SEARCH_URL", "http://search.test")
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))
    handler, event = handler_for(Items), work.event(1, "small")
    handler(event, None)
    modules: Counter[str] = Counter()
    functions: Counter[str] = Counter()

    def count(frame: FrameType, kind: str, _: Any) -> None:
        if kind == "call" and ours(frame):
            modules[frame.f_code.co_filename] += 1
            functions[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        handler(event, None)
    finally:
        sys.setprofile(before)
    counts = (len(modules), search.deep, len(functions), functions.total())
    assert all(count <= most for count, most in zip(counts, MOST, strict=True)), counts
