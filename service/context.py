"""The outside world as a route sees it: injected, built when first used, closed at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import RLock, local
from types import TracebackType
from typing import Any, Final, Self

from .clients.database import make_engine
from .clients.factories import make_aws_client, make_search_client
from .deadline import NO_DEADLINE, Deadline, time_left, until
from .settings import Settings

RESERVE: Final = 3.0
"""Seconds of an invocation that are left for the answer and the dead letters, at the most."""

SHARE: Final = 5
"""And no more than this part of what is left: a function may have three seconds in all."""

TRIES: Final = 3
"""Requests to the search server that hang, one after the other, for which an invocation has time."""


class Context:
    """Clients, settings and the time left. Any client can be handed in; the rest are made from settings.

    `with Context(settings) as context:` closes what it made. `parent` is the Lambda context of the
    invocation, or None.
    """

    def __init__(self, settings: Settings | None = None, *, parent: Any = None, **clients: Any):
        """`clients` are ready-made ones by name: s3, dynamodb, dynamodb_streams, sqs, search, sql."""
        self.settings = settings or Settings()
        self.parent = parent
        self._clients = dict(clients)
        self._made = ExitStack()
        self._lock = RLock()
        self._here = local()

    @property
    def s3(self) -> Any:
        """The boto3 client of S3."""
        return self._aws("s3")

    @property
    def dynamodb(self) -> Any:
        """The boto3 client of DynamoDB."""
        return self._aws("dynamodb")

    @property
    def dynamodb_streams(self) -> Any:
        """The boto3 client of DynamoDB Streams."""
        return self._aws("dynamodb_streams")

    @property
    def sqs(self) -> Any:
        """The boto3 client of SQS."""
        return self._aws("sqs")

    @property
    def opensearchserverless(self) -> Any:
        """The boto3 client of OpenSearch Serverless, which knows collections and nothing of what is in them."""
        return self._aws("opensearchserverless")

    @property
    def search(self) -> Any:
        """The opensearch-py client."""
        with self._lock:
            if "search" not in self._clients:
                self._clients["search"] = make_search_client(self.settings)
                self._made.callback(self._clients["search"].close)
            return self._clients["search"]

    @property
    def sql(self) -> Any:
        """The engine of SQLAlchemy for the SQL database. Raises SettingsError for a URL that is none, and Halt
        without the extra `sql`."""
        with self._lock:
            if "sql" not in self._clients:
                self._clients["sql"] = make_engine(self.settings)
                self._made.callback(self._clients["sql"].dispose)
            return self._clients["sql"]

    @contextmanager
    def guarded(self, check: Callable[[], None]) -> Iterator[None]:
        """Within the block, and this thread, `check` is asked before each request that writes."""
        before = getattr(self._here, "check", None)
        self._here.check = check
        try:
            yield
        finally:
            self._here.check = before

    def check(self) -> None:
        """Raises LeaseLost where what is worked on in this thread is another process's by now."""
        guard = getattr(self._here, "check", None)
        if guard is not None:
            guard()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """End every request of the block, and of this thread, before the invocation ends.

        RESERVE seconds, or 1/SHARE of what is left now if that is less, stay for what follows the block.
        """
        left = self.remaining_time()
        reserve = min(RESERVE, left / SHARE)
        deadline = Deadline(lambda: self.remaining_time() - reserve, (left - reserve) / TRIES)
        with until(NO_DEADLINE if left == math.inf else deadline):
            yield

    def out_of_time(self) -> bool:
        """True if nothing more may be begun in this thread: the rest of the invocation is for its answer."""
        return time_left() < 0

    def remaining_time(self) -> float:
        """Seconds until the runtime cuts this work off; infinite outside of a Lambda."""
        if self.parent is None:
            return math.inf
        return float(self.parent.get_remaining_time_in_millis()) / 1000

    def during(self, parent: Any) -> Context:
        """The same world, clients included, within one invocation of a Lambda."""
        within = Context(self.settings, parent=parent)
        within._clients, within._lock, within._made = self._clients, self._lock, self._made
        within._here = self._here
        return within

    def close(self) -> None:
        self._made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _aws(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = make_aws_client(self.settings, service)
                self._made.callback(self._clients[service].close)
            return self._clients[service]
