"""The package in an empty environment, next to a repository with its own `service` package and routes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builds import Archives, names_in
from deployments import aws_client, documents_of, drop, eventually

from infra.build.declared import declared
from infra.build.lock import closure, pins
from infra.shim.probes import free_port
from service.entrypoints.command_list import MODULES

ROUTE = """\
from streamdex import TableRoute


class Books(TableRoute):
    table = "books"
    key = {"isbn": "S"}
    index = "books"

    def document(self, item):
        return {"title": item.get("title")}
"""

CALL = """\
import json, sys
from streamdex.entrypoints.lambda_handler import handler
print(json.dumps(handler(json.load(sys.stdin), None)))
"""

TESTS = """\
import runpy
names = runpy.run_path("tests/unit/package/test_orders.py")
for name, value in names.items():
    if name.startswith("test_"):
        value()
        print(name)
"""


class Installed:
    """A virtual environment with the wheel, and the repository of another project outside of it."""

    def __init__(self, folder: Path, wheel: Path):
        self.folder = folder
        self.bin = folder / "venv/bin"
        self.repository = folder / "repository"
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        self.install(declared().dependencies)
        self.pip("install", "--no-index", "--no-deps", str(wheel))
        write(self.repository / "service/__init__.py", "raise ImportError('this service is somebody else')\n")
        write(self.repository / "my/__init__.py", "")
        write(self.repository / "my/package/__init__.py", 'ROUTES = ["books:Books"]\n')
        write(self.repository / "my/package/books.py", ROUTE)

    def install(self, roots: list[str], *options: str) -> None:
        """Install packages of the lock file and their dependencies, checked against its digests."""
        wanted = closure(pins(Path("requirements.lock").read_text()), roots, {})
        (self.folder / "wanted.txt").write_text("\n".join(pin.line() for pin in wanted))
        self.pip("install", "--require-hashes", "--no-deps", *options, "-r", str(self.folder / "wanted.txt"))

    def pip(self, *words: str) -> None:
        subprocess.run([self.bin / "python", "-m", "pip", "--quiet", *words], check=True)

    def call(self, *words: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the repository."""
        return subprocess.run(
            [self.bin / words[0], *words[1:]],
            cwd=self.repository,
            env=self.environment(environment),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "STREAMDEX_ROUTES": "my.package", **more}

    @contextmanager
    def running(self, **environment: str) -> Iterator[str]:
        """Run the container and yield the URL of its page. Fail unless SIGTERM ends it with exit code 0."""
        port = str(free_port())
        given = self.environment({**environment, "STREAMDEX_PAGE_PORT": port, "POLL_INTERVAL": "0.05"})
        process = subprocess.Popen([self.bin / "streamdex", "run"], cwd=self.repository, env=given)
        try:
            eventually(lambda: status_of(f"http://127.0.0.1:{port}/healthz"), 200)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(20)
        assert ended == 0


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.URLError:
        return 0


def text_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


@pytest.fixture(scope="module")
def installed(here: Archives, tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), here.wheel)


