"""What the doctor looks at: routes and settings, and the world that they name."""

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


class Patient:
    """One deployment, as checks look at it."""

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
        """The tables that routes listen to, as they exist, with their routes.

        A pattern stands for what it matches among all tables that there are, as far as they can be listed.
        """
        found: dict[str, list[BoundRoute]] = {}
        for bound in self.router.bound:
            if not isinstance(bound.route, TableRoute):
                continue
            try:
                for table in self.matching(bound.route.table):
                    found.setdefault(table, []).append(bound)
            except Trouble:  # the check of tables says it
                continue
        return found

    def matching(self, pattern: str) -> Sequence[str]:
        """The tables that the name in a route stands for. Raises Trouble."""
        names = self.router.names
        if is_plain(pattern):
            return [names.actual("table", pattern)]
        logical = {table: names.logical("table", table) for table in self._all_tables()}
        return [table for table, name in logical.items() if name is not None and matches(pattern, name)]

    def buckets(self) -> dict[str, list[BucketRoute]]:
        """The buckets that routes listen to, as they exist, with their routes; patterns are left out."""
        found: dict[str, list[BucketRoute]] = {}
        for bound in self.router.bound:
            route = bound.route
            if isinstance(route, BucketRoute) and is_plain(route.bucket):
                found.setdefault(self.router.names.actual("bucket", route.bucket), []).append(route)
        return found

    def indices(self) -> dict[str, list[BoundRoute]]:
        """The indices that routes write, as they exist, with their routes."""
        found: dict[str, list[BoundRoute]] = {}
        for bound in self.router.bound:
            if bound.index:
                found.setdefault(bound.index, []).append(bound)
        return found

    def queues(self) -> list[str]:
        """The queues that are read, by their existing names."""
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
