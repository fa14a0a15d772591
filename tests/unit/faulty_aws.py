"""A model of S3 and DynamoDB behind real boto3 clients, with the faults of busy services and broken networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

ANSWERS = {
    "throttled": (400, "ProvisionedThroughputExceededException"),
    "slow down": (503, "SlowDown"),
    "internal error": (500, "InternalError"),
    "busy account": (400, "ThrottlingException"),
    "denied": (403, "AccessDenied"),
}
"""The error responses, by fault."""

BREAKS: Mapping[str, type[Exception]] = {
    "unreachable": EndpointConnectionError,
    "reset": ConnectionClosedError,
    "reset after applying": ConnectionClosedError,
    "timeout after applying": ReadTimeoutError,
}
"""The connection errors, by fault."""

AWS_FAULTS = (*ANSWERS, *BREAKS)


class Body:
    """The part of a urllib3 response that botocore reads."""

    def __init__(self, text: bytes):
        self._text = text

    def stream(self, **_: Any) -> Any:
        yield self._text

    def read(self, *_: Any) -> bytes:
        text, self._text = self._text, b""
        return text


class FaultyAws:
    """S3 and DynamoDB. `objects` has texts by key, `items` typed items by the text of their key.

    `choose` names the fault of each request, or "" for none.
    """

    def __init__(self, choose: Callable[[], str]):
        self.objects: dict[str, str] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.faults: list[str] = []
        self._choose = choose
        self.s3 = self._client("s3", self._s3)
        self.dynamodb = self._client("dynamodb", self._dynamodb)

    def _client(self, service: str, serve: Callable[[Any], tuple[int, bytes]]) -> Any:
        client = boto3.client(
            service,
            endpoint_url="http://model",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            # Without retries in the client, the tested code sees each fault.
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        client.meta.events.register("before-send.*.*", lambda request, **_: self._answer(request, serve, service))
        return client

    def _answer(self, request: Any, serve: Callable[[Any], tuple[int, bytes]], service: str) -> AWSResponse:
        fault = self._choose()
        self.faults.append(fault)
        if fault in BREAKS:
            if "after applying" in fault:
                serve(request)
            raise BREAKS[fault](endpoint_url=request.url, error="made to fail")
        status, text = error(service, *ANSWERS[fault]) if fault else serve(request)
        headers = {"Content-Length": str(len(text)), "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"}
        return AWSResponse(request.url, status, headers, Body(text))

    def _s3(self, request: Any) -> tuple[int, bytes]:
        _, _, key = unquote(urlsplit(request.url).path)[1:].partition("/")
        if key not in self.objects:
            return error("s3", 404, "NoSuchKey")
        return 200, self.objects[key].encode() if request.method == "GET" else b""

    def _batch(self, asked: Mapping[str, Any]) -> Any:
        assert all(wanted["ConsistentRead"] for wanted in asked.values())
        found = {
            table: [self.items[key["id"]["S"]] for key in wanted["Keys"] if key["id"]["S"] in self.items]
            for table, wanted in asked.items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def _dynamodb(self, request: Any) -> tuple[int, bytes]:
        asked = json.loads(request.body)
        name = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        if name == "BatchGetItem":
            return 200, json.dumps(self._batch(asked["RequestItems"])).encode()
        key = asked.get("Key", asked.get("Item"))["id"]["S"]
        there = self.items.get(key)
        if name == "GetItem":
            return 200, json.dumps({"Item": there} if there else {}).encode()
        if there and refused(there, asked):
            return error("dynamodb", 400, "ConditionalCheckFailedException")
        if name == "PutItem":
            self.items[key] = asked["Item"]
        else:
            assert name == "DeleteItem", name
            self.items.pop(key, None)
        return 200, b"{}"


def refused(there: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Return True if the only condition that the service writes fails: the item has a newer mark."""
    assert asked["ConditionExpression"] == "(NOT attribute_type(#mark, :kind) OR #mark <= :mark)"
    stored = there.get(asked["ExpressionAttributeNames"]["#mark"])
    return bool(stored and stored["S"] > asked["ExpressionAttributeValues"][":mark"]["S"])


def error(service: str, status: int, code: str) -> tuple[int, bytes]:
    if service == "s3":
        return status, f"<Error><Code>{code}</Code><Message>made to fail</Message></Error>".encode()
    return status, json.dumps({"__type": f"com.amazonaws#{code}", "message": "made to fail"}).encode()
