"""A recording gives the same documents as the live path did, from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deployments import Deployment, aws_client, documents_of, eventually

from service.entrypoints.cli import main
from service.entrypoints.lambda_handler import handler_for
from service.sinks.letters.envelope import portable


def recorded(deployment: Deployment) -> dict[str, Any]:
    """A Lambda event with everything in the table's stream."""
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
    """The name of another index, to which the environment now leads the route."""
    index = f"{running.index}-again"
    monkeypatch.setenv("SEARCH_URL", running.search_url)
    monkeypatch.setenv("STREAMDEX_NAMES", f"table/images={running.table},index/images={index}")
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "replayed"))
    monkeypatch.setenv("FUNC", "images")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return index


def write(tmp_path: Path, event: dict[str, Any], form: str) -> str:
    path = tmp_path / f"recording.{form}"
    lines = map(json.dumps, event["Records"])
    path.write_text("\n".join(lines) if form == "jsonl" else json.dumps(event, indent=2))
    return str(path)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_replay_gives_the_documents_of_the_live_path(
    running: Deployment, event, elsewhere, tmp_path, form, capsys
):
    for _ in range(2):  # again changes nothing
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
    for words in ("recording.jsonl:1: not JSON", "no route for table users", "recording.jsonl:3: nothing known"):
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
