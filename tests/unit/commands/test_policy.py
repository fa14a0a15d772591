"""The IAM policy: exactly the calls that the service makes for its routes and settings, on their resources."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
from opensearchpy import OpenSearch
from opensearchpy.client.indices import IndicesClient

from routes.images import Images, ImageUploads
from service.commands.policy import POSITIONS, Owner, policy_of
from service.context import Context
from service.model import ObjectRecord
from service.routing import Action, BucketRoute, Delete, Names, Route, Router
from service.settings import Settings

OWNER = Owner("aws", "eu-west-1", "111122223333")
BARE = Settings(search_url="https://search.example.com")


def policy(
    *routes: Route, operator: bool = False, function: bool = False, **settings: Any
) -> list[dict[str, Any]]:
    chosen = replace(BARE, **settings)
    document = policy_of(Router(routes, Names(chosen.names)), chosen, OWNER, operator, function)
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
            "Sid": "ReadTableImagesLab",
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
    aliases: ClassVar = ("pictures",)


def test_a_pattern_stands_for_what_it_matches_and_for_what_names_call_so():
    statements = named(policy(Tenants(), names={"table/tenant-a": "acme-a", "table/other": "acme-o"}))
    prefix = "arn:aws:dynamodb:eu-west-1:111122223333:table"
    assert statements["ListTables"]["Resource"] == "*"
    assert statements["ReadTableTenant"]["Resource"] == [f"{prefix}/tenant-*", f"{prefix}/acme-a"]
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
        "ReadStreamOfTenantX2",
        "ReadTableTenantX",
        "ReadTableTenantX2",
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
        ("raw.c", ".csv", "raw.c*"),  # the prefix and the suffix overlap in raw.csv
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
    statement = named(policy(Images(), checkpoints="dynamodb://positions"))["WriteCheckpointsToPositions"]
    assert statement["Resource"] == "arn:aws:dynamodb:eu-west-1:111122223333:table/positions"
    assert statement["Action"] == [f"dynamodb:{action}" for action in POSITIONS]
    assert "WriteCheckpointsToPositions" not in named(policy(Uploads(), checkpoints="dynamodb://positions"))


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
    kept = [s for s in policy(Uploads(), page_port=0, **settings) if s["Sid"].startswith("WriteDeadLettersTo")]
    assert {",".join(s["Action"]): s["Resource"] for s in kept} == granted


DOMAIN = "arn:aws:es:eu-central-1:111122223333:domain/my-logs"
WRITTEN = {
    "es:ESHttpGet": f"{DOMAIN}/images*/_alias",
    "es:ESHttpPost": [f"{DOMAIN}/_bulk", f"{DOMAIN}/_aliases"],
}


@pytest.mark.parametrize(
    ("settings", "granted"),
    [
        ({"search_auth": "basic"}, {}),
        (
            {"search_url": "https://search-my-logs-abcdefghij0123456789abcdef.eu-central-1.es.amazonaws.com"},
            {**WRITTEN, "es:ESHttpPut": f"{DOMAIN}/images-??????"},
        ),
        (
            {
                "search_url": "https://vpc-my-logs-abcdefghij0123456789abcdef.aos.eu-central-1.on.aws",
                "create_indices": False,
            },
            WRITTEN,
        ),
        (
            {"search_url": "https://search.example.com", "create_indices": False},
            {
                "es:ESHttpGet": "arn:aws:es:eu-west-1:111122223333:domain/*/images*/_alias",
                "es:ESHttpPost": [
                    f"arn:aws:es:eu-west-1:111122223333:domain/*/{p}" for p in ("_bulk", "_aliases")
                ],
            },
        ),
        (
            {"search_url": "https://07tjusf2h91cunochc.us-east-1.aoss.amazonaws.com", "search_service": "aoss"},
            {"aoss:APIAccessAll": "arn:aws:aoss:us-east-1:111122223333:collection/07tjusf2h91cunochc"},
        ),
    ],
)
def test_the_search_server_is_in_it_where_iam_decides_who_may_use_it(settings, granted):
    statements = policy(Images(), **{"search_auth": "sigv4", "page_port": 0, **settings})
    found = {",".join(s["Action"]): s["Resource"] for s in statements if s["Action"][0][:2] in ("es", "ao")}
    assert found == granted


def test_what_is_not_known_of_the_account_is_a_star():
    document = policy_of(Router([Images()]), BARE)
    assert document["Statement"][1]["Resource"] == "arn:aws:dynamodb:*:*:table/images/stream/*"


@pytest.mark.parametrize(
    ("settings", "scans"),
    [
        ({}, False),
        ({"on_gap": "verify"}, True),
        ({"operator": True}, True),
        ({"task_queue": "tasks"}, True),
        ({"task_queue": "tasks", "function": True}, True),
    ],
)
def test_tables_are_scanned_by_operators_workers_of_tasks_and_a_container_that_mends_gaps(settings, scans):
    statement = named(policy(Images(), Uploads(), **settings)).get("ScanImages")
    assert bool(statement) == scans
    if statement:
        assert statement["Action"] == ["dynamodb:Scan"]
        assert statement["Resource"] == "arn:aws:dynamodb:eu-west-1:111122223333:table/images"


def test_an_operator_reads_neither_streams_nor_queues_and_puts_tasks_on_the_task_queue():
    queues = {"read_queue": ("uploads",), "task_queue": "tasks"}
    statements = named(policy(Tenants(), Uploads(), operator=True, **queues))
    reading = ["ListTables", "ReadTableTenant", "ScanTenant", "ListIn", "ReadObjectsOfIn"]
    assert list(statements) == [*reading, "EnqueueOnTasks"]
    assert statements["EnqueueOnTasks"]["Action"] == ["sqs:GetQueueUrl", "sqs:SendMessage"]


SEEN_IN_QUEUE = {"ReadDeadLettersInLetters": "sqs:ChangeMessageVisibility,sqs:ReceiveMessage"}
SEEN_IN_BUCKET = {"ListDeadLettersInLarge": "s3:ListBucket", "ReadDeadLettersInLarge": "s3:GetObject"}
COUNTED = {"CountDeadLettersInLetters": "sqs:GetQueueAttributes"}
REMOVED = {"DeleteDeadLettersInLetters": "sqs:DeleteMessage", "DeleteDeadLettersInLarge": "s3:DeleteObject"}


@pytest.mark.parametrize(
    ("settings", "granted"),
    [
        ({"page_port": 0}, {}),
        ({"page_port": 0, "page_redrive": True}, {}),
        ({}, SEEN_IN_QUEUE | SEEN_IN_BUCKET),
        ({"page_redrive": True}, SEEN_IN_QUEUE | SEEN_IN_BUCKET | REMOVED),
        ({"page_port": 0, "operator": True}, SEEN_IN_QUEUE | SEEN_IN_BUCKET | REMOVED | COUNTED),
    ],
)
def test_letters_may_be_seen_by_who_shows_them_and_removed_by_who_redrives(settings, granted):
    places = {"dead_letters": "sqs://letters", "dead_letters_large": "s3://large/x"}
    statements = named(policy(Uploads(), **places, **settings))
    found = {
        sid: ",".join(s["Action"]) for sid, s in statements.items() if "Letters" in sid and "Write" not in sid
    }
    assert found == granted


CALLED: Mapping[str, str] = {
    "batch_get_item": "dynamodb:BatchGetItem",
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
    "create_table": "dynamodb:CreateTable",
    "delete_item": "dynamodb:DeleteItem",
    "delete_message_batch": "sqs:DeleteMessage",
    "delete_object": "s3:DeleteObject",
    "describe_stream": "dynamodb:DescribeStream",
    "describe_table": "dynamodb:DescribeTable",
    "get_item": "dynamodb:GetItem",
    "get_object": "s3:GetObject",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "get_queue_url": "sqs:GetQueueUrl",
    "get_records": "dynamodb:GetRecords",
    "get_shard_iterator": "dynamodb:GetShardIterator",
    "head_object": "s3:GetObject,s3:ListBucket",
    "list_objects_v2": "s3:ListBucket",
    "list_streams": "dynamodb:ListStreams",
    "list_tables": "dynamodb:ListTables",
    "put_item": "dynamodb:PutItem",
    "put_object": "s3:PutObject",
    "query": "dynamodb:Query",
    "receive_message": "sqs:ReceiveMessage",
    "scan": "dynamodb:Scan",
    "send_message": "sqs:SendMessage",
    "send_message_batch": "sqs:SendMessage",
    "update_item": "dynamodb:UpdateItem",
}
"""The boto3 methods that the service calls, and the permissions that each needs."""

SEARCHED: Mapping[str, Sequence[str]] = {
    "bulk": ["Post _bulk"],
    "clear_scroll": ["Delete _search/scroll"],
    "count": ["Post images-000001/_count"],
    "create": ["Put images-000001", "Put streamdex-check-1"],
    "delete": [
        "Delete streamdex-check-1",
        "Delete images/_doc/a",
        "Delete images-000002/_doc/a",
    ],
    "get": ["Get images/_doc/a", "Get images-000001"],
    "get_alias": [
        "Get images*,twins*/_alias",
        "Get images-000002*/_alias",
        "Get twins-000001/_alias",
        "Get _alias/pictures",
        "Get streamdex-check-*/_alias",
    ],
    "get_index_template": ["Get _index_template/streamdex-images"],
    "get_settings": ["Get images-000002/_settings"],
    "mget": ["Post _mget"],
    "put_index_template": ["Put _index_template/streamdex-images"],
    "put_mapping": ["Put images-000002/_mapping"],
    "put_settings": ["Put images-000002/_settings"],
    "refresh": ["Post images/_refresh", "Post images-000002/_refresh"],
    "scroll": ["Post _search/scroll"],
    "search": ["Post images/_search", "Post images-000002/_search", "Post images,twins/_search"],
    "update_aliases": ["Post _aliases"],
}
"""The opensearch-py methods that the service calls, and the requests that each sends."""


def code_of_the_service() -> Iterator[ast.AST]:
    """Yield the syntax nodes of the service without the doctor, which only tries the calls of the other parts."""
    files = [file for file in Path("service").rglob("*.py") if "doctor" not in file.parts]
    for file in [*files, *Path("routes").glob("*.py")]:
        yield from ast.walk(ast.parse(file.read_text()))


def calls_of_boto3() -> set[str]:
    """Return the methods of boto3's clients that the service names, as attributes or as strings."""
    known: set[str] = set()
    for service in ("dynamodb", "dynamodbstreams", "s3", "sqs"):
        client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        known |= set(client.meta.method_to_api_mapping)
    named: set[str] = set()
    for node in code_of_the_service():
        if isinstance(node, ast.Attribute):
            named.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
    return known & named


