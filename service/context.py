"""The context that routes get: clients, settings and the time left. Clients are created on first use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from threading import RLock
from typing import Any, Self

from .clients.database import make_engine
from .clients.factories import make_aws_client, make_search_client
from .deadline import deadline_of
from .settings import Settings
from .table_reads import Tables


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
        self._tables: Tables | None = None

    @property
    def tables(self) -> Tables:
        """The tables that the route declares in `reads`, by their logical names."""
        return self._tables or Tables(lambda: self.dynamodb, "the route", {})

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
        made = self._clients.get("search")  # without a lock: once made it stays
        return made or self._client("search", lambda: make_search_client(self.settings))

    @property
    def sql(self) -> Any:
        """The SQLAlchemy engine of the SQL database.

        Raises SettingsError if DB_URL is invalid, and Halt if the extra `sql` is not installed.
        """
        return self._client("sql", lambda: make_engine(self.settings), "dispose")

    def remaining_time(self) -> float:
        """Return the seconds until the Lambda timeout; infinite outside of a Lambda."""
        return deadline_of(self.parent).left()

    def during(self, parent: Any) -> Context:
        """Return a context with the same clients for the Lambda context `parent`, or this one if it is None."""
        return self if parent is None else self._copy(parent)

    def with_tables(self, tables: Tables) -> Context:
        """Return a context with the same clients for a route that reads these tables."""
        within = self._copy(self.parent)
        within._tables = tables
        return within

    def _copy(self, parent: Any) -> Context:
        within = Context(self.settings, parent=parent)
        within._clients, within._lock, within._made = self._clients, self._lock, self._made
        return within

    def close(self) -> None:
        self._made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _aws(self, service: str) -> Any:
        return self._client(service, lambda: make_aws_client(self.settings, service))

    def _client(self, name: str, make: Callable[[], Any], close: str = "close") -> Any:
        """Return a client, created on first use. `close` is the name of its method that closes it."""
        with self._lock:
            if name not in self._clients:
                self._clients[name] = made = make()
                self._made.callback(getattr(made, close))
            return self._clients[name]
