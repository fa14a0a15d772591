"""The IAM policy that lets the service do what its routes and settings have it do, and nothing else.

Actions and the resources that they take: "Actions, resources, and condition keys for" Amazon DynamoDB, S3, SQS,
OpenSearch Service and OpenSearch Serverless (Service Authorization Reference). A transaction of DynamoDB needs the
permissions of its parts ("Using IAM with DynamoDB transactions"), a batch of SQS that of one message ("Amazon SQS
API permissions"), and a HeadObject also s3:ListBucket: without it an object that is gone is a 403 ("HeadObject").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ..routing import BucketRoute, Router, TableRoute
from ..routing.patterns import is_plain, matches
from ..settings import Settings

STREAM: Final = ("DescribeStream", "GetRecords", "GetShardIterator")
LOOK: Final = ("BatchGetItem", "DescribeTable")
WRITE: Final = ("DeleteItem", "DescribeTable", "PutItem", "UpdateItem")
QUEUE: Final = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage")
POSITIONS: Final = (
    "ConditionCheckItem",
    "CreateTable",
    "DeleteItem",
    "DescribeTable",
    "GetItem",
    "PutItem",
    "Query",
    "UpdateItem",
)

_DOMAIN: Final = re.compile(
    r"(?:search|vpc)-(?P<name>.+)-[a-z0-9]+\.(?:(?P<region>[a-z0-9-]+)\.es\.amazonaws\.com(?:\.cn)?"
    r"|aos\.(?P<dual>[a-z0-9-]+)\.on\.aws)"
)
_COLLECTION: Final = re.compile(r"(?P<name>[a-z0-9]+)\.(?P<region>[a-z0-9-]+)\.aoss\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class Owner:
    """Whose tables, queues and domains they are, and where; `*` for what is not known."""

    partition: str = "aws"
    region: str = "*"
    account: str = "*"

    def arn(self, service: str, resource: str, region: str = "") -> str:
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account}:{resource}"

    def bucket(self, resource: str) -> str:
        return f"arn:{self.partition}:s3:::{resource}"


@dataclass(frozen=True)
class Grant:
    """What is allowed to be done with some resources, and what for: the first words of the statement's name."""

    purpose: str
    subject: str
    service: str
    actions: Sequence[str]
    resources: Sequence[str]


def policy_of(router: Router, settings: Settings, owner: Owner = Owner()) -> dict[str, Any]:
    """An IAM policy document for the container, one statement for each resource and purpose.

    What routes ask of clients in their own code, but for reading the objects they are called for, is not in it;
    nor are keys of KMS, and what only operators do (`dead-letters`).
    """
    grants = [
        *_streams(router, owner),
        *_writes(router, owner),
        *_buckets(router, owner),
        *_queues(router, settings, owner),
        *_positions(router, settings, owner),
        *_letters(settings, owner),
        *_search(router, settings, owner),
    ]
    return {"Version": "2012-10-17", "Statement": list(_statements(grants))}


def _statements(grants: Sequence[Grant]) -> Iterator[dict[str, Any]]:
    taken: set[str] = set()
    for grant in grants:
        words = re.findall(r"[A-Za-z0-9]+", grant.subject)
        plain = name = grant.purpose + "".join(word[0].upper() + word[1:] for word in words)
        number = 2
        while name in taken:  # names that differ only in what a Sid cannot hold
            name, number = f"{plain}{number}", number + 1
        taken.add(name)
        resources = list(grant.resources)
        yield {
            "Sid": name,
            "Effect": "Allow",
            "Action": [f"{grant.service}:{action}" for action in grant.actions],
            "Resource": resources[0] if len(resources) == 1 else resources,
        }


def _streams(router: Router, owner: Owner) -> Iterator[Grant]:
    """Neither ListStreams nor ListTables can be allowed for some tables only."""
    patterns = list(dict.fromkeys(b.route.table for b in router.bound if isinstance(b.route, TableRoute)))
    if patterns:
        yield Grant("ListStreams", "", "dynamodb", ["ListStreams"], ["*"])
    if not all(map(is_plain, patterns)):
        yield Grant("ListTables", "", "dynamodb", ["ListTables"], ["*"])
    for pattern in patterns:
        names = existing(router, "table", pattern)
        tables = [owner.arn("dynamodb", f"table/{name}") for name in names]
        yield Grant("ReadStreamOf", names[0], "dynamodb", STREAM, [f"{table}/stream/*" for table in tables])
        yield Grant("LookAt", names[0], "dynamodb", LOOK, tables)


