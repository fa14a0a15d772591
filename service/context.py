"""The context that routes get: clients, settings and the time left. Clients are created on first use."""

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
"""Seconds of an invocation reserved for the response and the dead letters, at most."""

SHARE: Final = 5
"""At most 1/SHARE of the time left is reserved, because the timeout may be only three seconds."""

TRIES: Final = 3
"""Consecutive requests to the search server that may time out within one invocation."""


class Context:
    """Clients, settings and the time left. Clients that are not passed in are created from settings.

    `with Context(settings) as context:` closes the clients that it created. `parent` is the Lambda context of the
    invocation, or None.
    """

    def __init__(self, settings: Settings | None = None, *, parent: Any = None, **clients: Any):
        """`clients` are existing clients by name: s3, dynamodb, dynamodb_streams, sqs, search, sql."""
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
        """The boto3 client of OpenSearch Serverless. It manages collections, not documents."""
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
        """The SQLAlchemy engine of the SQL database.

        Raises SettingsError if DB_URL is invalid, and Halt if the extra `sql` is not installed.
        """
        with self._lock:
            if "sql" not in self._clients:
                self._clients["sql"] = make_engine(self.settings)
                self._made.callback(self._clients["sql"].dispose)
            return self._clients["sql"]

    @contextmanager
    def guarded(self, check: Callable[[], None]) -> Iterator[None]:
        """Call `check` before each write request of this thread within the block."""
        before = getattr(self._here, "check", None)
        self._here.check = check
        try:
            yield
        finally:
            self._here.check = before

    def check(self) -> None:
        """Run the check of this thread's `guarded` block. Raises LeaseLost if the lease may be lost."""
        guard = getattr(self._here, "check", None)
        if guard is not None:
            guard()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Make every request of this thread within the block end before the invocation ends.

        RESERVE seconds, or 1/SHARE of the time left if that is less, are reserved for the code after the block.
        """
        left = self.remaining_time()
        reserve = min(RESERVE, left / SHARE)
        deadline = Deadline(lambda: self.remaining_time() - reserve, (left - reserve) / TRIES)
        with until(NO_DEADLINE if left == math.inf else deadline):
            yield

    def out_of_time(self) -> bool:
        """True if this thread must not start more work, because only the reserved time is left."""
        return time_left() < 0

    def remaining_time(self) -> float:
        """Return the seconds until the Lambda timeout; infinite outside of a Lambda."""
        if self.parent is None:
            return math.inf
        return float(self.parent.get_remaining_time_in_millis()) / 1000

    def during(self, parent: Any) -> Context:
        """Return a context with the same settings and clients for the Lambda invocation `parent`."""
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
