"""`routes`: text output, JSON lines and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import stream_record
from shop_scene import Customers, Orders

from service.commands.routes.command import cells_of
from service.commands.routes.listing import listed
from service.entrypoints.cli import main
from service.routing import Names, Router

ROOT = Path(__file__).parents[3]

ROUTES = """
from typing import ClassVar

from service import BucketRoute, TableRoute


class Users(TableRoute):
    table: ClassVar = "single"
    key: ClassVar = {"PK": "S"}
    where: ClassVar = {"PK": "USER#*"}
    index: ClassVar = "users"
    pipeline: ClassVar = "embed"
    computed: ClassVar = ("vector", "summary")
    fetch: ClassVar = True
    ignore: ClassVar = ("REMOVE",)

    def document(self, item):
        return {"name": item["name"]}


class Files(BucketRoute):
    bucket: ClassVar = "files-*"
    prefix: ClassVar = "in/"
    index: ClassVar = "files"
    versions: ClassVar = None

    def wants(self, upload):
        return True

    def created(self, upload, context):
        return []
"""


@pytest.fixture(autouse=True)
def package(monkeypatch, tmp_path):
    for name in ("SEARCH_URL", "FUNC", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    name = f"listed_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text('ROUTES = ["mine:Users", "mine:Files"]')
    (tmp_path / name / "mine.py").write_text(ROUTES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STREAMDEX_ROUTES", name)
    monkeypatch.setenv("STREAMDEX_NAMES", "table/single=single-lab,index/users=users-lab")


def recording(tmp_path, *raws) -> str:
    path = tmp_path / "recording.jsonl"
    path.write_text("\n".join(map(json.dumps, raws)))
    return str(path)


def user(name: str = "1"):
    keys = {"PK": f"USER#{name}"}
    return stream_record(table="single-lab", keys=keys, new={**keys, "name": "Ada"})


def test_the_list_says_what_matches_what_to_which_index(capsys):
    assert main(["routes", "list"]) == 0
    users, files = capsys.readouterr().out.splitlines()
    assert users.split("  ")[0] == "mine:Users"
    assert "table single-lab PK=USER#*" in users
    assert "INSERT MODIFY" in users
    assert users.endswith(
        "-> index users-lab  ignores REMOVE; ingest pipeline embed; computed: vector, summary; fetch"
    )
    assert "bucket files-* in/… wants()" in files
    assert files.endswith("-> index files      dead letters: ObjectDeleted; no versions")


def test_the_list_is_json_for_scripts(capsys):
    assert main(["routes", "list", "--json"]) == 0
    users, files = map(json.loads, capsys.readouterr().out.splitlines())
    assert (users["source"], users["index"], users["where"]) == ("single-lab", "users-lab", {"PK": "USER#*"})
    assert (files["kind"], files["source"], files["versions"]) == ("bucket", "files-*", None)
    assert files["dead_letters"] == ["ObjectDeleted"]
    assert (users["skip_unchanged"], files["skip_unchanged"], users["splits"]) == (False, False, False)


def test_the_list_says_which_route_skips_unchanged_documents(capsys, tmp_path, monkeypatch):
    (module,) = tmp_path.glob("*/mine.py")
    module.write_text(ROUTES.replace("fetch: ClassVar", "skip_unchanged: ClassVar"))
    monkeypatch.delitem(sys.modules, f"{module.parent.name}.mine", raising=False)
    assert main(["routes", "list"]) == 0
    users, _ = capsys.readouterr().out.splitlines()
    assert users.endswith("; skips unchanged")


def test_the_list_says_what_routes_read_and_whose_documents_they_make_again():
    names = {"table/orders": "orders-lab", "table/customers": "customers-lab"}
    orders, customers = listed(Router([Orders(), Customers()], Names(names)))
    assert (orders.collection, orders.reads, orders.reindexes) == (True, ["customers-lab"], [])
    assert (customers.collection, customers.reads) == (False, ["orders-lab/by-customer"])
    assert cells_of(orders)[-2:] == ("-> index orders", "collection; reads customers-lab")
    assert cells_of(customers)[-2:] == ("-> documents of shop_scene:Orders", "reads orders-lab/by-customer")


def test_explain_shows_what_becomes_of_a_record_and_needs_no_server(capsys, tmp_path):
    assert main(["routes", "explain", f"--record={recording(tmp_path, user())}"]) == 0
    out = capsys.readouterr().out
    assert 'INSERT of table single-lab, key {"PK": {"S": "USER#1"}}' in out
    assert "mine:Users handles the record" in out
    assert "re-reads the current state first: the route declares fetch" in out
    assert "id: USER#1\n" in out
    assert "s since 2012 (2023-11-14T22:13:20Z), then 1" in out
    assert 'Index -> users-lab {"name": "Ada"}' in out
    assert "mine:Files does not handle the record: it listens to bucket files-*" in out


def test_explain_reads_standard_input():
    event = (ROOT / "tests/data/insert.json").read_bytes()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMDEX_")}
    variables["STREAMDEX_ROUTES"] = "sample_routes"
    command = [sys.executable, "-m", "service", "routes", "explain", "--record=-", "--json"]
    answer = subprocess.run(command, input=event, capture_output=True, cwd=ROOT, env=variables, check=True)
    assert json.loads(answer.stdout)["routes"][0]["id"] == "ALEX18"


def test_explain_takes_the_record_that_is_asked_for(capsys, tmp_path):
    path = recording(tmp_path, user("1"), user("2"))
    assert main(["routes", "explain", f"--record={path}", "--number=2", "--json"]) == 0
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert told["record"]["key"] == {"PK": {"S": "USER#2"}}
    document = {"action": "Index", "target": "users-lab", "document": {"name": "Ada"}, "pipeline": "embed"}
    assert told["routes"][0]["actions"] == [document]
    assert main(["routes", "explain", f"--record={path}", "--number=3"]) == 2
    assert "has no record 3" in capsys.readouterr().err


def test_explain_exits_with_1_where_a_record_has_no_route_or_cannot_be_read(capsys, tmp_path):
    assert main(["routes", "explain", f"--record={recording(tmp_path, stream_record(new={'id': 'a'}))}"]) == 1
    assert "no route for table images" in capsys.readouterr().out
    assert main(["routes", "explain", f"--record={recording(tmp_path, {'eventSource': 'aws:kinesis'})}"]) == 1
    assert "undecodable: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dance"], "unknown action 'dance': use list, explain"),
        (["list", "books"], "routes list takes no name: use list, explain"),
        (["explain"], "--record=FILE"),
        (["explain", "--record=absent.jsonl"], "absent.jsonl"),
        (["new"], "needs the name of the route"),
        (["new", "books"], "--table=NAME"),
        (["new", "books", "--table=b", "--key=id"], "--key must be"),
    ],
)
def test_a_command_that_is_not_understood_says_what_there_is(words, said, capsys):
    assert main(["routes", *words]) == 2
    assert said in capsys.readouterr().err


def test_new_says_what_it_wrote(capsys, tmp_path):
    assert main(["routes", "new", "books", "--table=books", "--key=id:S", "--json"]) == 0
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert told["route"] == "books:Books"
    assert len(told["written"]) == 3
    assert main(["routes", "new", "books", "--table=books", "--key=id:S"]) == 0
    assert "books:Books already exists" in capsys.readouterr().out