def _writes(router: Router, owner: Owner) -> Iterator[Grant]:
    for table in sorted({bound.table for bound in router.bound if bound.table}):
        yield Grant("Write", table, "dynamodb", WRITE, [owner.arn("dynamodb", f"table/{table}")])


def _buckets(router: Router, owner: Owner) -> Iterator[Grant]:
    routes: dict[str, list[BucketRoute]] = {}
    for bound in router.bound:
        if isinstance(bound.route, BucketRoute):
            routes.setdefault(bound.route.bucket, []).append(bound.route)
    for pattern, of_bucket in routes.items():
        buckets = existing(router, "bucket", pattern)
        yield Grant("List", buckets[0], "s3", ["ListBucket"], [owner.bucket(bucket) for bucket in buckets])
        keys = sorted({keys_of(route) for route in of_bucket})
        objects = [owner.bucket(f"{bucket}/{key}") for bucket in buckets for key in keys]
        yield Grant("ReadObjectsOf", buckets[0], "s3", ["GetObject"], objects)


def _queues(router: Router, settings: Settings, owner: Owner) -> Iterator[Grant]:
    for queue in dict.fromkeys(settings.read_queue):
        actual = router.names.actual("queue", queue)
        yield Grant("ReadQueue", actual, "sqs", QUEUE, [owner.arn("sqs", actual)])


def _positions(router: Router, settings: Settings, owner: Owner) -> Iterator[Grant]:
    kind, _, table = settings.checkpoints.partition("://")
    if kind == "dynamodb" and any(isinstance(bound.route, TableRoute) for bound in router.bound):
        yield Grant("KeepPositionsIn", table, "dynamodb", POSITIONS, [owner.arn("dynamodb", f"table/{table}")])


def _letters(settings: Settings, owner: Owner) -> Iterator[Grant]:
    kind, _, place = settings.dead_letters.partition("://")
    if kind == "sqs":
        yield Grant("KeepLettersIn", place, "sqs", ["GetQueueUrl", "SendMessage"], [owner.arn("sqs", place)])
        kind, _, place = settings.dead_letters_large.partition("://")
    if kind == "s3":
        bucket, _, prefix = place.partition("/")
        folder = f"{bucket}/{prefix.strip('/')}".rstrip("/")
        yield Grant("KeepLettersIn", bucket, "s3", ["PutObject"], [owner.bucket(f"{folder}/*")])


def _search(router: Router, settings: Settings, owner: Owner) -> Iterator[Grant]:
    """A domain is asked by HTTP method and path; within a serverless collection its data access policy decides."""
    indices = sorted({bound.index for bound in router.bound if bound.index})
    if settings.search_auth != "sigv4" or not indices:
        return
    name, region = place_of(settings.search_url)
    if settings.search_service == "aoss":
        yield Grant(
            "UseCollection", name, "aoss", ["APIAccessAll"], [owner.arn("aoss", f"collection/{name}", region)]
        )
        return
    domain = owner.arn("es", f"domain/{name}", region)
    yield Grant("WriteDocumentsOf", name, "es", ["ESHttpPost"], [f"{domain}/_bulk"])
    if settings.create_indices:
        paths = [f"{domain}/{index}" for index in indices]
        yield Grant("CreateIndicesOf", name, "es", ["ESHttpHead", "ESHttpPut"], paths)


def existing(router: Router, kind: str, pattern: str) -> list[str]:
    """What exists under a name in a route: for a pattern itself, and what `names` calls by a name that fits."""
    if is_plain(pattern):
        return [router.names.actual(kind, pattern)]
    return [pattern, *router.names.actuals(kind, lambda logical: matches(pattern, logical))]


def keys_of(route: BucketRoute) -> str:
    """The keys of a route's objects, as a resource.

    The suffix is left out where it can begin within the prefix: no one resource stands for such keys.
    """
    prefix, suffix = escaped(route.prefix), escaped(route.suffix)
    shared = any(route.prefix.endswith(route.suffix[:n]) for n in range(1, len(route.suffix) + 1))
    return f"{prefix}*" if shared or not suffix else f"{prefix}*{suffix}"


def escaped(text: str) -> str:
    """Text that stands for itself in a resource ("IAM policy elements: Variables and tags")."""
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)


def place_of(url: str) -> tuple[str, str]:
    """The name of the domain or collection at an address of AWS, and its region; `*` and "" for another."""
    host = urlsplit(url).hostname or ""
    found = _DOMAIN.fullmatch(host) or _COLLECTION.fullmatch(host)
    if found is None:
        return "*", ""
    parts: Mapping[str, str | None] = found.groupdict()
    return str(parts["name"]), parts["region"] or parts.get("dual") or ""
