"""Replays of recordings: the documents are those of the live path, for each end and each place of a recording."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import as_json
from deployments import Deployment, Running, documents_of, eventually

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.entrypoints.cli import main
from service.model.serializer import typed


@pytest.fixture
def environment(deployment: Deployment, monkeypatch, tmp_path) -> dict[str, str]:
    """Set the environment for the deployment, and return it for other processes."""
    names = ",".join(f"{name}={actual}" for name, actual in deployment.settings.names.items())
    made = {
        "AWS_ENDPOINT_URL": deployment.aws_url,
        "SEARCH_URL": deployment.search_url,
        "STREAMDEX_NAMES": names,
        "STREAMDEX_DEAD_LETTERS": str(tmp_path / "replayed"),
        "STREAMDEX_CHECKPOINTS": str(tmp_path / "positions.sqlite"),
        "POLL_INTERVAL": "0.05",
        "FUNC": "images",
    }
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@pytest.fixture
def elsewhere(deployment: Deployment) -> tuple[str, str]:
    """Return another index, and the option that makes routes write to it."""
    index = f"{deployment.index}-again"
    names = {**deployment.settings.names, "index/images": index}
    return index, "--names=" + ",".join(f"{name}={actual}" for name, actual in names.items())


def fill(place: Deployment) -> None:
    """Make six changes to four items."""
    for name in ("a", "b", "c"):
        place.items.put_item(Item={"id": name, "title": name.upper(), "bytes": b"\0\1", "set": {"y", "x"}})
    place.items.put_item(Item={"id": "b", "title": "changed", "owner": {"name": "somebody"}})
    place.items.delete_item(Key={"id": "c"})
    place.items.put_item(Item={"id": "d", "title": "D"})


def documents(place: Deployment, index: str) -> dict[str, Any]:
    return documents_of(place.search_url, index)


def numbers(path: Path) -> list[str]:
    """Return the sequence numbers of the complete lines."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line)["dynamodb"]["SequenceNumber"] for line in text.splitlines() if line.endswith(b"}")]


@pytest.mark.long(after=1)
@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_a_recording_of_a_table_gives_the_documents_of_the_live_path(
    running: Deployment, environment, elsewhere, tmp_path, name, capsys
):
    fill(running)
    eventually(lambda: sorted(running.documents()), ["a", "b", "d"])
    out = tmp_path / name
    assert main(["record", "--table=images", f"--out={out}", "--records=6"]) == 0
    assert f"6 records written to {out}" in capsys.readouterr().out
    assert not Path(environment["STREAMDEX_CHECKPOINTS"]).exists()
    index, names = elsewhere
    assert main(["replay", str(out), names]) == 0
    assert documents(running, index) == running.documents()


@pytest.mark.long
def test_an_object_or_a_folder_in_s3_is_replayed_alike(running: Deployment, environment, elsewhere, tmp_path):
    fill(running)
    eventually(lambda: sorted(running.documents()), ["a", "b", "d"])
    out = tmp_path / "r.jsonl.gz"
    main(["record", f"--table={running.table}", f"--out={out}", "--records=6"])
    running.s3.put_object(Bucket=running.bucket, Key="recordings/r.jsonl.gz", Body=out.read_bytes())
    index, names = elsewhere
    for where in ("recordings/r.jsonl.gz", "recordings/"):
        assert main(["replay", f"s3://{running.bucket}/{where}", names]) == 0
        assert documents(running, index) == running.documents()


def test_an_export_in_s3_fills_an_index_and_what_the_stream_has_since_stays(
    running: Deployment, environment, tmp_path
):
    fill(running)
    eventually(lambda: sorted(running.documents()), ["a", "b", "d"])
    lines = [{"Item": as_json(typed({"id": name, "title": "exported"}))} for name in ("b", "d", "e")]
    folder = "AWSDynamoDB/01700000000000-a1b2c3d4"
    objects = {
        f"{folder}/data/x.json.gz": gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()),
        f"{folder}/manifest-files.json": json.dumps({"dataFileS3Key": f"{folder}/data/x.json.gz"}).encode(),
        f"{folder}/manifest-summary.json": json.dumps(
            {
                "tableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{running.table}",
                "exportTime": "2023-11-14T22:13:20Z",
                "outputFormat": "DYNAMODB_JSON",
            }
        ).encode(),
    }
    for key, body in objects.items():
        running.s3.put_object(Bucket=running.bucket, Key=key, Body=body)
    before = running.documents()
    assert main(["replay", f"s3://{running.bucket}/AWSDynamoDB/"]) == 0
    assert running.documents() == {**before, "e": {"title": "exported", "metadata": {}}}


