"""The outside world as a route sees it: injected, built when first used, closed at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import RLock, local
from types import TracebackType
from typing import Any, Self

from .clients import make_aws_client, make_search_client
from .settings import Settings


class Context:
    """Clients, settings and the time left. Any client can be handed in; the rest are made from settings.

    `with Context(settings) as context:` closes what it made. `parent` is the Lambda context of the
    invocation, or None.
    """

    def __init__(self, settings: Settings | None = None, *, parent: Any = None, **clients: Any):
        """`clients` are ready-made ones by name: s3, dynamodb, dynamodb_streams, sqs, search."""
        self.settings = settings or Settings()
        self.parent = parent
        self._clients = dict(clients)
        self._made = ExitStack()
        self._lock = RLock()
        self._guards = local()

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

    @contextmanager
    def guarded(self, check: Callable[[], None]) -> Iterator[None]:
        """Within the block, and this thread, `check` is asked before each request that writes."""
        before = getattr(self._guards, "check", None)
        self._guards.check = check
        try:
            yield
        finally:
            self._guards.check = before

    def check(self) -> None:
        """Raises LeaseLost where what is worked on in this thread is another process's by now."""
        guard = getattr(self._guards, "check", None)
        if guard is not None:
            guard()

    def remaining_time(self) -> float:
        """Seconds until the runtime cuts this work off; infinite outside of a Lambda."""
        if self.parent is None:
            return math.inf
        return float(self.parent.get_remaining_time_in_millis()) / 1000

    def during(self, parent: Any) -> Context:
        """The same world, clients included, within one invocation of a Lambda."""
        within = Context(self.settings, parent=parent)
        within._clients, within._lock, within._made = self._clients, self._lock, self._made
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
