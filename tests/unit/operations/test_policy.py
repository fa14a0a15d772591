"""The IAM policy: what the service calls for its routes and settings, on their resources, and nothing else."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest

from routes.images import Images, ImageUploads
from service.context import Context
from service.operations.policy import POSITIONS, Owner, policy_of
from service.records import ObjectRecord
from service.routing import Action, BucketRoute, Delete, Names, Route, Router
from service.settings import Settings

OWNER = Owner("aws", "eu-west-1", "111122223333")
BARE = Settings(search_url="https://search.example.com")


def policy(*routes: Route, **settings: Any) -> list[dict[str, Any]]:
    chosen = replace(BARE, **settings)
    document = policy_of(Router(routes, Names(chosen.names)), chosen, OWNER)
    assert document["Version"] == "2012-10-17"
    json.dumps(document)
    return document["Statement"]


def named(statements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in statements}


def test_the_policy_of_the_sample_application_is_this():
    names = {"table/images": "images-lab", "bucket/images-in": "acme-lab-images-in"}
    table = "arn:aws:dynamodb:eu-west-1:111122223333:table/images-lab"
    assert policy(Images(), ImageUploads(), names=names, read_queue=("uploads",)) == [
        {"Sid": "ListStreams", "Effect": "Allow", "Action": ["dynamodb:ListStreams"], "Resource": "*"},
        {
            "Sid": "ReadStreamOfImagesLab",
            "Effect": "Allow",
            "Action": ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            "Resource": f"{table}/stream/*",
        },
        {
            "Sid": "LookAtImagesLab",
            "Effect": "Allow",
            "Action": ["dynamodb:BatchGetItem", "dynamodb:DescribeTable"],
            "Resource": table,
        },
        {
            "Sid": "WriteImagesLab",
            "Effect": "Allow",
            "Action": [
                "dynamodb:DeleteItem",
                "dynamodb:DescribeTable",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            "Resource": table,
        },
        {
            "Sid": "ListAcmeLabImagesIn",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": "arn:aws:s3:::acme-lab-images-in",
        },
        {
            "Sid": "ReadObjectsOfAcmeLabImagesIn",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": "arn:aws:s3:::acme-lab-images-in/*",
        },
        {
            "Sid": "ReadQueueUploads",
            "Effect": "Allow",
            "Action": [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            ],
            "Resource": "arn:aws:sqs:eu-west-1:111122223333:uploads",
        },
    ]


class Tenants(Images):
    table: ClassVar = "tenant-*"


class Twins(Images):
    table: ClassVar = "tenant_x"
    index: ClassVar = "twins"


def test_a_pattern_stands_for_what_it_matches_and_for_what_names_call_so():
    statements = named(policy(Tenants(), names={"table/tenant-a": "acme-a", "table/other": "acme-o"}))
    prefix = "arn:aws:dynamodb:eu-west-1:111122223333:table"
    assert statements["ListTables"]["Resource"] == "*"
    assert statements["LookAtTenant"]["Resource"] == [f"{prefix}/tenant-*", f"{prefix}/acme-a"]
    assert statements["ReadStreamOfTenant"]["Resource"] == [
        f"{prefix}/tenant-*/stream/*",
        f"{prefix}/acme-a/stream/*",
    ]


def test_statements_whose_subjects_look_alike_have_names_of_their_own():
    class Other(Twins):
        table: ClassVar = "tenant-x"
        index: ClassVar = "others"

    sids = [statement["Sid"] for statement in policy(Twins(), Other())]
    assert sids == [
        "ListStreams",
        "ReadStreamOfTenantX",
        "LookAtTenantX",
        "ReadStreamOfTenantX2",
        "LookAtTenantX2",
    ]


class Uploads(BucketRoute):
    bucket: ClassVar = "in"
    index: ClassVar = "uploads"

    def created(self, upload: ObjectRecord, context: Context) -> list[Action]:
        return []

    def deleted(self, upload: ObjectRecord, context: Context) -> list[Action]:
        return [Delete()]


@pytest.mark.parametrize(
    ("prefix", "suffix", "key"),
    [
        ("", "", "*"),
        ("raw/", "", "raw/*"),
        ("", ".csv", "*.csv"),
        ("raw/", ".csv", "raw/*.csv"),
        ("raw.c", ".csv", "raw.c*"),  # raw.csv begins and ends so
        ("a*b?$", "", "a${*}b${?}${$}*"),
    ],
)
def test_only_the_objects_of_a_route_may_be_read(prefix, suffix, key):
    route = type("Some", (Uploads,), {"prefix": prefix, "suffix": suffix})()
    assert named(policy(route))["ReadObjectsOfIn"]["Resource"] == f"arn:aws:s3:::in/{key}"


def test_routes_of_one_bucket_share_its_statements():
    one, other = (type(n, (Uploads,), {"prefix": f"{n}/", "index": n})() for n in ("a", "b"))
    statements = named(policy(one, other))
    assert statements["ReadObjectsOfIn"]["Resource"] == ["arn:aws:s3:::in/a/*", "arn:aws:s3:::in/b/*"]
    assert list(statements) == ["ListIn", "ReadObjectsOfIn"]


def test_positions_in_a_table_need_what_keeps_them_and_the_lease():
    statement = named(policy(Images(), checkpoints="dynamodb://positions"))["KeepPositionsInPositions"]
    assert statement["Resource"] == "arn:aws:dynamodb:eu-west-1:111122223333:table/positions"
    assert statement["Action"] == [f"dynamodb:{action}" for action in POSITIONS]
    assert "KeepPositionsInPositions" not in named(policy(Uploads(), checkpoints="dynamodb://positions"))


@pytest.mark.parametrize(
    ("settings", "granted"),
    [
        ({"dead_letters": "letters"}, {}),
        ({"dead_letters": "s3://letters"}, {"s3:PutObject": "arn:aws:s3:::letters/*"}),
        ({"dead_letters": "s3://letters/a/b/"}, {"s3:PutObject": "arn:aws:s3:::letters/a/b/*"}),
        (
            {"dead_letters": "sqs://letters"},
            {"sqs:GetQueueUrl,sqs:SendMessage": "arn:aws:sqs:eu-west-1:111122223333:letters"},
        ),
        (
            {"dead_letters": "sqs://letters", "dead_letters_large": "s3://large/x"},
            {
                "sqs:GetQueueUrl,sqs:SendMessage": "arn:aws:sqs:eu-west-1:111122223333:letters",
                "s3:PutObject": "arn:aws:s3:::large/x/*",
            },
        ),
    ],
)
def test_dead_letters_may_be_put_where_they_are_kept(settings, granted):
    kept = [s for s in policy(Uploads(), **settings) if s["Sid"].startswith("KeepLettersIn")]
    assert {",".join(s["Action"]): s["Resource"] for s in kept} == granted


DOMAIN = "arn:aws:es:eu-central-1:111122223333:domain/my-logs"


@pytest.mark.parametrize(
    ("settings", "granted"),
    [
        ({"search_auth": "basic"}, {}),
        (
            {"search_url": "https://search-my-logs-abcdefghij0123456789abcdef.eu-central-1.es.amazonaws.com"},
            {"es:ESHttpPost": f"{DOMAIN}/_bulk", "es:ESHttpHead,es:ESHttpPut": f"{DOMAIN}/images"},
        ),
        (
            {
                "search_url": "https://vpc-my-logs-abcdefghij0123456789abcdef.aos.eu-central-1.on.aws",
                "create_indices": False,
            },
            {"es:ESHttpPost": f"{DOMAIN}/_bulk"},
        ),
        (
            {"search_url": "https://search.example.com", "create_indices": False},
            {"es:ESHttpPost": "arn:aws:es:eu-west-1:111122223333:domain/*/_bulk"},
        ),
        (
            {"search_url": "https://07tjusf2h91cunochc.us-east-1.aoss.amazonaws.com", "search_service": "aoss"},
            {"aoss:APIAccessAll": "arn:aws:aoss:us-east-1:111122223333:collection/07tjusf2h91cunochc"},
        ),
    ],
)
def test_the_search_server_is_in_it_where_iam_decides_who_may_use_it(settings, granted):
    statements = policy(Images(), **{"search_auth": "sigv4", **settings})
    found = {",".join(s["Action"]): s["Resource"] for s in statements if s["Action"][0][:2] in ("es", "ao")}
    assert found == granted


def test_what_is_not_known_of_the_account_is_a_star():
    document = policy_of(Router([Images()]), BARE)
    assert document["Statement"][1]["Resource"] == "arn:aws:dynamodb:*:*:table/images/stream/*"


CALLED: Mapping[str, str] = {
    "batch_get_item": "dynamodb:BatchGetItem",
    "change_message_visibility": "operators",
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
    "create_table": "dynamodb:CreateTable",
    "delete_item": "dynamodb:DeleteItem",
    "delete_message": "operators",
    "delete_message_batch": "sqs:DeleteMessage",
    "delete_object": "operators",
    "describe_stream": "dynamodb:DescribeStream",
    "describe_table": "dynamodb:DescribeTable",
    "get_item": "dynamodb:GetItem",
    "get_object": "s3:GetObject",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "get_queue_url": "sqs:GetQueueUrl",
    "get_records": "dynamodb:GetRecords",
    "get_shard_iterator": "dynamodb:GetShardIterator",
    "head_object": "s3:GetObject,s3:ListBucket",
    "list_objects_v2": "operators",
    "list_streams": "dynamodb:ListStreams",
    "list_tables": "dynamodb:ListTables",
    "put_item": "dynamodb:PutItem",
    "put_object": "s3:PutObject",
    "query": "dynamodb:Query",
    "receive_message": "sqs:ReceiveMessage",
    "send_message": "sqs:SendMessage",
    "transact_write_items": "dynamodb:ConditionCheckItem,dynamodb:PutItem,dynamodb:DeleteItem",
    "update_item": "dynamodb:UpdateItem",
}
"""What the service calls of boto3 and the permissions for it; "operators" for what only `dead-letters` does."""


def calls_of_boto3() -> set[str]:
    """The methods of boto3's clients that the code of the service names, as attributes or as text."""
    known: set[str] = set()
    for service in ("dynamodb", "dynamodbstreams", "s3", "sqs"):
        client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        known |= set(client.meta.method_to_api_mapping)
    named: set[str] = set()
    files = [*Path("service").glob("s*/**/*.py"), Path("service/app.py"), Path("service/lookups.py")]
    for file in [*files, *Path("routes").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute):
                named.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
    return known & named


def test_every_call_of_the_service_is_in_the_policy_of_some_settings():
    """A call that is new in the sources or sinks needs a line above, and its permission in the policy."""
    assert calls_of_boto3() == set(CALLED)
    everything = policy(
        Tenants(),
        ImageUploads(),
        read_queue=("uploads",),
        checkpoints="dynamodb://positions",
        dead_letters="sqs://letters",
        dead_letters_large="s3://large",
    )
    granted = {action for statement in everything for action in statement["Action"]}
    assert granted == {action for actions in CALLED.values() for action in actions.split(",")} - {"operators"}
