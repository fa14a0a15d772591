"""The samples in the README, docs/routes.md and docs/tutorial.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.routing.loading import load_routes
from service.settings import Settings
from service.settings.reading import read_configuration

ROOT = Path(__file__).parents[2]
PREAMBLE = """
from __future__ import annotations
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from service import *
from service.testing import sub_documents
"""
HANDLED = """
from service.routing import Router
for bound in Router([Orders(), CustomerOrders()]).bound:
    assert bound.implemented == {"INSERT", "MODIFY", "REMOVE"}, bound.name
"""


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def run_python(code: str, variables: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | variables)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a package of routes with the one file and the one line of the README."""
    folder = tmp_path / "readme_routes"
    folder.mkdir()
    (folder / "books.py").write_text(blocks("README.md")[0])
    (folder / "__init__.py").write_text('ROUTES = ["books:Books"]\n')
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_the_route_of_the_readme_needs_one_file_and_one_line(package):
    (route,) = load_routes(package)
    assert (route.__name__, route.table) == ("Books", "books")


def test_the_test_of_the_readme_passes(package, tmp_path):
    test = blocks("README.md")[1].replace("routes.books", f"{package}.books")
    call = f"{test}\ntest_a_book_is_found_by_title_and_author()"
    run_python(call, {"PYTHONPATH": f"{ROOT}:{tmp_path}"})


def test_the_tests_of_the_documentation_pass():
    shown = blocks("docs/routes.md")
    tests = "\n".join(block for block in shown if "def test_" in block)
    calls = "\n".join(f"{name}()" for name in re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    assert calls.count("()") == 5
    run_python("\n".join([PREAMBLE, *shown[:3], tests, calls]), {"PYTHONPATH": str(ROOT)})


def test_the_routes_of_the_documentation_can_be_declared():
    code = "\n".join([PREAMBLE, *blocks("docs/routes.md")[:2], HANDLED])
    run_python(code, {"PYTHONPATH": str(ROOT)})


def test_the_code_of_the_tutorial_is_that_of_the_example():
    shown, routes = blocks("docs/tutorial.md"), (ROOT / "examples/shop/routes.py").read_text()
    tests = (ROOT / "tests/unit/examples/test_shop.py").read_text()
    assert [block for block in shown if block not in routes + tests] == []
    assert sum(block in routes for block in shown) == routes.count("\nclass ")


def test_every_make_target_that_the_readme_names_is_there():
    named = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text()))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named <= set(phony.group(1).split())


def test_the_readme_s_settings_are_there():
    shown = {row.name for row in read_configuration(Settings, environment={}).shown()}
    assert {"dead_letters", "search_url", "aws_endpoint_url", "func", "read_queue"} <= shown
