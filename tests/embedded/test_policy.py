"""The service with exactly the policy that doctor prints: it does not run with less.

`NOT_TRIED` lists the permissions that this test cannot check: see `enforced_policies` for the limits of moto.
"""

from __future__ import annotations

import pytest
from deployments import PICTURE, documents_of
from enforced_policies import Account, Watched, without

from service.commands.doctor import NOTE, DoctorContext, diagnose
from service.commands.policy import policy_of

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
