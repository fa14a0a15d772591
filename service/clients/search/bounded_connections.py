"""The parts of opensearch-py's client that are ours: connections with deadlines, and a faster JSON parser."""

from __future__ import annotations

from typing import Any

from opensearchpy import JSONSerializer, RequestsHttpConnection, Urllib3HttpConnection
from urllib3 import HTTPSConnectionPool

from ...deadline import after, request_time, time_left, until
from .response_reader import read_answer
from .timed_connections import TimedConnection, TimedTLSConnection
from .transport_errors import refused, unreached


class _Bounded:
    """The deadline and the errors of both kinds of connection."""

    timeout: Any

    def perform_request(self, *arguments: Any, timeout: float | None = None, **options: Any) -> Any:
        with until(after(request_time(timeout or self.timeout))):
            left = time_left()
            if left <= 0:
                raise unreached(TimeoutError("the deadline passed before sending the request"))
            return super().perform_request(*arguments, timeout=left, **options)  # type: ignore[misc]

    def _raise_error(self, status_code: int, raw_data: str | bytes, content_type: str | None = None) -> None:
        """Raise the error of a response. opensearch-py's own method fails if the JSON is not an object."""
        text = raw_data if isinstance(raw_data, str) else raw_data.decode("utf-8", "replace")
        raise refused(status_code, text, content_type or "")


class BoundedConnection(_Bounded, Urllib3HttpConnection):
    """A connection over urllib3."""

    def _create_urllib3_pool(self) -> None:
        super()._create_urllib3_pool()
        secure = isinstance(self.pool, HTTPSConnectionPool)
        self.pool.ConnectionCls = TimedTLSConnection if secure else TimedConnection


class BoundedSignedConnection(_Bounded, RequestsHttpConnection):
    """A connection over requests, for signed requests. It limits each read, not the whole request."""


class AnswerReader(JSONSerializer):
    """A JSONSerializer that parses responses faster."""

    def loads(self, s: str) -> Any:
        """Parse a response. Raises UnexpectedAnswer if it is not JSON."""
        return read_answer(s)