def calls_of_opensearch() -> set[str]:
    """Return the methods of opensearch-py's client, and of its `indices`, that the service calls."""
    calls = [node.func for node in code_of_the_service() if isinstance(node, ast.Call)]
    found = {call.attr for call in calls if isinstance(call, ast.Attribute) and owner_of(call) in CLIENTS}
    return {name for name in found if hasattr(OpenSearch, name) or hasattr(IndicesClient, name)}


CLIENTS = ("search", "indices")


@pytest.mark.parametrize("function", [True, False])
def test_a_worker_of_tasks_reads_its_queue_sends_the_rest_back_and_reads_exports(function):
    settings = {"task_queue": "tasks", "export_prefix": "s3://exports/dynamo/", "function": function}
    statements = named(policy(Images(), Uploads(), **settings))
    queue = "arn:aws:sqs:eu-west-1:111122223333:tasks"
    assert statements["ReadQueueTasks"]["Resource"] == statements["EnqueueOnTasks"]["Resource"] == queue
    assert statements["EnqueueOnTasks"]["Action"] == ["sqs:GetQueueUrl", "sqs:SendMessage"]
    assert statements["ListExportsInExports"]["Resource"] == "arn:aws:s3:::exports"
    assert statements["ReadExportsInExports"]["Resource"] == "arn:aws:s3:::exports/dynamo/*"


