"""A search client that sends bulk and alias requests directly with urllib3, and all others through opensearch-py.

Importing opensearch-py takes longer than all other work of a Lambda until its first record is indexed
(docs/decisions/0014). Every batch needs only these two requests. Errors are those of opensearch-py.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from ...deadline import after, request_time, time_left, until
from .response_reader import read_answer

LEVEL: Final = 1
"""The gzip level. The default level takes four times as long and saves only a fifth of the bytes."""

ADDRESSES: Final = 3
"""The number of IP addresses that can be tried within one request. A domain has one per Availability Zone."""

Sign: TypeAlias = Callable[[str, str, bytes | None, Mapping[str, str]], Mapping[str, str]]
"""Takes the method, path, body and headers of a request, and returns the headers to send."""


class SearchClient:
    """A client with the interface of opensearch-py's.

    `pool` is the server's urllib3 pool, `path` the prefix of each request path. `make` creates opensearch-py's
    client on first use. A request takes at most `timeout` seconds, from its first byte to the last byte of the
    response, and ends at the current deadline. `compress` gzips bodies. `sign` returns the headers of a signed
    request.
    """

    def __init__(
        self,
        pool: Any,
        headers: Mapping[str, str],
        path: str,
        make: Callable[[], Any],
        timeout: float,
        compress: bool = False,
        sign: Sign | None = None,
    ):
        self._pool = pool
        self._timeout = timeout
        self._compress = compress
        self._sign = sign
        self._headers = {**headers, "content-type": "application/json"}
        self._path = path
        self._make = make
        self._made: Any = None
        self._lock = Lock()
        self.indices = Indices(self)

    def bulk(self, *, body: Any, **more: Any) -> Any:
        """Send a bulk request. Requests with other arguments than a body of bytes go through opensearch-py."""
        if more or not isinstance(body, bytes):
            return self.whole.bulk(body=body, **more)
        return self.request("POST", "/_bulk", body)

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request once, without retries, and return the parsed response.

        Raises UnexpectedAnswer and the errors of opensearch-py.
        """
        headers: Mapping[str, str] = self._headers
        if body and self._compress:
            body, headers = gzip.compress(body, LEVEL), {**headers, "content-encoding": "gzip"}
        path = self._path + path
        if self._sign is not None:
            headers = self._sign(method, path, body, headers)
        try:
            status, text, kind = self._send(method, path, body, headers)
        except Exception as error:
            from .transport_errors import unreached

            raise unreached(error) from error
        if not 200 <= status < 300:
            from .transport_errors import refused

            raise refused(status, text, kind)
        return read_answer(text)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, str]:
        """Return the status, text and content type. Raises the errors of urllib3."""
        from urllib3 import Timeout

        with until(after(request_time(self._timeout))):
            left = time_left()
            if left <= 0:
                raise TimeoutError("the deadline passed before sending the request")
            answer = self._pool.urlopen(
                method,
                path,
                body,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=Timeout(connect=left / ADDRESSES, read=left),
            )
            text = answer.data.decode("utf-8", "surrogatepass")
        return answer.status, text, answer.headers.get("content-type", "")

    @property
    def whole(self) -> Any:
        """opensearch-py's client, created once for all threads."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def close(self) -> None:
        self._pool.close()
        if self._made is not None:
            self._made.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)


class Indices:
    """The `indices` client: `get_alias` is sent directly, all other methods are opensearch-py's."""

    def __init__(self, client: SearchClient):
        self._client = client

    def get_alias(self, index: str = "", **more: Any) -> Any:
        """Return the aliases of the indices that match a pattern."""
        if more or not index:
            return self._client.whole.indices.get_alias(index=index or None, **more)
        return self._client.request("GET", f"/{quote(index, safe=',*')}/_alias")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client.whole.indices, name)
