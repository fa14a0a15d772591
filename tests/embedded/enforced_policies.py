"""The sample application on a moto that enforces a policy, and a record of its requests.

moto checks a policy only in part:

- For DynamoDB and `sqs:GetQueueUrl`, it checks the action but not the resource.
- For SQS batches and HEAD requests, it checks an action of that name. AWS checks the permission that they need.
- Without `s3:ListBucket`, it still answers that an object is gone.

`as_moto_asks` translates a policy for moto.
"""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import boto3
import pytest
from deployments import DEADLINE, Deployment, eventually

from infra.shim.embedded_servers import embedded_aws
from infra.shim.probes import free_port
from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.doctor import DoctorContext, owner_of
from service.commands.policy import policy_of
from service.pipeline.workers import Worker
from service.settings import Settings

OTHER_NAMES = {
    "s3:GetObject": "s3:HeadObject",
    "s3:ListBucket": "s3:HeadBucket",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:SendMessage": "sqs:SendMessageBatch",
}
"""Permissions, and the requests that need them but have another name."""


class Looking(Images):
    """The sample route with a re-read of each item."""

    fetch: ClassVar = True


def as_moto_asks(policy: Mapping[str, Any]) -> dict[str, Any]:
    statements = [said for statement in policy["Statement"] for said in in_its_words(statement)]
    return {**policy, "Statement": statements}


def in_its_words(statement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    actions = {*statement["Action"], *(OTHER_NAMES.get(action, action) for action in statement["Action"])}
    of_all = {a for a in actions if a.startswith("dynamodb:") or a == "sqs:GetQueueUrl"}
    for some, resource in ((of_all, "*"), (actions - of_all, statement["Resource"])):
        if some:
            yield {"Effect": "Allow", "Action": sorted(some), "Resource": resource}


def without(policy: Mapping[str, Any], action: str) -> dict[str, Any]:
    statements = [{**s, "Action": [a for a in s["Action"] if a != action]} for s in policy["Statement"]]
    return {**policy, "Statement": [statement for statement in statements if statement["Action"]]}


class Account:
    """The sample application on a moto that enforces policies, with an admin user and a user for the service."""

    def __init__(self, aws_url: str, search_url: str, folder: Path):
        self.url = aws_url
        self.made = Deployment(aws_url, search_url, folder)
        self.letters = f"letters-{self.made.bucket}"
        self.made.s3.create_bucket(Bucket=self.letters)
        self.admin = self._user("admin")
        self.service = self._user("service")
        self._iam().put_user_policy(UserName="admin", PolicyName="it", PolicyDocument=EVERYTHING)
        plain = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(f"{aws_url}/moto-api/reset-auth", b"0", plain)).close()
        self.s3, self.items = self.client("s3"), self.client("dynamodb", "resource").Table(self.made.table)
        self._numbers = itertools.count()

    def client(self, service: str, kind: str = "client") -> Any:
        """Return a client of the admin user."""
        return getattr(boto3, kind)(service, endpoint_url=self.url, region_name="us-east-1", **self.admin)

    def settings(self, user: Mapping[str, str]) -> Settings:
        """Return settings with an empty checkpoint table."""
        return replace(
            self.made.settings,
            checkpoints=f"dynamodb://positions-{next(self._numbers)}-{self.made.table}",
            dead_letters=f"s3://{self.letters}/kept",
            retry_time=0.0,
            page_port=0,
            **user,
        )

    def app(
        self, change: Callable[[dict[str, Any]], dict[str, Any]] = lambda policy: policy, operator: bool = False
    ) -> App:
        """Return the service with the permissions of its policy, after `change` is applied to the policy."""
        settings = self.settings(self.admin)
        if operator:
            settings = replace(settings, task_queue=f"tasks-{self.made.table}")
            self.client("sqs").create_queue(QueueName=settings.task_queue)
        with App(settings, [Looking(), ImageUploads()]) as app:
            owner = owner_of(DoctorContext(app.context, app.router))
            policy = change(policy_of(app.router, settings, owner, operator))
        iam = self.client("iam")
        for document in (policy, as_moto_asks(policy)):  # moto validates the format of both
            iam.put_user_policy(UserName="service", PolicyName="it", PolicyDocument=json.dumps(document))
        return App(replace(settings, **self.service), [Looking(), ImageUploads()])

    def _user(self, name: str) -> dict[str, str]:
        self._iam().create_user(UserName=name)
        key = self._iam().create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def _iam(self) -> Any:
        """Return an IAM client that works until moto enforces policies."""
        nobody = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        return boto3.client("iam", endpoint_url=self.url, region_name="us-east-1", **nobody)


EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)


class Watched:
    """The running service, and the AWS requests that it sends, by permission name."""

    def __init__(self, app: App):
        self.asked: set[str] = set()
        self.refused: set[str] = set()
        self.searched: set[str] = set()
        self._app = app
        search = app.context.search
        search.request = self._asking(search.request)  # for batches; all other requests use opensearch-py
        search.transport.perform_request = self._asking(search.transport.perform_request)
        for service in ("dynamodb", "dynamodb_streams", "s3", "sqs"):
            getattr(app.context, service).meta.events.register("after-call", self._note)

    def run(self, work: Callable[[], None], done: Callable[[], bool]) -> None:
        """Run `work` outside of the service, and wait until the service is done or is denied a permission."""
        stopping = Event()
        workers: list[Worker] = []
        with self._app as app:
            try:
                workers = [
                    Worker(source, app.dispatcher, stopping)
                    for source in app.sources(stopping)
                    for _ in range(source.workers)
                ]
                for worker in workers:
                    worker.start()
                work()
                eventually(lambda: bool(self.refused) or done(), True)
            except Exception:
                assert self.refused, "not for want of a permission"
            finally:
                stopping.set()
                for worker in workers:
                    worker.join(DEADLINE)

    def _asking(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def asked(method: str, url: str, *more: Any, **others: Any) -> Any:
            self.searched.add(f"{method.title()} {url.lstrip('/')}")
            return send(method, url, *more, **others)

        return asked

    def _note(self, parsed: Any, model: Any, **_: Any) -> None:
        name = "ListBucket" if model.name == "ListObjectsV2" else model.name
        said = f"{model.service_model.signing_name}:{name}"
        action = next((action for action, other in OTHER_NAMES.items() if other == said), said)
        self.asked.add(action)
        if parsed.get("Error", {}).get("Code") in ("403", "AccessDenied"):
            self.refused.add(action)


@pytest.fixture(scope="module")
def account(search_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with embedded_aws(free_port()) as url:
        made = Account(url, search_url, tmp_path_factory.mktemp("account"))
        yield made
        made.made.app.close()
