"""Recordings in S3: listing, reads in parts, and error messages."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from builders import stream_record
from moto import mock_aws

from service.context import Context
from service.errors import Halt, SettingsError, Unreachable
from service.sources.files import locations
from service.sources.files.recording import Recordings


@pytest.fixture
def s3(monkeypatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="recordings")
        yield client


def put(s3, key: str, *numbers: int, pack: bool = False) -> None:
    lines = [json.dumps(stream_record(new={"id": "k"}, sequence=str(n))) for n in numbers]
    body = "\n".join(lines).encode()
    s3.put_object(Bucket="recordings", Key=key, Body=gzip.compress(body) if pack else body)


def recordings(s3, *wheres: str) -> Recordings:
    return Recordings(wheres, Context(s3=s3))


def numbers(s3, *wheres: str) -> list[int]:
    return [int(r.identifier) for one in recordings(s3, *wheres).read() for r in one.records()]


def test_an_object_is_read_in_parts(s3, monkeypatch):
    monkeypatch.setattr(locations, "PART", 1000)
    put(s3, "a/r.jsonl", *range(20))
    asked: list[str] = []
    s3.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: asked.append(params["headers"]["Range"])
    )
    assert numbers(s3, "s3://recordings/a/r.jsonl") == list(range(20))
    assert len(asked) > 5
    assert asked[:2] == ["bytes=0-999", "bytes=1000-1999"]


def test_all_objects_below_a_prefix_are_read_in_the_order_of_their_keys(s3, monkeypatch):
    for n in range(5):
        put(s3, f"day/{n}.jsonl", n)
    put(s3, "day/5.jsonl.gz", 5, 6, pack=True)
    put(s3, "day/_started")
    put(s3, "days/other.jsonl", 9)
    assert numbers(s3, "s3://recordings/day/") == [0, 1, 2, 3, 4, 5, 6]
    assert numbers(s3, "s3://recordings/day") == [0, 1, 2, 3, 4, 5, 6]
    assert numbers(s3, "s3://recordings") == [0, 1, 2, 3, 4, 5, 6, 9]


def test_a_listing_of_several_pages_is_read_whole(s3):
    for n in range(5):
        put(s3, f"day/{n}.jsonl", n)
    real = s3.get_paginator

    def small_pages(name: str) -> Any:
        paginator = real(name)
        paginate = paginator.paginate
        paginator.paginate = lambda **kwargs: paginate(**kwargs, PaginationConfig={"PageSize": 2})
        return paginator

    s3.get_paginator = small_pages
    assert numbers(s3, "s3://recordings/day/") == [0, 1, 2, 3, 4]


def test_the_bytes_of_objects_are_known(s3):
    put(s3, "a.jsonl", 1)
    put(s3, "b.jsonl", 1, 2)
    sizes = [entry["Size"] for entry in s3.list_objects_v2(Bucket="recordings")["Contents"]]
    assert recordings(s3, "s3://recordings/").size() == sum(sizes)


def test_an_empty_object_has_no_records(s3):
    s3.put_object(Bucket="recordings", Key="empty.jsonl", Body=b"")
    assert numbers(s3, "s3://recordings/empty.jsonl") == []


@pytest.mark.parametrize("where", ["s3://recordings/absent.jsonl", "s3://recordings/none/", "s3://no-bucket/a"])
def test_what_is_not_there_is_named(s3, where):
    with pytest.raises(SettingsError, match=where.rstrip("/")):
        numbers(s3, where)


def test_an_object_that_is_overwritten_meanwhile_is_not_mixed_with_what_it_was(s3, monkeypatch):
    monkeypatch.setattr(locations, "PART", 1000)
    put(s3, "r.jsonl", *range(2000))
    (recording,) = recordings(s3, "s3://recordings/r.jsonl").read()
    records = recording.records()
    next(records)
    put(s3, "r.jsonl", 1)
    with pytest.raises(SettingsError, match=r"cannot read the recording .*r\.jsonl: .*PreconditionFailed"):
        list(records)


class Failing:
    """A client whose requests all fail."""

    def __init__(self, error: Exception):
        self._error = error

    def head_object(self, **_: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), Unreachable),
        (
            ClientError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "Head"),
            Unreachable,
        ),
        (ClientError({"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "HeadObject"), Halt),
    ],
)
def test_what_fails_has_the_exit_code_of_what_it_is(error, kind):
    with pytest.raises(kind, match=r"s3://recordings/r\.jsonl"):
        numbers(Failing(error), "s3://recordings/r.jsonl")