@pytest.fixture(scope="module")
def world(installed, aws_url, search_url) -> Iterator[dict[str, str]]:
    """Create the table of the repository's route in the embedded servers, and yield their addresses."""
    aws_client(aws_url, "dynamodb").create_table(
        TableName="books",
        AttributeDefinitions=[{"AttributeName": "isbn", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "isbn", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    yield {"AWS_ENDPOINT_URL": aws_url, "SEARCH_URL": search_url}
    aws_client(aws_url, "dynamodb").delete_table(TableName="books")
    drop(search_url, "books")


def test_the_wheel_holds_the_package_alone_with_what_its_page_shows(here):
    names = names_in(here.wheel)
    assert {name.split("/")[0] for name in names} == {"streamdex", "streamdex-0.1.0.dist-info"}
    ours = {f"streamdex/{path.relative_to('service')}" for path in Path("service").rglob("*") if path.is_file()}
    wanted = {name for name in ours if "__pycache__" not in name}
    assert {name for name in names if name.startswith("streamdex/")} == wanted
    assert "streamdex/py.typed" in names


def test_its_source_makes_the_same_wheel(here, tmp_path):
    with tarfile.open(here.source) as source:
        source.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    assert (tmp_path / here.wheel.name).read_bytes() == here.wheel.read_bytes()


def test_what_the_lock_file_has_for_run_time_is_all_that_the_package_needs(installed):
    assert installed.call("python", "-m", "pip", "check").stdout.strip() == "No broken requirements found."


@pytest.mark.parametrize("program", [("streamdex",), ("python", "-m", "streamdex")])
def test_both_ways_to_call_it_find_the_routes_of_the_repository(installed, program):
    done = installed.call(*program, "routes", "list", "--routes", "my.package", STREAMDEX_ROUTES="")
    assert done.returncode == 0, done.stderr
    assert "books:Books" in done.stdout


@pytest.mark.parametrize("command", MODULES)
def test_each_command_has_help_that_speaks_of_it_by_its_name(installed, command):
    done = installed.call("streamdex", command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m streamdex {command}" in done.stdout
    assert "python -m service" not in done.stdout


def test_what_is_wrong_is_told_in_a_line_with_the_remedy_by_its_name(installed):
    for words in (["settings", "--nonsense=1"], ["doctor"], ["verify"], ["run"]):
        done = installed.call("streamdex", *words, AWS_ENDPOINT_URL="http://127.0.0.1:9", SEARCH_URL="")
        assert done.returncode != 0, words
        assert "Traceback" not in done.stderr
        assert "python -m service" not in done.stdout + done.stderr
    assert "python -m streamdex settings" in installed.call("streamdex", "settings", "--nonsense=1").stderr


def test_a_new_route_and_its_test_are_written_for_the_package(installed):
    done = installed.call("streamdex", "routes", "new", "orders", "--table=orders", "--key=id:S")
    assert done.returncode == 0, done.stderr
    assert "from streamdex import" in (installed.repository / "my/package/orders.py").read_text()
    tested = installed.call("python", "-c", TESTS, PYTHONPATH=str(installed.repository))
    assert tested.returncode == 0, tested.stderr
    assert len(tested.stdout.splitlines()) == 3


def test_the_handler_serves_a_recorded_event(installed, world):
    record = {
        "eventID": "1",
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/books/stream/2026-11-22T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": int(time.time()),
            "Keys": {"isbn": {"S": "1"}},
            "NewImage": {"isbn": {"S": "1"}, "title": {"S": "Dusk"}},
            "SequenceNumber": "421584500000000017450439089",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    done = installed.call("python", "-c", CALL, given=json.dumps({"Records": [record]}), FUNC="books", **world)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"batchItemFailures": []}
    assert documents_of(world["SEARCH_URL"], "books")["1"] == {"title": "Dusk"}


def test_without_flask_the_container_works_and_its_page_says_what_to_install(installed, world):
    with installed.running(FUNC="books", **world) as page:
        assert "pip install 'streamdex[operations]'" in text_of(page)
        aws_client(world["AWS_ENDPOINT_URL"], "dynamodb", "resource").Table("books").put_item(
            Item={"isbn": "2", "title": "Dawn"}
        )
        eventually(lambda: documents_of(world["SEARCH_URL"], "books").get("2"), {"title": "Dawn"})


def test_with_the_extra_the_page_is_there_with_its_files(installed, world):
    more = installed.folder / "operations"
    installed.install(list(declared().extras["operations"]), f"--target={more}")
    with installed.running(FUNC="books", PYTHONPATH=str(more), **world) as page:
        assert "<html" in text_of(page)
        assert status_of(f"{page}/static/page.css") == 200
        assert status_of(f"{page}/static/page.js") == 200
