"""Replays from the command line: a recording gives the same documents as the live path."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import s3_record, stream_record
from deployments import PICTURE, Deployment, ask, aws_client, documents_of, eventually
from read_only import read_only

from service.entrypoints.cli import main
from service.entrypoints.lambda_handler import handler_for
from service.model.versions import stream_version
from service.sinks.dead_letters.dead_letter import portable


def recorded(deployment: Deployment) -> dict[str, Any]:
    """Return a Lambda event with all records of the table's stream."""
    streams = aws_client(deployment.aws_url, "dynamodbstreams")
    arn = deployment.items.latest_stream_arn
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return json.loads(portable({"Records": [{**record, "eventSourceARN": arn} for record in records]}))


@pytest.fixture
def event(running: Deployment) -> dict[str, Any]:
    for name in ("a", "b", "c"):
        running.items.put_item(Item={"id": name, "title": name.upper(), "bytes": b"\0\1", "set": {"y", "x"}})
    running.items.put_item(Item={"id": "b", "title": "changed"})
    running.items.delete_item(Key={"id": "c"})
    eventually(lambda: sorted(running.documents()), ["a", "b"])
    eventually(lambda: running.documents()["b"]["title"], "changed")
    return recorded(running)


@pytest.fixture
def elsewhere(running: Deployment, monkeypatch, tmp_path) -> str:
    """Make the route write to another index. Return the name of that index."""
    index = f"{running.index}-again"
    monkeypatch.setenv("SEARCH_URL", running.search_url)
    monkeypatch.setenv("STREAMDEX_NAMES", f"table/images={running.table},index/images={index}")
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "replayed"))
    monkeypatch.setenv("FUNC", "images")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return index


