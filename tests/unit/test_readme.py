"""What the README and docs/routes.md show is what works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.routing.loading import load_routes
from service.settings import Settings
from service.settings.reading import read_configuration

ROOT = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of routes with the README's one file and one line."""
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
    route, test = blocks("README.md")[:2]
    subprocess.run([sys.executable, "-c", f"{route}\n{test}"], check=True, cwd=ROOT)


def test_the_routes_of_the_documentation_can_be_declared():
    preamble = (
        "from __future__ import annotations\nfrom collections.abc import Iterable\n"
        "from dataclasses import dataclass\nfrom typing import ClassVar\nfrom service import *\n"
    )
    code = "\n".join([preamble, *blocks("docs/routes.md")[:2]])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_make_target_that_the_readme_names_is_there():
    named = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text()))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named <= set(phony.group(1).split())


def test_the_readme_s_settings_are_there():
    shown = {row.name for row in read_configuration(Settings, environment={}).shown()}
    assert {"dead_letters", "search_url", "aws_endpoint_url", "func", "read_queue"} <= shown
