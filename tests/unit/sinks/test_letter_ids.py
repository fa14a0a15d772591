"""Ids of dead letters: the store assigns them. The content cannot name another file, object or message."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from builders import stream_record
from fakes import records
from moto import mock_aws

from service.context import Context
from service.errors import DecodeError
from service.pipeline import DeadLetter, Outcome, Result
from service.sinks.dead_letters import DeadLetterBucket, DeadLetterFolder, DeadLetterQueue, StoredDeadLetter
from service.sinks.dead_letters.dead_letter import FORMAT

NAME = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
BUCKET = "letters-of-ours"
HOSTILE = [
    "../../config/package",
    "/etc/passwd",
    "..",
    "",
    "a\0b",
    "a/b",
    NAME + "\n",
    NAME.upper(),
    "*",
    NAME[1:],
]
WHY = Result(Outcome.REJECTED, "bad")


def content(name: Any, key: str = "a", **more: Any) -> str:
    """Return a dead letter whose content claims the id `name`."""
    record = stream_record(new={"id": key})
    return json.dumps({"format": FORMAT, "id": name, "route": "r", "source": "s", "record": record, **more})


@pytest.mark.parametrize("name", HOSTILE)
def test_there_is_no_dead_letter_with_another_kind_of_id(name):
    with pytest.raises(DecodeError, match="id"):
        StoredDeadLetter(id=name, time="", route="", reason="", status=None, source="", identifier="", record={})


@pytest.mark.parametrize("name", [*HOSTILE, OTHER, 7, None, [NAME]])
def test_the_id_of_a_letter_in_a_folder_is_the_name_of_its_file(tmp_path, name):
    outside, folder = tmp_path / "config" / "package.json", tmp_path / "state" / "letters"
    for path, text in ((outside, "{}"), (folder / f"{NAME}.json", content(name)), (folder / "x.json", "{}")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / f"{OTHER}.json").write_text(content(OTHER))
    box = DeadLetterFolder(folder)
    (kept,) = box.read(NAME)
    assert kept.id == NAME
    box.remove(kept)
    assert outside.exists()
    assert sorted(path.name for path in folder.iterdir()) == [f"{OTHER}.json", "x.json"]


def test_files_that_are_not_named_as_letters_are_left_alone(tmp_path, caplog):
    for name in ("package", "..", "\u0661" * 32, NAME + " "):
        (tmp_path / f"{name}.json").write_text(content(NAME))
    assert list(DeadLetterFolder(tmp_path).read()) == []
    assert {Path(line.where).name for line in caplog.records} >= {"package.json"}


def test_a_link_or_a_pipe_in_the_folder_is_no_letter(tmp_path, caplog):
    secret = tmp_path / "secret.json"
    secret.write_text(content(NAME))
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / f"{NAME}.json").symlink_to(secret)
    os.mkfifo(folder / f"{OTHER}.json")
    (folder / f"{'a' * 32}.json").mkdir()
    assert list(DeadLetterFolder(folder).read()) == []
    assert secret.exists()
    assert [Path(line.where).stem for line in caplog.records] == [NAME, "a" * 32, OTHER]


def test_a_letter_is_not_written_through_a_link(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "letters"
    outside.write_text("mine")
    box = DeadLetterFolder(folder)
    (record,) = records(stream_record(new={"id": "a"}))
    box.store([DeadLetter(record, "r", WHY)])
    (path,) = folder.iterdir()
    path.unlink()
    path.symlink_to(outside)
    box.store([DeadLetter(record, "r", WHY)])
    assert outside.read_text() == "mine"
    assert len(list(box.read())) == 1


@pytest.fixture(scope="module")
def clients() -> Context:
    who = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return Context(s3=boto3.client("s3", **who), sqs=boto3.client("sqs", **who))


@pytest.fixture
def context(clients: Context) -> Iterator[Context]:
    """Yield clients with an empty bucket and an empty queue."""
    with mock_aws():
        clients.s3.create_bucket(Bucket=BUCKET)
        clients.sqs.create_queue(QueueName="q")
        yield clients


def keys(context: Context) -> list[str]:
    return [entry["Key"] for entry in context.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.mark.parametrize("name", ["../other", "x/other", OTHER])
def test_the_id_of_a_letter_in_a_bucket_is_the_name_of_its_object(context, name):
    box = DeadLetterBucket(context, BUCKET, "letters")
    for key in (
        f"letters/{NAME}.json",
        "letters/../other.json",
        "letters/x/other.json",
        f"letters/x/{OTHER}.json",
    ):
        context.s3.put_object(Bucket=BUCKET, Key=key, Body=content(name).encode())
    (kept,) = box.read()
    assert kept.id == NAME
    box.remove(kept)
    assert f"letters/{NAME}.json" not in keys(context)
    assert len(keys(context)) == 3


def send(context: Context, *bodies: str) -> None:
    url = context.sqs.get_queue_url(QueueName="q")["QueueUrl"]
    for body in bodies:
        context.sqs.send_message(QueueUrl=url, MessageBody=body)


def test_messages_with_another_kind_of_id_are_left_alone(context, caplog):
    send(context, *map(content, HOSTILE), content(NAME))
    box = DeadLetterQueue(context, "q", None)
    assert [kept.id for kept in box.read()] == [NAME]
    assert caplog.text.count("skipped: not a dead letter") == len(HOSTILE)


def test_a_message_that_claims_the_id_of_another_hides_and_removes_nothing_of_it(context):
    send(context, content(NAME, "forged"), content(NAME, "genuine"), content(NAME, "genuine", time="later"))
    box = DeadLetterQueue(context, "q", None)
    found = []
    for kept in box.read():
        found.append(kept.record["dynamodb"]["Keys"]["id"]["S"])
        if found[-1] == "forged":
            box.remove(kept)
    assert sorted(found) == ["forged", "genuine"]
    assert [kept.record["dynamodb"]["Keys"]["id"]["S"] for kept in box.read()] == ["genuine"]


def test_a_pointer_leads_to_a_letter_of_the_bucket_alone(context, caplog):
    pointers = [f"secret/{NAME}.json", "large/../x.json", "large/x", f"large/x/{NAME}.json", f"{NAME}.json"]
    for pointer in pointers:
        context.s3.put_object(Bucket=BUCKET, Key=pointer, Body=content(NAME).encode())
    send(context, *(json.dumps({"pointer": pointer}) for pointer in pointers))
    assert list(DeadLetterQueue(context, "q", DeadLetterBucket(context, BUCKET, "large")).read()) == []
    assert caplog.text.count("skipped: not named like a dead letter") == len(pointers)
    assert keys(context) == sorted(pointers)


def test_a_large_letter_is_named_by_its_object(context):
    for name in (NAME, OTHER):
        context.s3.put_object(Bucket=BUCKET, Key=f"large/{name}.json", Body=content(OTHER).encode())
    send(context, json.dumps({"pointer": f"large/{NAME}.json"}))
    box = DeadLetterQueue(context, "q", DeadLetterBucket(context, BUCKET, "large"))
    (kept,) = box.read()
    assert kept.id == NAME
    box.remove(kept)
    assert keys(context) == [f"large/{OTHER}.json"]