@pytest.fixture
def recorded(deployment: Deployment, tmp_path) -> Iterator[Path]:
    """Yield the folder to which the container of the deployment records."""
    folder = tmp_path / "recorded"
    settings = replace(deployment.settings, record_to=str(folder / "images.jsonl.gz"), record_mask=("owner.name",))
    with App(settings, [Images(), ImageUploads()], recording=True) as app:
        workers = Running(app)
        yield folder
        workers.stop()


def test_the_container_records_what_it_dispatches_from_streams_and_queues(
    deployment: Deployment, recorded: Path, environment, elsewhere
):
    fill(deployment)
    deployment.upload("picture.jpg")
    eventually(lambda: sorted(deployment.documents()), ["a", "b", "d", "picture.jpg"])
    index, names = elsewhere
    eventually(lambda: replays(deployment, recorded, index, names), True)
    text = b"".join(gzip.decompress(path.read_bytes()) for path in recorded.iterdir())
    kinds = {json.loads(line)["eventSource"] for line in text.splitlines()}
    assert kinds == {"aws:dynamodb", "aws:s3"}
    assert b"somebody" not in text
    assert b'"owner":{"M":{"name":{"S":"***"}}}' in text


def replays(place: Deployment, folder: Path, index: str, names: str) -> bool:
    """True if a replay of the recording so far gives the documents, except for masked values."""
    assert main(["replay", str(folder), names]) == 0
    live = place.documents()
    live["b"]["metadata"]["owner"]["name"] = "***"
    return documents(place, index) == live


def start(environment: dict[str, str], out: Path, *options: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "service", "record", "--table=images", f"--out={out}", *options]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.long(after=1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_recording_with_what_it_has(deployment: Deployment, environment, tmp_path, number):
    fill(deployment)
    out = tmp_path / "r.jsonl"
    process = start(environment, out)
    eventually(lambda: out.exists() and len(numbers(out)), 6)
    process.send_signal(number)
    told, errors = process.communicate(timeout=30)
    assert (process.returncode, told.decode()) == (0, f"6 records written to {out}\n")
    assert "record: 6 records" in errors.decode()


@pytest.mark.long
def test_a_recording_ends_after_its_time(deployment: Deployment, environment, tmp_path, capsys):
    fill(deployment)
    for seconds in (1, 8, 30):  # on a busy machine, one second may be too short to find the shards
        began = time.monotonic()
        assert (
            main(["record", "--table=images", f"--out={tmp_path / 'r.jsonl'}", f"--for={seconds}", "--json"]) == 0
        )
        assert time.monotonic() - began >= seconds
        out, err = capsys.readouterr()
        if json.loads(out)["records"]:
            break
    assert json.loads(out) == {"records": 6, "file": str(tmp_path / "r.jsonl")}
    assert err == ""


@pytest.mark.long(after=1)
@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_after_a_kill_the_next_run_adds_to_the_same_file(
    deployment: Deployment, environment, elsewhere, tmp_path, name
):
    fill(deployment)
    out = tmp_path / name
    process = start(environment, out)
    eventually(lambda: out.exists() and out.stat().st_size > 0, True)
    process.kill()
    process.communicate()
    with out.open("ab") as file:
        file.write(out.read_bytes()[:30])  # as a kill in the middle of a line leaves it
    assert main(["record", "--table=images", f"--out={out}", "--records=6"]) == 0
    index, names = elsewhere
    assert main(["replay", str(out), names]) == (1 if name == "r.jsonl" else 0)  # reports the broken line
    assert sorted(documents(deployment, index)) == ["a", "b", "d"]


def test_a_table_that_is_not_there_is_told(environment, tmp_path, capsys):
    assert main(["record", "--table=absent", f"--out={tmp_path / 'r.jsonl'}"]) == 3
    assert "the table absent does not exist" in capsys.readouterr().err


@pytest.fixture
def bare(deployment: Deployment) -> str:
    """Create a table that has neither a route nor a stream. Return its name."""
    name = f"{deployment.table}-bare"
    deployment.app.context.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def test_a_key_that_no_route_knows_is_not_masked_either(bare, environment, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert main(["record", f"--table={bare}", f"--out={out}", "--record-mask=email"]) == 2
    assert f"cannot mask email: it is in the key of table {bare}" in capsys.readouterr().err
    assert not out.exists()


def test_a_table_without_a_stream_is_told(bare, environment, tmp_path, capsys):
    assert main(["record", f"--table={bare}", f"--out={tmp_path / 'r.jsonl'}"]) == 3
    assert "has no stream" in capsys.readouterr().err