def owner_of(call: ast.Attribute) -> str:
    return getattr(call.value, "attr", "") or getattr(call.value, "id", "")


def everything(**settings: Any) -> list[dict[str, Any]]:
    return policy(
        Tenants(),
        Twins(),
        ImageUploads(),
        read_queue=("uploads",),
        checkpoints="dynamodb://positions",
        dead_letters="sqs://letters",
        dead_letters_large="s3://large",
        **settings,
    )


def test_every_call_of_the_service_is_in_the_policy_of_some_settings():
    """For a new call, add a line to CALLED, and the permission to the policy of each caller."""
    assert calls_of_boto3() == set(CALLED)
    container, operator = (
        {action for statement in everything(page_port=0, **who) for action in statement["Action"]}
        for who in ({}, {"operator": True})
    )
    assert container | operator == {action for actions in CALLED.values() for action in actions.split(",")}
    assert operator - container == {"dynamodb:Scan", "s3:DeleteObject"}


def test_every_request_to_a_domain_is_in_the_policy_of_some_settings():
    """For a new call, add a line to SEARCHED, and its requests to the policy of each caller."""
    assert calls_of_opensearch() == set(SEARCHED)
    domain = {"search_auth": "sigv4", "search_url": "https://search.example.com", "index_templates": True}
    statements = [*everything(**domain), *everything(**domain, operator=True)]
    granted = [(a, r) for s in statements for a in s["Action"] for r in resources_of(s) if a.startswith("es:")]
    requests = {request for of_call in SEARCHED.values() for request in of_call}
    for request in requests:
        assert any(is_allowed(request, *grant) for grant in granted), request
    for grant in granted:
        assert any(
            is_allowed(request.replace("images", index), *grant)
            for request in requests
            for index in ("images", "twins")
        ), grant


def resources_of(statement: Mapping[str, Any]) -> list[str]:
    found = statement["Resource"]
    return [found] if isinstance(found, str) else found


def is_allowed(request: str, action: str, resource: str) -> bool:
    """True if the grant covers a request such as Get images/_doc/a."""
    method, _, path = request.partition(" ")
    return action == f"es:ESHttp{method}" and fnmatchcase(
        f"arn:aws:es:eu-west-1:111122223333:domain/*/{path}", resource
    )


def test_a_function_keeps_no_positions_serves_no_page_and_scans_nothing():
    settings: dict[str, Any] = {
        "read_queue": ("uploads",),
        "checkpoints": "dynamodb://positions",
        "dead_letters": "s3://letters/kept",
        "on_gap": "verify",
        "page_redrive": True,
    }
    of_container = named(policy(Images(), ImageUploads(), **settings))
    of_function = named(policy(Images(), ImageUploads(), function=True, **settings))
    assert set(of_container) - set(of_function) == {
        "WriteCheckpointsToPositions",
        "ListDeadLettersInLetters",
        "DeleteDeadLettersInLetters",
        "ScanImages",
        "ReadDeadLettersInLetters",
    }
    assert set(of_function) <= set(of_container)
    assert of_function["ReadQueueUploads"]["Action"] == [
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ]
