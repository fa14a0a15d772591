"""The coverage of the IAM policy: every call of the service is in it, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
from opensearchpy import OpenSearch
from opensearchpy.client.indices import IndicesClient
from opensearchpy.client.ingest import IngestClient
from opensearchpy.client.search_pipeline import SearchPipelineClient
from policies import Tenants, Twins, policy

from routes.images import ImageUploads

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
    "get": ["Get images/_doc/a", "Get images-000001", "Get _search/pipeline/hybrid"],
    "get_alias": [
        "Get images*,twins*/_alias",
        "Get images-000002*/_alias",
        "Get twins-000001/_alias",
        "Get _alias/pictures",
        "Get streamdex-check-*/_alias",
    ],
    "get_index_template": ["Get _index_template/streamdex-images"],
    "get_pipeline": ["Get _ingest/pipeline/embed"],
    "get_settings": ["Get images-000002/_settings"],
    "mget": ["Post _mget"],
    "put_index_template": ["Put _index_template/streamdex-images"],
    "put_pipeline": ["Put _ingest/pipeline/embed"],
    "put": ["Put _search/pipeline/hybrid"],
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
    """Return the methods of opensearch-py's client, and of the parts in CLIENTS, that the service calls."""
    calls = [node.func for node in code_of_the_service() if isinstance(node, ast.Call)]
    found = {call.attr for call in calls if isinstance(call, ast.Attribute) and owner_of(call) in CLIENTS}
    kinds = (OpenSearch, IndicesClient, IngestClient, SearchPipelineClient)
    return {name for name in found if any(hasattr(kind, name) for kind in kinds)}


CLIENTS = ("search", "indices", "ingest", "search_pipeline")


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
