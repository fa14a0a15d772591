"""The deployment that the doctor checks: its routes, settings, and the resources that they name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from ...context import Context
from ...routing import BoundRoute, BucketRoute, Router, TableRoute
from ...routing.patterns import is_plain, matches
from ...routing.queue_declarations import Queues
from ..policy import Owner
from .aws import Aws
from .clock import Clock
from .findings import Trouble
from .server import SearchServer


class DoctorContext:
    """One deployment, and the clients with which the checks read it. All names are actual names."""

    def __init__(self, context: Context, router: Router, now: Callable[[], float] = time.time):
        self.context = context
        self.settings = context.settings
        self.router = router
        self.declared = Queues(context.settings, router)
        self.queues = self.declared.read
        self.clock = Clock(now)
        self.aws = Aws(context, self.clock)
        self.search = SearchServer(context, self.clock)

    @cached_property
    def tables(self) -> dict[str, list[BoundRoute]]:
        """The tables that routes listen to, each with its routes.

        A pattern is replaced by the existing tables that it matches. If they cannot be listed, it is left out.
        """
        found: dict[str, list[BoundRoute]] = {}
        for bound in self.router.bound:
            if isinstance(bound.route, TableRoute):
                with suppress(Trouble):  # the check of tables reports it
                    for table in self.matching(bound.route.table):
                        found.setdefault(table, []).append(bound)
        return found

    def matching(self, pattern: str) -> Sequence[str]:
        """Return the tables for a name or pattern in a route. Raises Trouble if they cannot be listed."""
        names = self.router.names
        if is_plain(pattern):
            return [names.actual("table", pattern)]
        logical = {table: names.logical("table", table) for table in self._all_tables}
        return [table for table, name in logical.items() if name is not None and matches(pattern, name)]

    @cached_property
    def written_tables(self) -> list[str]:
        """The tables that routes write to, sorted."""
        return sorted({bound.item_table for bound in self.router.bound if bound.item_table})

    @cached_property
    def buckets(self) -> dict[str, list[BucketRoute]]:
        """The buckets that routes listen to, each with its routes. Omits patterns."""
        found: dict[str, list[BucketRoute]] = {}
        for bound in self.router.bound:
            route = bound.route
            if isinstance(route, BucketRoute) and is_plain(route.bucket):
                found.setdefault(self.router.names.actual("bucket", route.bucket), []).append(route)
        return found

    @cached_property
    def indices(self) -> dict[str, list[BoundRoute]]:
        """The indices that routes write to, each with its routes."""
        found: dict[str, list[BoundRoute]] = {}
        for bound in self.router.bound:
            if bound.index:
                found.setdefault(bound.index, []).append(bound)
        return found

    @property
    def serverless(self) -> bool:
        return self.settings.search_auth == "sigv4" and self.settings.search_service == "aoss"

    def described(self, table: str) -> Mapping[str, Any] | None:
        """Return the answer of DescribeTable; None if the table does not exist. Raises Trouble.

        The service itself does not describe a table that its routes only read.
        """
        extra = table in self.router.readable and table not in self.tables and table not in self.written_tables
        answer = self.aws.ask("dynamodb", "describe_table", f"table {table}", extra=extra, TableName=table)
        return None if answer is None else answer["Table"]

    def attributes_of(self, queue: str, extra: bool = False) -> Mapping[str, str] | None:
        """Return a queue's attributes and its QueueUrl; None if it does not exist. Raises Trouble.

        `extra` marks a queue that the service itself never uses.
        """
        subject = f"queue {queue}"
        found = self.aws.ask("sqs", "get_queue_url", subject, extra=extra, QueueName=queue)
        if found is None:
            return None
        request = {"QueueUrl": found["QueueUrl"], "AttributeNames": ["All"]}
        answer = self.aws.ask("sqs", "get_queue_attributes", subject, extra=extra, **request)
        return None if answer is None else {**answer.get("Attributes", {}), "QueueUrl": found["QueueUrl"]}

    @cached_property
    def queue_arns(self) -> list[str]:
        """The ARNs of the existing queues that the service reads."""
        return list(self._arns(self.queues, self.attributes_of, "QueueArn"))

    def arns(self) -> Iterator[str]:
        """Yield the ARNs of the existing tables and queues."""
        yield from self._arns([*self.tables, *self.written_tables], self.described, "TableArn")
        yield from self.queue_arns

    def _arns(
        self, names: Sequence[str], look: Callable[[str], Mapping[str, Any] | None], arn: str
    ) -> Iterator[str]:
        for name in names:
            with suppress(Trouble):  # the checks of tables and queues report it
                found = look(name)
                if found is not None:
                    yield found[arn]

    @cached_property
    def _all_tables(self) -> list[str]:
        tables: list[str] = []
        page: dict[str, Any] = {}
        while True:
            answer = self.aws.ask("dynamodb", "list_tables", "the list of tables", **page) or {}
            tables += answer.get("TableNames", [])
            if "LastEvaluatedTableName" not in answer:
                return tables
            page = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}


def owner_of(patient: DoctorContext) -> Owner:
    """Return the owner of the first existing table or queue; `*` for unknown parts."""
    for arn in patient.arns():
        _, partition, _, region, account, _ = arn.split(":", 5)
        return Owner(partition, region or "*", account or "*")
    return Owner(region=patient.settings.region or "*")
