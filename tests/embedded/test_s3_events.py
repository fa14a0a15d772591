"""The three ways to wire S3 events, with events as S3 sends them, on the embedded servers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from builders import eventbridge, lambda_event, s3_record, sns_record, sqs_message
from deployments import aws_client, documents_of, drop

LAMBDA = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="r-1")
INDEX = "extracted"

WAYS = {
    "two modules": ("extract.handler", "nuke.handler"),
    "two handlers": ("s3in.handle_create", "s3in.handle_delete"),
    "one handler": ("s3event.handler", "s3event.handler"),
}


@pytest.fixture(params=WAYS)
def handlers(request, aws_url: str, search_url: str, tmp_path, monkeypatch) -> Iterator[Any]:
    """Yield the handler of creations and the handler of deletions, with their own settings."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    monkeypatch.setenv("SEARCH_URL", search_url)
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))
    drop(search_url, INDEX)
    yield [fresh(*name.split(".")) for name in WAYS[request.param]]
    drop(search_url, INDEX)


def fresh(module: str, name: str) -> Callable[[Any, Any], Any]:
    """Return the handler of a freshly loaded module, as in a new sandbox. It reads settings at its first event."""
    handler: Callable[[Any, Any], Any] = getattr(
        importlib.reload(importlib.import_module(f"examples.s3_events.{module}")), name
    )
    return handler


def now() -> str:
    """Return the time as S3 writes it. An event older than hint_after would cause a re-read from the bucket."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def created(key: str, sequencer: str = "0055AED6DCD90281E5") -> Any:
    return {**s3_record(key, "ObjectCreated:Put", sequencer=sequencer), "eventTime": now()}


def removed(key: str, name: str = "ObjectRemoved:Delete", sequencer: str = "0055AED6DCD90291E5") -> Any:
    return {**s3_record(key, name, sequencer=sequencer), "eventTime": now()}


def test_a_creation_is_found_and_a_deletion_is_not(handlers, search_url):
    create, delete = handlers
    assert create(lambda_event(created("a b+ü.jpg"), created("b.jpg")), LAMBDA) is None
    assert documents_of(search_url, INDEX)["a b+ü.jpg"] == {"key": "a b+ü.jpg", "size": 3}
    assert delete(lambda_event(removed("a b+ü.jpg")), LAMBDA) is None
    assert sorted(documents_of(search_url, INDEX)) == ["b.jpg"]


@pytest.mark.parametrize("name", ["LifecycleExpiration:Delete", "ObjectRemoved:DeleteMarkerCreated"])
def test_what_a_lifecycle_or_a_delete_marker_removes_is_gone_too(handlers, search_url, name):
    create, delete = handlers
    create(lambda_event(created("a.jpg")), LAMBDA)
    delete(lambda_event(removed("a.jpg", name)), LAMBDA)
    assert documents_of(search_url, INDEX) == {}


def test_a_creation_that_comes_after_its_deletion_changes_nothing(handlers, search_url):
    create, delete = handlers
    delete(lambda_event(removed("a.jpg")), LAMBDA)
    create(lambda_event(created("a.jpg")), LAMBDA)
    assert documents_of(search_url, INDEX) == {}


@pytest.fixture
def versioned(aws_url: str) -> Iterator[Any]:
    """Yield a client for the bucket of the example, which has versioning."""
    s3 = aws_client(aws_url, "s3")
    s3.create_bucket(Bucket="images-in")
    s3.put_bucket_versioning(Bucket="images-in", VersioningConfiguration={"Status": "Enabled"})
    yield s3
    versions = s3.list_object_versions(Bucket="images-in")
    for found in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
        s3.delete_object(Bucket="images-in", Key=found["Key"], VersionId=found["VersionId"])
    s3.delete_bucket(Bucket="images-in")


def removed_version(version: str, sequencer: str) -> Any:
    """Return the event of a removed version. S3 sends neither size nor ETag of a removed object."""
    raw = removed("k", sequencer=sequencer)
    raw["s3"]["object"] = {"key": "k", "versionId": version, "sequencer": sequencer}
    return raw


def test_whatever_happens_to_versions_a_document_has_the_size_of_what_is_stored(handlers, versioned, search_url):
    create, delete = handlers
    put, drop_version = versioned.put_object, versioned.delete_object
    old = put(Bucket="images-in", Key="k", Body=b"1")["VersionId"]
    put(Bucket="images-in", Key="k", Body=b"22")
    create(lambda_event(created("k", "0055AED6DCD9020000")), LAMBDA)
    drop_version(Bucket="images-in", Key="k", VersionId=old)
    delete(lambda_event(removed_version(old, "0055AED6DCD9030000")), LAMBDA)
    assert documents_of(search_url, INDEX) == {"k": {"key": "k", "size": 2}}

    marker = drop_version(Bucket="images-in", Key="k")["VersionId"]
    marked = removed("k", "ObjectRemoved:DeleteMarkerCreated", "0055AED6DCD9040000")
    marked["s3"]["object"]["versionId"] = marker
    delete(lambda_event(marked), LAMBDA)
    assert documents_of(search_url, INDEX) == {}

    drop_version(Bucket="images-in", Key="k", VersionId=marker)
    delete(lambda_event(removed_version(marker, "0055AED6DCD9050000")), LAMBDA)
    assert documents_of(search_url, INDEX) == {"k": {"key": "k", "size": 2}}

    put(Bucket="images-in", Key="k", Body=b"333")
    create(lambda_event(sqs_message({"bucket": "images-in", "key": "k"})), LAMBDA)
    assert documents_of(search_url, INDEX) == {"k": {"key": "k", "size": 3}}


def test_events_come_directly_or_through_sns_sqs_and_eventbridge(handlers, search_url):
    create, _ = handlers
    create(lambda_event(sns_record(lambda_event(created("sns.jpg")))), LAMBDA)
    create({**eventbridge("eventbridge.jpg"), "time": now()}, LAMBDA)
    answer = create(lambda_event(sqs_message(lambda_event(created("sqs.jpg")))), LAMBDA)
    assert answer == {"batchItemFailures": []}
    assert sorted(documents_of(search_url, INDEX)) == ["eventbridge.jpg", "sns.jpg", "sqs.jpg"]


def test_the_test_event_of_s3_is_taken(handlers):
    create, _ = handlers
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "images-in"}
    assert create(event, LAMBDA) is None


@pytest.mark.parametrize("handlers", ["two modules", "two handlers"], indirect=True)
def test_a_handler_leaves_alone_what_is_not_its_own(handlers, search_url):
    create, delete = handlers
    create(lambda_event(created("a.jpg")), LAMBDA)
    create(lambda_event(removed("a.jpg")), LAMBDA)
    delete(lambda_event(created("b.jpg")), LAMBDA)
    assert sorted(documents_of(search_url, INDEX)) == ["a.jpg"]
