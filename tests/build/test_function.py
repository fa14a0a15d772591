"""The Lambda zip: the service, the selected routes, the configuration, and no other file of the checkout."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml
from builds import checkout, make, names_in, start

PLANTED = (
    "service/tests/test_x.py",
    "service/__pycache__/app.cpython-311.pyc",
    "service/.env",
    "routes/.images.py.swp",
    "routes/images.py~",
    "tests/test_x.py",
    "config/secrets-lab.env",
    "config/lab.tfvars",
    "config/other.names.yml",
    "x.py",
)

THINGS = """\
from service import TableRoute

from . import shared


class Things(TableRoute):
    table, key, index = "things", {"id": "S"}, shared.INDEX

    def document(self, item):
        return item
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    """Return a checkout with three modules of routes, and files that must not be packaged."""
    root = checkout(tmp_path_factory.mktemp("planted"))
    for name in PLANTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("planted")
    (root / "routes/__init__.py").write_text(
        'ROUTES = ["images:Images", "things:Things", "parts:Parts"]  # "parts" is a folder\n'
    )
    (root / "routes/worker.py").unlink()  # ROUTES does not list it, so the build would package it as a shared file
    (root / "routes/shared.py").write_text('INDEX = "things"\n')
    (root / "routes/things.py").write_text(THINGS)
    (root / "routes/parts").mkdir()
    (root / "routes/parts/__init__.py").write_text(
        THINGS.replace("from . import", "from .. import")
        .replace("Things", "Parts")
        .replace("things", "parts")
        .replace("shared.INDEX", 'f"{shared.INDEX}-parts"')
    )
    (root / "routes/parts/words.txt").write_text("a\n")
    return root


def contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_it_holds_the_code_that_is_committed_but_for_the_page_and_nothing_else(here):
    listed = subprocess.run(["git", "ls-files", "service", "routes"], capture_output=True, text=True, check=True)
    new = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "service", "routes"],
        capture_output=True,
        text=True,
        check=True,
    )
    files = {name for name in (listed.stdout + new.stdout).splitlines() if Path(name).exists()}
    assert set(names_in(here.function)) == {name for name in files if "web/page/" not in name}


def test_nothing_of_what_lies_about_gets_in(planted, tmp_path):
    make(planted, tmp_path, "lambda")
    found = contents(tmp_path / "streamdex-lambda.zip")
    assert not set(found) & set(PLANTED)
    assert b"planted" not in found.values()
    assert {name.split("/")[0] for name in found} == {"service", "routes"}
    assert not [name for name in found if name.startswith("config/")]


def test_func_takes_only_those_modules_with_what_is_of_no_route(planted, tmp_path):
    make(planted, tmp_path, "lambda", "--func=things,parts")
    found = contents(tmp_path / "streamdex-lambda-things-parts.zip")
    routes = {name for name in found if name.startswith("routes/")}
    ours = {"__init__", "things", "shared", "parts/__init__"}
    assert routes == {f"routes/{name}.py" for name in ours} | {"routes/parts/words.txt"}
    listed = {}
    exec(found["routes/__init__.py"], listed)
    assert listed["ROUTES"] == ["things:Things", "parts:Parts"]
    make(planted, tmp_path, "lambda", "--func=images")
    only = contents(tmp_path / "streamdex-lambda-images.zip")
    assert {name for name in only if name.startswith("routes/")} == {
        "routes/__init__.py",
        "routes/images.py",
        "routes/shared.py",
    }


def test_a_module_that_is_not_there_is_told_with_those_that_are(planted, tmp_path):
    done = start(planted, tmp_path, "lambda", "--func=pictures")
    assert done.returncode == 2
    assert done.stderr == "build: FUNC: no routes in pictures. Modules with routes: images, things, parts\n"


def test_a_route_that_needs_what_func_leaves_out_is_told_and_leaves_no_zip(planted, tmp_path):
    shared = planted / "routes/shared.py"
    shared.write_text('from .images import SAID\n\nINDEX = "things"\n')
    try:
        done = start(planted, tmp_path, "lambda", "--func=things")
    finally:
        shared.write_text('INDEX = "things"\n')
    assert done.returncode == 2
    assert "cannot be loaded from streamdex-lambda-things.zip" in done.stderr
    assert "routes.images" in done.stderr
    assert done.stderr.endswith(". If they need a module that FUNC leaves out, add it to FUNC\n")
    assert not list(tmp_path.iterdir())


def test_a_route_that_reindexes_a_route_that_func_leaves_out_is_told(planted, tmp_path):
    shared, things = planted / "routes/shared.py", planted / "routes/things.py"
    shared.write_text(
        'from service import CollectionRoute\n\nINDEX = "things"\n\n\nclass Orders(CollectionRoute):\n'
        '    table, key, index = "orders", {"a": "S", "b": "S"}, "orders"\n\n'
        "    def document(self, items):\n        return {}\n"
    )
    things.write_text(THINGS.replace("    def ", "    reindexes = (shared.Orders,)\n\n    def "))
    try:
        done = start(planted, tmp_path, "lambda", "--func=things")
    finally:
        shared.write_text('INDEX = "things"\n')
        things.write_text(THINGS)
    assert done.returncode == 2
    assert "reindexes routes.shared:Orders, which is not among the selected routes" in done.stderr
    assert not list(tmp_path.iterdir())


def test_env_puts_the_names_of_the_deployment_into_the_configuration(planted, tmp_path):
    (planted / "config/streamdex.yml").write_text(
        "search:\n  url: https://search.example.com\npoll-interval: 0123\n"
        "names:\n  table/images: mine\n  bucket/images-in: mine-in\n"
    )
    (planted / "config/lab.names.yml").write_text("names:\n  table/images: images-lab\n  queue/q: q-lab\n")
    make(planted, tmp_path / "lab", "lambda", "--env=lab")
    make(planted, tmp_path / "new", "lambda", "--env=new")
    lab = contents(tmp_path / "lab/streamdex-lambda.zip")["config/streamdex.yml"]
    assert yaml.load(lab, yaml.BaseLoader) == {
        "search": {"url": "https://search.example.com"},
        "poll-interval": "0123",
        "names": {"table/images": "images-lab", "bucket/images-in": "mine-in", "queue/q": "q-lab"},
    }
    new = contents(tmp_path / "new/streamdex-lambda.zip")["config/streamdex.yml"]
    assert new == (planted / "config/streamdex.yml").read_bytes()


@pytest.mark.parametrize("env", ["../lab", "a b", ".x"])
def test_env_is_a_name_and_no_path(planted, tmp_path, env):
    done = start(planted, tmp_path, "lambda", f"--env={env}")
    assert done.returncode == 2
    assert "is not a valid deployment name" in done.stderr
