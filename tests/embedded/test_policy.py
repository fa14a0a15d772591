"""The service with exactly the policy that doctor prints, on a moto that enforces it: it does not run with less.

moto checks a policy only in part:

- For DynamoDB and `sqs:GetQueueUrl`, it checks the action but not the resource.
- For SQS batches and HEAD requests, it checks an action of that name. AWS checks the permission that they need.
- Without `s3:ListBucket`, it still answers that an object is gone.

`as_moto_asks` translates a policy for moto. `NOT_TRIED` lists the permissions that this test cannot check.
"""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import ClientError
from builders import s3_record
from deployments import DEADLINE, PICTURE, Deployment, documents_of, eventually

from infra.shim.embedded_servers import embedded_aws
from infra.shim.probes import free_port
from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands import verify as verifying
from service.commands.backfill import loading as backfilling
from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.dead_letters import selection
from service.commands.dead_letters.redrive import redrive
from service.commands.doctor import NOTE, DoctorContext, diagnose, owner_of
from service.commands.indices.applying import apply, documents_in
from service.commands.indices.checking import check
from service.commands.indices.planning import plan
from service.commands.policy import policy_of
from service.commands.rebuild import rebuild as rebuilding
from service.commands.rebuild.rebuild import RebuildOptions
from service.commands.tables import TableFilter
from service.errors import Halt
from service.pipeline import Delivery
from service.pipeline.workers import Worker
from service.settings import Settings
from service.sources.envelopes import unwrap

OTHER_NAMES = {
    "s3:GetObject": "s3:HeadObject",
    "s3:ListBucket": "s3:HeadBucket",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:SendMessage": "sqs:SendMessageBatch",
}
"""Permissions, and the requests that need them but have another name."""

NOT_TRIED = {
    "s3:ListBucket",
    "sqs:ChangeMessageVisibility",  # only needed if a batch takes long
}

TRIED = [
    "dynamodb:BatchGetItem",
    "dynamodb:CreateTable",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeStream",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "s3:GetObject",
    "s3:PutObject",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
]


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


class Story:
    """An upload, an upload that is not an image, and a deleted upload: everything that the sample does."""

    def __init__(self, account: Account, name: str):
        self._account = account
        self._name = name

    def work(self) -> None:
        s3, bucket = self._account.s3, self._account.made.bucket
        s3.upload_file(str(PICTURE), bucket, f"{self._name}.jpg")
        s3.put_object(Bucket=bucket, Key=f"{self._name}.txt", Body=b"no image")
        self._account.items.put_item(Item={"id": f"{self._name}-gone", "title": "T"})
        s3.put_object(Bucket=bucket, Key=f"{self._name}-gone", Body=PICTURE.read_bytes())
        s3.delete_object(Bucket=bucket, Key=f"{self._name}-gone")

    def done(self) -> bool:
        there = documents_of(self._account.made.search_url, self._account.made.index)
        items = [item["id"] for item in self._account.items.scan()["Items"]]
        kept = self._account.s3.list_objects_v2(Bucket=self._account.letters)["KeyCount"]
        return f"{self._name}.jpg" in there and f"{self._name}-gone" not in [*there, *items] and bool(kept)


def test_the_sample_runs_with_its_policy_which_has_nothing_that_is_not_asked_for(account: Account):
    service = Watched(account.app())
    story = Story(account, "whole")
    service.run(story.work, story.done)
    assert service.refused == set()
    assert story.done()
    assert service.asked == set(TRIED)
    with account.app() as app:
        policy = policy_of(app.router, app.settings)
    granted = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert granted == service.asked | NOT_TRIED


@pytest.mark.long(after=1)
@pytest.mark.parametrize("action", TRIED)
def test_it_does_not_run_with_any_permission_less(account: Account, action: str):
    service = Watched(account.app(lambda policy: without(policy, action)))
    story = Story(account, action.replace(":", "-"))
    service.run(story.work, lambda: False)
    assert service.refused == {action}


def test_the_doctor_has_nothing_but_notes_for_a_service_that_has_just_its_policy(account: Account):
    with account.app() as app:
        found = list(diagnose(DoctorContext(app.context, app.router)))
    assert {finding.severity for finding in found} == {NOTE}
    assert [finding.problem.partition(" (")[0] for finding in found] == [
        "not checked: s3:GetBucketNotification is denied",
        "not checked: sqs:GetQueueAttributes is denied",
        "doctor stored the empty object kept/streamdex-doctor to test the permission, and cannot delete it",
    ]