@pytest.fixture
def everything(running: Deployment, event, tmp_path, monkeypatch) -> str:
    """Return a recording of changes, uploads, a record without a route, and unreadable lines.

    The tables are reachable.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.aws_url)
    names = ",".join(f"{name}={actual}" for name, actual in running.settings.names.items())
    monkeypatch.setenv("STREAMDEX_NAMES", names)
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "none"))
    running.s3.put_object(Bucket=running.bucket, Key="d", Body=PICTURE.read_bytes())
    eventually(lambda: "d" in running.documents(), True)
    uploads = [
        s3_record("d", bucket=running.bucket),
        s3_record("a", "ObjectRemoved:Delete", bucket=running.bucket),
    ]
    stranger = json.loads(json.dumps(event["Records"][0]).replace(running.table, "users"))
    path = tmp_path / "everything.jsonl"
    lines = [*event["Records"], *uploads, stranger, {"eventSource": "aws:kinesis"}]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n{broken")
    return str(path)


def state_of(running: Deployment) -> Callable[[], Any]:
    """Return a function that reads the table, the index, all other indices and the aliases."""
    return lambda: (
        sorted(map(str, running.items.scan()["Items"])),
        running.documents(),
        ask("GET", f"{running.search_url}/_mapping"),
        ask("GET", f"{running.search_url}/_alias"),
    )


@pytest.mark.long(after=1)
@pytest.mark.parametrize("index", ["its own", "none yet"])
def test_a_rehearsal_writes_nothing(running: Deployment, everything, index, tmp_path, capsys):
    look = state_of(running)
    before = look()
    names = {**running.settings.names, **({"index/images": f"{running.index}-new"} if index == "none yet" else {})}
    for words in (["--dry-run"], ["--diff"], ["--dry-run", "--current"], ["--diff", "--current"]):
        with read_only(running.search_url) as server:
            words += [f"--search-url={server.url}", "--names", ",".join(f"{n}={a}" for n, a in names.items())]
            assert main(["replay", everything, *words]) == 1
        assert server.refused == []
        assert (server.reads > 0) == ("--diff" in words)
        assert look() == before
        assert not (tmp_path / "none").exists()
        out, err = capsys.readouterr()
        assert "10 records: " in out
        assert "rejected" in out
        assert "nothing was written" in err


@pytest.mark.long
def test_what_lets_only_reads_through_refuses_a_replay(running: Deployment, everything, capsys):
    with read_only(running.search_url) as server:
        assert main(["replay", everything, f"--search-url={server.url}", "--route=images:Images"]) == 3
    assert "POST /_bulk" in server.refused


def test_a_diff_says_what_a_replay_then_changes(running: Deployment, event, elsewhere, tmp_path, capsys):
    path = write(tmp_path, event, "jsonl")
    index = f"{running.search_url}/{elsewhere}"
    ask("PUT", f"{index}/_doc/a?version=1&version_type=external", {"title": "old", "metadata": {}, "gone": 1})
    ask("PUT", f"{index}/_doc/c?version=1&version_type=external", {"title": "C"})
    assert main(["replay", path, "--diff"]) == 1
    out = capsys.readouterr().out
    assert f"changed  {elsewhere}/a  " in out
    assert '  ~ title: "old" -> "A"' in out
    assert "  - gone: 1" in out
    assert f"missing  {elsewhere}/b  " in out
    assert f"would be deleted  {elsewhere}/c  " in out
    assert main(["replay", path]) == 0
    capsys.readouterr()
    assert main(["replay", path, "--diff"]) == 0
    assert "5 records: 3 unchanged" in capsys.readouterr().out


def test_while_an_index_is_rebuilt_a_replay_writes_to_both_and_a_diff_reads_the_one_that_is_searched(
    running: Deployment, event, elsewhere, tmp_path, capsys
):
    path = write(tmp_path, event, "jsonl")
    searched, copy = f"{elsewhere}-000001", f"{elsewhere}-000002"
    for index, alias in ((searched, elsewhere), (copy, f"{elsewhere}--also")):
        ask("PUT", f"{running.search_url}/{index}", {"aliases": {alias: {}}})
    ask("PUT", f"{running.search_url}/{copy}/_doc/a", {"title": "copied"})
    with read_only(running.search_url) as server:
        assert main(["replay", path, "--diff", f"--search-url={server.url}"]) == 1
    assert server.refused == []
    assert f"missing  {elsewhere}/a  " in capsys.readouterr().out
    assert main(["replay", path]) == 0
    assert documents_of(running.search_url, searched) == running.documents()
    assert documents_of(running.search_url, copy) == running.documents()


@pytest.mark.long
def test_a_diff_tells_what_is_older_than_the_index(running: Deployment, event, tmp_path, capsys, monkeypatch):
    running.items.put_item(Item={"id": "a", "title": "newest"})
    eventually(lambda: running.documents()["a"]["title"], "newest")
    monkeypatch.setenv("SEARCH_URL", running.search_url)
    names = ",".join(f"{name}={actual}" for name, actual in running.settings.names.items())
    assert main(["replay", write(tmp_path, event, "json"), "--diff", f"--names={names}"]) == 0
    assert f"older than what is there  {running.index}/a  " in capsys.readouterr().out


def test_a_replay_of_what_is_there_now_does_not_bring_back_what_was(
    running: Deployment, event, elsewhere, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.aws_url)
    running.items.put_item(Item={"id": "a", "title": "newest"})
    running.items.delete_item(Key={"id": "b"})
    eventually(lambda: sorted(running.documents()), ["a"])
    assert main(["replay", write(tmp_path, event, "jsonl"), "--current"]) == 0
    assert documents_of(running.search_url, elsewhere) == running.documents()
    assert running.documents()["a"]["title"] == "newest"


@pytest.mark.long
def test_a_filter_replays_only_what_is_meant(running: Deployment, event, elsewhere, tmp_path, capsys):
    path = write(tmp_path, event, "jsonl")
    assert main(["replay", path, "--key=id=b", "--table=images", "--route=images:Images"]) == 0
    assert list(documents_of(running.search_url, elsewhere)) == ["b"]
    assert "2 records: 1 applied, 3 filtered out, 1 stale" in capsys.readouterr().out


def write(tmp_path: Path, event: dict[str, Any], form: str) -> str:
    path = tmp_path / f"recording.{form}"
    lines = map(json.dumps, event["Records"])
    path.write_text("\n".join(lines) if form == "jsonl" else json.dumps(event, indent=2))
    return str(path)


@pytest.mark.long(after=1)
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_replay_gives_the_documents_of_the_live_path(
    running: Deployment, event, elsewhere, tmp_path, form, capsys
):
    for _ in range(2):  # the second replay changes nothing
        assert main(["replay", write(tmp_path, event, form)]) == 0
        assert documents_of(running.search_url, elsewhere) == running.documents()
    assert "5 records" in capsys.readouterr().out


def test_the_lambda_handler_gives_the_documents_of_the_live_path(running: Deployment, event, elsewhere):
    assert handler_for()(event, None) == {"batchItemFailures": []}
    assert documents_of(running.search_url, elsewhere) == running.documents()


def test_bad_lines_are_told_and_the_rest_is_replayed(running: Deployment, event, elsewhere, tmp_path, capsys):
    path = Path(write(tmp_path, event, "jsonl"))
    stranger = json.loads(json.dumps(event["Records"][0]).replace(running.table, "users"))
    lines = [
        "{not json",
        json.dumps(stranger),
        json.dumps({"eventSource": "aws:kinesis"}),
        *path.read_text().split("\n"),
    ]
    path.write_text("\n".join(lines))
    assert main(["replay", str(path)]) == 1
    assert documents_of(running.search_url, elsewhere) == running.documents()
    out, err = capsys.readouterr()
    assert "8 records" in out
    for words in ("recording.jsonl:1: not JSON", "no route for table users", "recording.jsonl:3: unknown payload"):
        assert words in err


def test_a_replay_with_the_server_down_says_so_and_exits_with_4(event, elsewhere, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SEARCH_URL", "http://127.0.0.1:1")
    assert main(["replay", write(tmp_path, event, "json"), "--retry-time=0.5"]) == 4
    assert "does not answer" in capsys.readouterr().err


def test_an_index_that_was_newer_stays_newer_after_a_replay(running: Deployment, event, tmp_path, monkeypatch):
    running.items.put_item(Item={"id": "a", "title": "newest"})
    eventually(lambda: running.documents()["a"]["title"], "newest")
    before = running.documents()
    app_settings = replace(running.settings, read_queue=())
    monkeypatch.setenv("SEARCH_URL", app_settings.search_url)
    names = ",".join(f"{name}={actual}" for name, actual in app_settings.names.items())
    assert main(["replay", write(tmp_path, event, "json"), f"--names={names}"]) == 0
    assert running.documents() == before


def test_a_replay_of_what_is_all_stale_says_so_and_the_current_items_can_be_written(
    running: Deployment, elsewhere, tmp_path, monkeypatch, capsys
):
    """The documents were deleted by hand. The empty index remembers them as newer than the records."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.aws_url)
    running.items.put_item(Item={"id": "a", "title": "now"})
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps(stream_record(new={"id": "a", "title": "once"}, table=running.table)))
    assert main(["replay", str(path)]) == 0
    deleted = stream_version(time.time() - 1000, None)
    ask("DELETE", f"{running.search_url}/{elsewhere}/_doc/a?version={deleted}&version_type=external_gte")
    capsys.readouterr()
    assert main(["replay", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "1 record: 1 stale" in out
    assert "nothing was written" in err
    assert "--current" in err
    assert documents_of(running.search_url, elsewhere) == {}
    assert main(["replay", str(path), "--current"]) == 0
    assert "1 record: 1 applied" in capsys.readouterr().out
    assert documents_of(running.search_url, elsewhere)["a"]["title"] == "now"
    deleted = stream_version(time.time() + 1000, None)
    ask("DELETE", f"{running.search_url}/{elsewhere}/_doc/a?version={deleted}&version_type=external_gte")
    assert main(["replay", str(path), "--current"]) == 0
    assert "verify --repair" in capsys.readouterr().err
