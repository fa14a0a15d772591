"""Queue policies that let too many principals send messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.commands.doctor.senders import check_senders

S3 = {"Service": "s3.amazonaws.com"}
BUCKET = {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::images-in"}}
ACCOUNT = {"StringEquals": {"AWS:sourceaccount": ["111122223333"]}}
ROLE = {"AWS": "arn:aws:iam::111122223333:role/pipe"}


def problems(*statements: Any, tasks: bool = False) -> list[str]:
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return [finding.problem for finding in check_senders("uploads", policy, tasks)]


def allow(principal: Any, condition: Any = None, action: Any = "sqs:SendMessage") -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return statement | ({"Condition": condition} if condition else {})


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::1:root", "*"]}, S3])
@pytest.mark.parametrize("action", ["sqs:SendMessage", "SQS:*", "*", ["sqs:GetQueueUrl", "sqs:Send*"]])
def test_a_statement_without_a_condition_lets_everybody_send(principal: Any, action: Any):
    (problem,) = problems(allow(principal, action=action))
    assert "send for any account" in problem


@pytest.mark.parametrize(
    "condition",
    [
        {"Bool": {"aws:SecureTransport": "true"}},
        {"ArnLike": {"aws:SourceArn": "*"}},
        {"ArnNotEquals": {"aws:SourceArn": "arn:aws:s3:::images-in"}},
    ],
)
def test_a_condition_that_names_nobody_is_none(condition: Any):
    assert len(problems(allow(S3, condition))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        allow(S3, BUCKET),
        allow("*", ACCOUNT),
        allow(ROLE),
        allow("*", action="sqs:ReceiveMessage"),
        {**allow("*"), "Effect": "Deny"},
    ],
)
def test_who_is_named_may_send(statement: Any):
    assert problems(statement) == []


def test_no_service_sends_backfill_tasks():
    assert "only operators and workers" in problems(allow(S3, BUCKET), tasks=True)[0]
    assert problems(allow(ROLE), tasks=True) == []


@pytest.mark.parametrize(
    "policy", ["", "no JSON", "[]", '{"Statement": "*"}', '{"Statement": [1, {"Effect": 1}]}']
)
def test_what_is_no_policy_finds_nothing(policy: str):
    assert list(check_senders("uploads", policy, carries_tasks=False)) == []


def test_one_statement_need_not_be_in_a_list():
    assert len(list(check_senders("q", json.dumps({"Statement": allow("*")}), carries_tasks=False))) == 1
