"""The deadline of requests: none lasts longer, regardless of the server and the client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from builders import lambda_event, s3_record
from contexts import Countdown
from hostile_server import HostileServer, hostile
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import ConnectionTimeout

from service import BucketRoute, Index
from service.clients.factories import make_aws_client, make_search_client
from service.deadline import Deadline, after, request_time, time_left, until
from service.entrypoints.lambda_handler import handler_for
from service.pipeline.prefetch import Sent
from service.settings import Settings

LONG = 60.0
"""Timeout of a client in seconds. The tests fail long before it ends."""

KEYS = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region": "eu-west-1"}


@contextmanager
def soon() -> Iterator[None]:
    """Fail if the block takes nearly as long as a client without a deadline."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < LONG / 4


def search(server: HostileServer, ask: Callable[[Any], Any], **settings: Any) -> None:
    with closing(make_search_client(Settings(search_url=server.url, **settings))) as client:
        ask(client)


def aws(server: HostileServer, service: str, ask: Callable[[Any], Any], seconds: float) -> None:
    made = make_aws_client(Settings(aws_endpoint_url=server.url, **KEYS), service)
    with closing(made) as client, until(after(seconds)):
        ask(client)


def bulk(client: Any) -> Any:
    return client.bulk(body=b"\n")


def create(client: Any) -> Any:
    """Send a request through opensearch-py."""
    return client.indices.create(index="items", body={})


def test_an_answer_that_drips_ends_with_the_time_of_the_request():
    with hostile() as server, soon(), pytest.raises(ConnectionTimeout):
        search(server, bulk, search_timeout=0.3)


def test_an_answer_that_drips_ends_with_the_time_of_the_request_through_opensearch_py_too():
    with hostile() as server, soon(), pytest.raises(Unreached):
        search(server, create, search_timeout=0.3)


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize(
    "ask",
    [bulk, create, pytest.param(lambda client: client.indices.get_alias(index="a*"), id="aliases")],
)
def test_a_search_request_ends_at_the_deadline(silent: bool, ask: Callable[[Any], Any]):
    with hostile(silent) as server, soon(), until(after(0.3)), pytest.raises(Unreached):
        search(server, ask, search_timeout=LONG)


def test_a_signed_request_through_opensearch_py_ends_at_the_deadline():
    with hostile(silent=True) as server, soon(), until(after(0.3)), pytest.raises(Unreached):
        search(server, create, search_timeout=LONG, search_auth="sigv4", **KEYS)


@pytest.mark.parametrize(
    ("service", "ask"),
    [
        ("dynamodb", lambda client: client.list_tables()),
        ("s3", lambda client: client.put_object(Bucket="b", Key="k", Body=b"x")),
        ("sqs", lambda client: client.send_message(QueueUrl=client.meta.endpoint_url, MessageBody="x")),
    ],
)
def test_a_request_to_aws_ends_at_the_deadline_and_is_not_sent_again(service: str, ask: Callable[[Any], Any]):
    with hostile(silent=True) as server:
        with soon(), pytest.raises(HTTPClientError):
            aws(server, service, ask, 0.3)
        assert server.accepted <= 1  # the server may not have accepted the connection yet


def test_after_the_deadline_nothing_is_sent():
    with hostile(silent=True) as server, until(after(0.0)):
        with pytest.raises(Unreached, match="the deadline passed"):
            search(server, bulk)
        with pytest.raises(Unreached, match="the deadline passed"):
            search(server, create)
        assert server.accepted == 0


def test_aws_answers_that_are_refusals_are_raised_as_ever_at_the_deadline():
    client = make_aws_client(Settings(**KEYS), "dynamodb")
    refusal = {"__type": "ResourceNotFoundException"}

    def answer(request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        class Raw:
            def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
                yield json.dumps(refusal).encode()

        return AWSResponse(request.url, 400, {}, Raw())

    client.meta.events.register_first("before-send", answer)
    with until(after(0.5)), pytest.raises(ClientError) as caught:
        client.describe_table(TableName="t")
    assert type(caught.value) is client.exceptions.ResourceNotFoundException


def test_a_thread_that_works_for_another_has_its_deadline():
    with until(after(5.0)):
        assert Sent(time_left, lambda: None).answer() <= 5.0


def test_an_inner_deadline_is_never_later_than_the_outer_one():
    now = [0.0]
    with until(after(5.0, lambda: now[0])), until(after(9.0, lambda: now[0])):
        assert time_left() == 5.0
        now[0] = 6.0
        assert time_left() == -1.0


def test_one_request_may_take_a_part_of_what_is_left():
    assert request_time(10.0) == 10.0
    with until(Deadline(lambda: 12.0, 4.0)):
        assert (request_time(10.0), request_time(1.0)) == (4.0, 1.0)


class Uploads(BucketRoute):
    bucket = "images-in"
    index = "uploads"

    def created(self, upload, context):
        return [Index({"key": upload.key})]

    def deleted(self, upload, context):
        return []


class Invocation(Countdown):
    """An invocation with a real clock."""

    def __init__(self, seconds: float):
        super().__init__(seconds)
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> float:
        return (self._end - time.monotonic()) * 1000


@pytest.mark.parametrize("silent", [True, False])
def test_an_upload_is_a_dead_letter_before_the_function_ends_however_the_search_server_hangs(
    monkeypatch, tmp_path, silent
):
    with hostile(silent) as server:
        monkeypatch.setenv("SEARCH_URL", server.url)
        monkeypatch.setenv("STREAMDEX_HINT_AFTER", "1e12")
        monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))
        invocation = Invocation(3.0)
        assert handler_for(Uploads)(lambda_event(s3_record("a")), invocation) is None
        assert invocation.get_remaining_time_in_millis() > 0
    (letter,) = [json.loads(path.read_text()) for path in (tmp_path / "letters").glob("*.json")]
    assert letter["reason"].startswith("not redelivered by its source:")
