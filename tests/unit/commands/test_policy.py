"""Statements of the IAM policy: each grants what some settings need, on the resources of the routes only."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from policies import BARE, Tenants, Twins, named, policy
from shop_scene import Customers, Orders

from routes.images import Images, ImageUploads
from service.commands.policy import POSITIONS, policy_of
from service.context import Context
from service.model import Item, ObjectRecord
from service.routing import Action, BucketRoute, Delete, Document, Router, TableRoute


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


def test_a_pattern_stands_for_what_it_matches_and_for_what_names_call_so():
    statements = named(policy(Tenants(), names={"table/tenant-a": "acme-a", "table/other": "acme-o"}))
    prefix = "arn:aws:dynamodb:eu-west-1:111122223333:table"
    assert statements["ListTables"]["Resource"] == "*"
    assert statements["ReadTableTenant"]["Resource"] == [f"{prefix}/tenant-*", f"{prefix}/acme-a"]
    assert statements["ReadStreamOfTenant"]["Resource"] == [
        f"{prefix}/tenant-*/stream/*",
        f"{prefix}/acme-a/stream/*",
    ]


def test_what_routes_read_is_granted_and_nothing_more():
    names = {"table/customers": "customers-lab", "table/orders": "orders-lab"}
    statements = named(policy(Orders(), Customers(), names=names, function=True))
    prefix = "arn:aws:dynamodb:eu-west-1:111122223333:table"
    granted = {
        sid: (statement["Action"], statement["Resource"])
        for sid, statement in statements.items()
        if "Stream" not in sid
    }
    assert granted == {
        "ReadTableOrdersLab": (["dynamodb:DescribeTable", "dynamodb:Query"], f"{prefix}/orders-lab"),
        "ReadTableCustomersLab": (["dynamodb:BatchGetItem", "dynamodb:DescribeTable"], f"{prefix}/customers-lab"),
        "ReadItemsOfCustomersLab": (["dynamodb:BatchGetItem", "dynamodb:Query"], f"{prefix}/customers-lab"),
        "QueryIndexesOfOrdersLab": (["dynamodb:Query"], f"{prefix}/orders-lab/index/by-customer"),
    }


def test_routes_that_read_one_table_share_its_statements():
    reads = {"a": ("shop/x",), "b": ("shop", "shop/y"), "c": ("shop/x",)}
    routes = [type(name, (Images,), {"table": name, "index": name, "reads": of}) for name, of in reads.items()]
    statements = named(policy(*(route() for route in routes)))
    shop = "arn:aws:dynamodb:eu-west-1:111122223333:table/shop"
    assert statements["ReadItemsOfShop"]["Resource"] == shop
    assert statements["QueryIndexesOfShop"]["Resource"] == [f"{shop}/index/x", f"{shop}/index/y"]
    assert statements["ReadTableA"]["Action"] == ["dynamodb:BatchGetItem", "dynamodb:DescribeTable"]


def test_a_table_of_items_and_collections_may_be_read_in_both_ways():
    class Heads(Images):
        table: ClassVar = Orders.table
        key: ClassVar = Orders.key

    statement = named(policy(Orders(), Heads()))["ReadTableOrders"]
    assert statement["Action"] == ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:Query"]


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


def test_a_service_of_sub_documents_may_search_for_those_that_it_has_to_delete():
    class Chunks(Images):
        document = TableRoute.document

        def documents_of(self, item: Item) -> dict[str, Document]:
            return {}

    statements = named(policy(Chunks(), search_auth="sigv4", page_port=0))
    paths = [resource.rpartition("domain/*/")[2] for resource in statements["SearchSubDocumentsOf"]["Resource"]]
    assert paths == ["_search/scroll", "images/_refresh", "images/_search"]
    assert statements["SearchSubDocumentsOf"]["Action"] == ["es:ESHttpPost"]
    assert statements["EndSearchesOf"]["Action"] == ["es:ESHttpDelete"]
    assert "SearchSubDocumentsOf" not in named(policy(Images(), search_auth="sigv4", page_port=0))


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


@pytest.mark.parametrize("function", [True, False])
def test_a_worker_of_tasks_reads_its_queue_sends_the_rest_back_and_reads_exports(function):
    settings = {"task_queue": "tasks", "export_prefix": "s3://exports/dynamo/", "function": function}
    statements = named(policy(Images(), Uploads(), **settings))
    queue = "arn:aws:sqs:eu-west-1:111122223333:tasks"
    assert statements["ReadQueueTasks"]["Resource"] == statements["EnqueueOnTasks"]["Resource"] == queue
    assert statements["EnqueueOnTasks"]["Action"] == ["sqs:GetQueueUrl", "sqs:SendMessage"]
    assert statements["ListExportsInExports"]["Resource"] == "arn:aws:s3:::exports"
    assert statements["ReadExportsInExports"]["Resource"] == "arn:aws:s3:::exports/dynamo/*"


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


class Piped(Images):
    pipelines: ClassVar = {"embed": {"processors": []}}
    search_pipelines: ClassVar = {"hybrid": {"request_processors": []}}


def test_a_service_that_creates_indices_may_create_the_pipelines_of_its_routes_and_no_others():
    domain: Any = {"search_auth": "sigv4", "search_url": "https://search.example.com"}
    pipelines = [
        f"arn:aws:es:eu-west-1:111122223333:domain/*/{path}"
        for path in ("_ingest/pipeline/embed-lab", "_search/pipeline/hybrid")
    ]
    names = {"pipeline/embed": "embed-lab"}
    found = named(policy(Piped(), names=names, **domain))
    assert found["ReadPipelinesOf"]["Resource"] == found["CreatePipelinesOf"]["Resource"] == pipelines
    assert found["CreatePipelinesOf"]["Action"] == ["es:ESHttpPut"]
    assert "CreatePipelinesOf" not in named(policy(Piped(), create_indices=False, **domain))
    operator = policy(Piped(), create_indices=False, operator=True, names=names, **domain)
    assert named(operator)["CreatePipelinesOf"]["Resource"] == pipelines
    assert "ReadPipelinesOf" not in named(policy(Images(), **domain))
