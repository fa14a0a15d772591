"""`backfill` and `verify` on the command line: their output and exit codes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deployments import Deployment, ask, fill
from load import make_queue

from service.commands.rebuild import rebuild as rebuilding
from service.entrypoints.cli import main


@pytest.fixture
def place(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Return a table of a few items, with the environment of the commands set."""
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.0)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)
    for name, value in deployment.environment.items():
        monkeypatch.setenv(name, value)
    fill(deployment, 5)
    return deployment


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    capsys.readouterr()
    main([*words, "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def spoil(place: Deployment) -> None:
    """Delete a document, as an outside program would."""
    ask("DELETE", f"{place.search_url}/{place.index}/_doc/i0001")


def test_a_table_is_loaded_and_verified(place: Deployment, capsys: pytest.CaptureFixture[str]):
    assert main(["backfill"]) == 0
    told = capsys.readouterr()
    assert told.out == "5 items: 5 applied\n"
    assert "backfill: 5 items" in told.err
    assert main(["verify", "--patience=0"]) == 0
    assert "5 items and 5 documents: no differences" in capsys.readouterr().out
    assert said(capsys, "backfill", "--table=images") == [{"applied": 5}]


def test_what_differs_is_named_and_repaired(place: Deployment, capsys: pytest.CaptureFixture[str]):
    main(["backfill"])
    spoil(place)
    capsys.readouterr()
    assert main(["verify", "--patience=0"]) == 1
    found, counts = capsys.readouterr().out.splitlines()
    assert found.split() == ["missing", f"{place.index}/i0001"]
    assert counts == "5 items and 4 documents: 1 missing"
    finding, ended = said(capsys, "verify", "--patience=0", "--repair")
    assert (finding["kind"], finding["key"], finding["became"]) == ("missing", {"id": "i0001"}, "repaired")
    assert (ended["left"], ended["repaired"]) == ({}, {"missing": 1})
    assert main(["verify", "--patience=0"]) == 0


def test_an_index_is_rebuilt_and_the_old_one_dropped(place: Deployment, capsys: pytest.CaptureFixture[str]):
    main(["backfill"])
    capsys.readouterr()
    assert main(["backfill", "--rebuild", "--patience=0"]) == 0
    new, old = f"{place.index}-000002", f"{place.index}-000001"
    assert capsys.readouterr().out == f"{place.index}: {new} has replaced {old}\n"
    assert main(["backfill", "--rebuild"]) == 2
    assert "--drop-old to delete it, or --rollback to put it back" in capsys.readouterr().err
    assert main(["backfill", "--rollback"]) == 0
    assert capsys.readouterr().out == f"{place.index}: {old} has replaced {new} again\n"
    assert main(["backfill", "--rollback"]) == 2  # a second rollback does not undo the first
    told = capsys.readouterr().err
    assert f"nothing to roll back: {old} is searched" in told
    assert "run `--rebuild` to continue" in told
    assert list(ask("GET", f"{place.search_url}/_alias/{place.index}")) == [old]
    assert main(["backfill", "--rebuild", "--patience=0"]) == 0
    capsys.readouterr()
    assert main(["backfill", "--drop-old", "--yes"]) == 0
    assert capsys.readouterr().out == f"{place.index}: {old} deleted\n"
    assert main(["backfill", "--drop-old"]) == 0  # a second run has nothing to ask about
    assert capsys.readouterr().out == f"{place.index}: no replaced index is kept; {new} is searched\n"


@pytest.mark.long(after=1)
@pytest.mark.parametrize(("build", "word", "number"), [(["--rebuild"], "--drop-old", 1), ([], "--abandon", 2)])
def test_nothing_is_deleted_unless_that_is_confirmed(
    place: Deployment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    build: list[str],
    word: str,
    number: int,
):
    main(["backfill"])
    index = f"{place.index}-{number:06d}"
    if build:
        assert main(["backfill", *build, "--patience=0"]) == 0
    else:
        aliases = {f"{place.index}--also": {}, f"{place.index}--new": {}}
        ask("PUT", f"{place.search_url}/{index}", {"aliases": aliases})
    documents = f"the index {index} with {5 if build else 0} documents"
    assert main(["backfill", word]) == 2
    assert documents in (told := capsys.readouterr().err)
    assert "--yes" in told
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "no")
    assert main(["backfill", word]) == 1
    assert documents in asked[0]
    assert ask("GET", f"{place.search_url}/{index}/_count") is not None
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert main(["backfill", word]) == 0
    assert index not in ask("GET", f"{place.search_url}/{place.index}*/_alias")


def test_tasks_are_put_on_a_queue(place: Deployment, capsys: pytest.CaptureFixture[str]):
    queue = make_queue(place)
    assert main(["backfill", f"--enqueue={queue}", "--segments=3"]) == 0
    assert (
        capsys.readouterr().out
        == f"3 tasks sent to queue {queue}, for workers with STREAMDEX_TASK_QUEUE={queue}\n"
    )
    assert said(capsys, "backfill", f"--enqueue={queue}", "--segments=12") == [{"enqueued": 12}]


@pytest.mark.long(after=2)
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--rebuild", "--rollback"], "use only one of --rebuild, --rollback"),
        (["--loaded"], "use --rebuild --loaded"),
        (["--accept-stale"], "use --rollback --accept-stale"),
        (["--table=other"], "no route that fills an index from a table matches table other"),
        (["--export=/nowhere/at/all"], "the file or folder does not exist"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    place: Deployment, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
):
    assert main(["backfill", *words]) == 2
    assert reason in capsys.readouterr().err
