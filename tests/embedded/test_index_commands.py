"""The command `indices`: its output, its exit codes and its confirmations."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from book_shelf import Shelf
from deployments import ask
from index_server import Server

from service.commands.indices.differences import Cure
from service.entrypoints.cli import main

_numbers = itertools.count()

ROUTES = """
from service import TableRoute


class Things(TableRoute):
    table = "{table}"
    key = {{"id": "S"}}
    index = "things"
    mapping = {mapping}

    def document(self, item):
        return {{"a": item.get("a")}}
"""


class Command:
    """The command `indices`, with a package of routes that tests can rewrite."""

    def __init__(self, server: Server, tmp_path, monkeypatch, capsys):
        self.server = server
        self._path, self._monkeypatch, self._capsys = tmp_path, monkeypatch, capsys
        monkeypatch.setenv("SEARCH_URL", server.url)
        monkeypatch.setenv("STREAMDEX_NAMES", f"index/things={server.name}")
        monkeypatch.syspath_prepend(tmp_path)

    def run(self, mapping: Any, *words: str, table: str = "things") -> tuple[int, str, str]:
        package = f"routes_{next(_numbers)}"
        (self._path / package).mkdir()
        (self._path / package / "__init__.py").write_text('ROUTES = ["things:Things"]')
        (self._path / package / "things.py").write_text(ROUTES.format(mapping=mapping, table=table))
        code = main(["indices", *words, f"--routes={package}"])
        return code, *self._capsys.readouterr()


@pytest.fixture
def command(server: Server, tmp_path, monkeypatch, capsys) -> Command:
    for name in ("FUNC", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return Command(server, tmp_path, monkeypatch, capsys)


KEYWORD, TEXT = ({"properties": {"a": {"type": kind}}} for kind in ("keyword", "text"))


def test_the_command_plans_applies_and_says_with_its_exit_code_what_is_left(command: Command):
    name = command.server.name
    assert command.run(KEYWORD, "plan") == (1, f"{name}: to be created\n", "")
    assert command.run(KEYWORD, "apply")[:2] == (0, f"{name}: created {name}-000001\n")
    assert command.run(KEYWORD, "plan")[:2] == (0, f"{name} ({name}-000001): as declared\n")
    code, out, _ = command.run(TEXT, "plan")
    assert code == 1
    assert "rebuild a: type keyword -> text" in out
    assert "python -m service backfill --route=things:Things --rebuild\n" in out
    code, out, _ = command.run(TEXT, "apply")
    assert code == 1
    assert "refused" in out
    assert command.server.fields() == KEYWORD["properties"]


def test_every_line_is_json_for_scripts(command: Command):
    command.run(KEYWORD, "apply")
    code, out, _ = command.run(TEXT, "plan", "--json", "--index=things")
    (line,) = map(json.loads, out.splitlines())
    difference = {"kind": "field", "path": "a", "there": "keyword", "declared": "text", "parameter": "type"}
    assert code == 1
    assert line["differences"] == [{**difference, "cure": Cure.REBUILD}]
    assert (line["index"], line["state"], line["template"]) == (command.server.name, "differs", None)
    assert (line["behind"], line["copies"]) == (f"{command.server.name}-000001", [])


def test_of_an_index_that_is_no_alias_it_is_said_that_there_is_no_way_back(command: Command):
    command.server.make(command.server.name, mappings=KEYWORD)
    for action in ("plan", "apply"):
        code, out, _ = command.run(TEXT, action)
        assert code == 1
        assert "--route=things:Things --rebuild --replace-index\n" in out
        assert f"{command.server.name} is an index, not an alias" in out


def test_an_index_is_deleted_only_where_it_is_named_and_confirmed(command: Command, monkeypatch):
    command.run(KEYWORD, "apply")
    code, _, err = command.run(TEXT, "apply", "--recreate")
    assert (code, "--index=NAME" in err) == (2, True)
    code, _, err = command.run(TEXT, "apply", "--recreate", "--index=things")
    assert (code, "--yes" in err) == (2, True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert command.run(TEXT, "apply", "--recreate", "--index=things")[0] == 1
    assert command.server.fields() == KEYWORD["properties"]
    asked: list[str] = []
    index = f"{command.server.name}-000001"
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or index)
    assert command.run(TEXT, "apply", "--recreate", "--index=things")[0] == 0
    assert "0 documents" in asked[0]
    assert command.server.fields() == TEXT["properties"]


def test_recreating_again_deletes_nothing(command: Command):
    command.run(KEYWORD, "apply")
    words = ("apply", "--recreate", "--index=things", "--yes")
    assert command.run(TEXT, *words)[0] == 0
    ask("PUT", f"{command.server.url}/{command.server.name}/_doc/1?refresh=true", {"a": "x"})
    assert command.run(TEXT, *words)[0] == 0
    assert ask("GET", f"{command.server.url}/{command.server.name}/_count")["count"] == 1


def test_the_command_checks_a_sample(command: Command, shelf: Shelf, aws_url: str, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    shelf.put("b1", a=1)
    code, out, _ = command.run({"properties": {"a": {"type": "date"}}}, "check", "--sample=10", table=shelf.table)
    assert (code, out) == (0, f"{command.server.name}: 1 item, 1 document: all fit\n")
    shelf.put("b2", a={"x": "no date"})
    code, out, _ = command.run({"properties": {"a": {"type": "date"}}}, "check", table=shelf.table)
    assert code == 1
    assert "field a contains object, but is mapped as date: b2" in out


def test_a_server_that_is_down_exits_with_4_and_a_word_that_is_none_with_2(command: Command, monkeypatch):
    assert command.run(KEYWORD, "dance")[0] == 2
    assert command.run(KEYWORD, "plan", "--index=none")[0] == 2
    assert command.run(KEYWORD, "plan", "--search-url=http://127.0.0.1:1")[0] == 4