def operate(app: App) -> None:
    """Run every operator command, on an index with a missing document and an orphan, and on dead letters."""
    scan, manner, which = Scan(), BackfillOptions(without_stream=True), TableFilter()

    def change(**what: bool) -> None:
        (ended,) = rebuilding.change(app, which, RebuildOptions(**what), scan, manner, 0.1, lambda more: None)
        assert ended.done, ended.words

    backfill(app, which, scan, manner, lambda more: None)
    enqueue = replace(manner, enqueue=app.settings.task_queue)
    assert backfill(app, which, scan, enqueue, lambda more: None).enqueued == scan.segments
    index = app.router.bound[0].index
    app.context.search.index(index=index, id="stray", body={"title": "T"}, params={"refresh": "true"})
    mending = verifying.VerifyOptions(repair=True)
    found = verifying.verify(app, which, scan, mending, 0.1, lambda finding, became: None, lambda more: None)
    assert found.repaired == {"orphan": 1}
    for what in ("rebuild", "rollback", "abandon"):
        change(**{what: True})
    (declared,) = app.router.indices.values()
    planned = plan(app.context, declared)
    assert planned.done
    assert planned.there is not None
    assert documents_in(app.context, planned.there)
    forgetful = replace(declared, settings={**declared.settings, "gc_deletes": "30m"})
    fields = {**declared.mapping["properties"], "extra": {"type": "keyword"}}
    grown = replace(declared, mapping={**declared.mapping, "properties": fields})
    for wanted in (grown, forgetful, declared):  # change the index and restore it for the next operator
        assert apply(app.context, plan(app.context, wanted)).done
    assert check(app.context, app.router, declared, app.tables(), 10, lambda more: None).items
    assert redrive(app.letters, selection.Filter(), app.dispatcher_of).ends["rejected"]
    which_letters = selection.Filter(route="images:ImageUploads")
    assert selection.purge(app.letters, which_letters, selection.survey(app.letters, which_letters).last)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.0)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)
    monkeypatch.setattr(backfilling, "wait_for_margin", lambda *_: None)


@pytest.fixture
def rejected(account: Account) -> None:
    """Create an item, and a dead letter of an upload that can never succeed."""
    account.items.put_item(Item={"id": "a", "title": "T"})
    with App(account.settings(account.admin), [Looking(), ImageUploads()]) as app:
        account.s3.put_object(Bucket=account.made.bucket, Key="no.jpg", Body=b"no image")
        app.dispatcher.run(Delivery(list(unwrap(s3_record("no.jpg", bucket=account.made.bucket))), "a test"))


@pytest.mark.usefixtures("impatient", "rejected")
def test_the_commands_run_with_the_policy_of_an_operator(account: Account):
    app = account.app(operator=True)
    commands = Watched(app)
    with app:
        operate(app)
        assert commands.refused == set()
        domain = replace(app.settings, search_auth="sigv4")
        policy = policy_of(app.router, domain, operator=True)
        index = app.router.bound[0].index
    of_aws = {action for s in policy["Statement"] for action in s["Action"] if not action.startswith("es:")}
    assert of_aws == commands.asked
    searched = commands.searched - {f"Put {index}/_doc/stray"}  # a request of the test itself
    of_search = [statement for statement in policy["Statement"] if statement["Action"][0].startswith("es:")]
    granted = [(s["Action"][0], resource) for s in of_search for resource in resources_of(s)]
    assert [asked for asked in searched if not any(is_allowed(asked, *grant) for grant in granted)] == []
    idle = [
        resource
        for action, resource in granted
        if not any(is_allowed(asked, action, resource) for asked in searched)
    ]
    assert [r for r in idle if not r.endswith("/_doc/*")] == [], "but for documents that can be of no item"


@pytest.mark.long(after=1)
@pytest.mark.usefixtures("impatient", "rejected")
@pytest.mark.parametrize("action", ["dynamodb:Scan", "s3:DeleteObject", "s3:GetObject", "dynamodb:BatchGetItem"])
def test_they_do_not_run_with_any_permission_less(account: Account, action: str):
    app = account.app(lambda policy: without(policy, action), operator=True)
    commands = Watched(app)
    with app:
        try:
            operate(app)
        except (Halt, ClientError, AssertionError):
            if not commands.refused:
                raise
    assert commands.refused == {action}


def resources_of(statement: Mapping[str, Any]) -> list[str]:
    found = statement["Resource"]
    return [found] if isinstance(found, str) else found


def is_allowed(asked: str, action: str, resource: str) -> bool:
    """True if a request, such as Get images/_doc/a, is covered by a grant."""
    method, _, path = asked.partition(" ")
    return action == f"es:ESHttp{method}" and fnmatchcase(f"arn:aws:es:*:*:domain/*/{path}", resource)
