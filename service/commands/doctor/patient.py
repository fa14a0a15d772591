"""The deployment that the doctor checks: its routes, settings, and the resources that they name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ...context import Context
from ...routing import BoundRoute, BucketRoute, Router, TableRoute
from ...routing.patterns import is_plain, matches
from ...routing.queue_declarations import Queues
from .aws import Aws
from .clock import Clock
from .findings import Trouble
from .server import SearchServer


class DoctorContext:
    """One deployment, and the clients with which the checks read it."""

    def __init__(self, context: Context, router: Router, now: Callable[[], float] = time.time):
        self.context = context
        self.settings = context.settings
        self.router = router
        self.declared = Queues(context.settings, router)
        self.clock = Clock(now)
        self.aws = Aws(context, self.clock)
        self.search = SearchServer(context, self.clock)
        self._listed: list[str] | None = None

    def tables(self) -> dict[str, list[BoundRoute]]:
        """Return the tables that routes listen to by their actual names, each with its routes.

        A pattern is replaced by the existing tables that it matches. If they cannot be listed, it is left out.
        """
        found: dict[str, list[BoundRoute]] = {}
        for bound in self.router.bound:
            if not isinstance(bound.route, TableRoute):
                continue
            try:
                for table in self.matching(bound.route.table):
                    found.setdefault(table, []).append(bound)
            except Trouble:  # the check of tables reports it
                continue
        return found

    def matching(self, pattern: str) -> Sequence[str]:
        """Return the actual tables for a name or pattern in a route. Raises Trouble if they cannot be listed."""
        names = self.router.names
        if is_plain(pattern):
            return [names.actual("table", pattern)]
        logical = {table: names.logical("table", table) for table in self._all_tables()}
        return [table for table, name in logical.items() if name is not None and matches(pattern, name)]

    def written_tables(self) -> list[str]:
        """Return the tables that routes write to by their actual names, sorted."""
        return sorted({bound.item_table for bound in self.router.bound if bound.item_table})

    def buckets(self) -> dict[str, list[BucketRoute]]:
        """Return the buckets that routes listen to by their actual names, each with its routes. Omits patterns."""
        found: dict[str, list[BucketRoute]] = {}
        for bound in self.router.bound:
            route = bound.route
            if isinstance(route, BucketRoute) and is_plain(route.bucket):
                found.setdefault(self.router.names.actual("bucket", route.bucket), []).append(route)
        return found

    def indices(self) -> dict[str, list[BoundRoute]]:
        """Return the indices that routes write to by their actual names, each with its routes."""
        found: dict[str, list[BoundRoute]] = {}
        for bound in self.router.bound:
            if bound.index:
                found.setdefault(bound.index, []).append(bound)
        return found

    def queues(self) -> list[str]:
        """Return the actual names of the queues that the service reads."""
        return self.declared.read

    @property
    def serverless(self) -> bool:
        return self.settings.search_auth == "sigv4" and self.settings.search_service == "aoss"

    def _all_tables(self) -> list[str]:
        if self._listed is None:
            tables: list[str] = []
            page: dict[str, Any] = {}
            while True:
                answer = self.aws.ask("dynamodb", "list_tables", "the list of tables", **page) or {}
                tables += answer.get("TableNames", [])
                if "LastEvaluatedTableName" not in answer:
                    break
                page = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}
            self._listed = tables
        return self._listed
