"""A Lambda with the derived policy and settings of its deployment: it runs with these, and not with less.

Lambda polls the stream and the queue as the function. Here a poller reads both with the keys of the function.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from deployments import PICTURE, documents_of
from enforced_policies import OTHER_NAMES, Account, as_moto_asks, without

from infra.deploy.deployment import Deployment
from infra.deploy.variables import of_lambda
from service.clients.factories import make_aws_client
from service.entrypoints.lambda_handler import handler_for
from service.errors import Halt
from service.settings import Settings

NOT_TRIED = {
    "dynamodb:PutItem",  # no route of the sample returns this action
    "s3:ListBucket",  # moto answers that an object is gone even without this permission
}

TRIED = [
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeStream",
    "dynamodb:DescribeTable",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "dynamodb:UpdateItem",
    "s3:GetObject",
    "s3:PutObject",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
]


@dataclass(frozen=True)
class Given(Deployment):
    """A deployment with fixed outputs."""

    made: Mapping[str, Any] = field(default_factory=dict)

    def outputs(self, target: str) -> dict[str, Any]:
        return dict(self.made.get(target, {}))


class Function:
    """The sample as a deployed function: its variables, its policy, and its event source pollers."""

    def __init__(self, account: Account, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self._account = account
        self.asked: set[str] = set()
        self.refused: set[str] = set()
        self._monkeypatch = monkeypatch
        made = account.made
        description = account.client("dynamodb").describe_table(TableName=made.table)["Table"]
        self.stream = description["LatestStreamArn"]
        self.queue_url = account.client("sqs").get_queue_url(QueueName=made.queue)["QueueUrl"]
        self.deployment = Given(
            env="lab",
            func=("images",),
            root=folder,
            process={"SEARCH_URL": made.search_url, "STREAMDEX_NAMES": f"index/images={made.index}"},
            made=self._outputs(description["TableArn"]),
        )
        self.derived = of_lambda(self.deployment)
        monkeypatch.setattr("service.context.make_aws_client", self.client)

    def allow(self, policy: Mapping[str, Any]) -> None:
        for document in (policy, as_moto_asks(policy)):  # moto validates the format of both
            self._account.client("iam").put_user_policy(
                UserName="service", PolicyName="it", PolicyDocument=json.dumps(document)
            )

    def start(self) -> Any:
        """Return the handler, with the function's variables and keys in the environment."""
        for name in [name for name in os.environ if name.startswith(("STREAMDEX_", "SEARCH_"))]:
            self._monkeypatch.delenv(name)
        for name, value in {**self.derived["settings"], **self._keys()}.items():
            self._monkeypatch.setenv(name, value)
        return handler_for()

    def read_stream(self) -> list[dict[str, Any]]:
        """Read the stream as a mapping does. Except for times, boto3 returns the values of a Lambda event."""
        streams = self.client(Settings(**self._settings()), "dynamodb_streams")
        streams.list_streams(TableName=self._account.made.table)
        (shard,) = streams.describe_stream(StreamArn=self.stream)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=self.stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = streams.get_records(ShardIterator=iterator)["Records"]
        for record in records:  # without a time, the item is re-read
            record["dynamodb"].pop("ApproximateCreationDateTime", None)
        return [{**record, "eventSource": "aws:dynamodb", "eventSourceARN": self.stream} for record in records]

    def read_queue(self, handler: Any) -> None:
        sqs = self.client(Settings(**self._settings()), "sqs")
        sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        while messages := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            event = [{"eventSource": "aws:sqs", "messageId": m["MessageId"], "body": m["Body"]} for m in messages]
            failed = {one["itemIdentifier"] for one in handler({"Records": event}, None)["batchItemFailures"]}
            assert not failed
            for message in messages:
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def client(self, settings: Settings, service: str) -> Any:
        """Return a client that records its calls by permission name."""
        made = make_aws_client(settings, service)
        made.meta.events.register("after-call", self._note)
        return made

    def _note(self, parsed: Any, model: Any, **_: Any) -> None:
        said = f"{model.service_model.signing_name}:{model.name}"
        action = next((action for action, other in OTHER_NAMES.items() if other == said), said)
        self.asked.add(action)
        if parsed.get("Error", {}).get("Code") in ("403", "AccessDenied", "AccessDeniedException"):
            self.refused.add(action)

    def _settings(self) -> dict[str, str]:
        return {"aws_endpoint_url": self._account.url, "region": "us-east-1", **self._account.service}

    def _keys(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self._account.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            **{name.upper(): value for name, value in self._account.service.items()},
            "STREAMDEX_RETRY_TIME": "0",
        }

    def _outputs(self, table_arn: str) -> dict[str, Any]:
        made = self._account.made
        owner = {"partition": "aws", "region": "us-east-1", "account": table_arn.split(":")[4]}
        queue = {"name": made.queue, "arn": f"arn:aws:sqs:us-east-1:{owner['account']}:{made.queue}"}
        return {
            "data": {
                "tables": {"images": {"name": made.table, "arn": table_arn, "stream_arn": self.stream}},
                "buckets": {"images-in": {"name": made.bucket, "arn": f"arn:aws:s3:::{made.bucket}"}},
                "letters": {"name": self._account.letters, "arn": f"arn:aws:s3:::{self._account.letters}"},
                "names": {"table/images": made.table, "bucket/images-in": made.bucket},
                "owner": owner,
                "prefix": "streamdex-lab",
            },
            "layer": {"layer": {"arn": "arn:layer", "architecture": "arm64", "runtime": "python3.14"}},
            "queue": {"queues": {"pending-images": queue}},
        }


@pytest.fixture
def function(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Function:
    return Function(account, tmp_path, monkeypatch)


def story(account: Account, function: Function, name: str) -> None:
    """Deliver the events of an upload, a non-image and a deleted upload, then the table's stream records."""
    made = account.made
    account.s3.upload_file(str(PICTURE), made.bucket, f"{name}.jpg")
    account.s3.put_object(Bucket=made.bucket, Key=f"{name}.txt", Body=b"no image")
    account.items.put_item(Item={"id": f"{name}-gone", "title": "T"})
    account.s3.put_object(Bucket=made.bucket, Key=f"{name}-gone", Body=PICTURE.read_bytes())
    account.s3.delete_object(Bucket=made.bucket, Key=f"{name}-gone")
    handler = function.start()
    function.read_queue(handler)
    assert handler({"Records": function.read_stream()}, None) == {"batchItemFailures": []}


def test_the_function_runs_with_its_policy_which_has_nothing_that_is_not_asked_for(account, function):
    policy = json.loads(function.derived["policy"])
    function.allow(policy)
    story(account, function, "whole")
    assert function.refused == set()
    assert "whole.jpg" in documents_of(account.made.search_url, account.made.index)
    assert "whole-gone" not in documents_of(account.made.search_url, account.made.index)
    assert account.s3.list_objects_v2(Bucket=account.letters)["KeyCount"] >= 1
    assert function.asked == set(TRIED)
    granted = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert granted == function.asked | NOT_TRIED


@pytest.mark.long(after=1)
@pytest.mark.parametrize("action", TRIED)
def test_it_does_not_run_with_any_permission_less(account, function, action):
    function.allow(without(json.loads(function.derived["policy"]), action))
    with pytest.raises((Halt, ClientError, AssertionError)):
        story(account, function, action.replace(":", "-"))
    assert function.refused == {action}
