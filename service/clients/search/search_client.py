"""The two requests that every batch needs, over urllib3 at once; and everything else through opensearch-py.

Importing opensearch-py takes longer than all else that a Lambda does until its first record is indexed
(docs/decisions/0014). What goes wrong is raised as opensearch-py raises it.
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
"""Of gzip: its default takes four times the time for a fifth less to send."""

ADDRESSES: Final = 3
"""Addresses of a server that may be tried within the time of one request: a domain has one in each zone."""

Sign: TypeAlias = Callable[[str, str, bytes | None, Mapping[str, str]], Mapping[str, str]]
"""Of a request's method, path, body and headers, the headers to send."""


class SearchClient:
    """As opensearch-py's client. `pool` is urllib3's for the server, `path` what stands before each path there,
    and `make` makes opensearch-py's client once it is wanted. A request takes `timeout` seconds at the most, from
    its first byte to the last of its answer, and ends at the current deadline. With `compress` bodies are gzipped;
    `sign` gives the headers of a signed request."""

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
        """The answer to a bulk request; one with more to say than its bytes is opensearch-py's."""
        if more or not isinstance(body, bytes):
            return self.whole.bulk(body=body, **more)
        return self.request("POST", "/_bulk", body)

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Return the answer to a request. Raises UnexpectedAnswer, and what opensearch-py raises; nothing is tried
        again."""
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
        """Return the status, the text and the content type of an answer. Raises what urllib3 raises."""
        from urllib3 import Timeout

        with until(after(request_time(self._timeout))):
            left = time_left()
            if left <= 0:
                raise TimeoutError("no time was left to send the request")
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
        """opensearch-py's client, made once for all threads."""
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
    """Of opensearch-py's client of indices, the look at aliases; the rest is that one's."""

    def __init__(self, client: SearchClient):
        self._client = client

    def get_alias(self, index: str = "", **more: Any) -> Any:
        """The aliases of indices by a pattern of their names."""
        if more or not index:
            return self._client.whole.indices.get_alias(index=index or None, **more)
        return self._client.request("GET", f"/{quote(index, safe=',*')}/_alias")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client.whole.indices, name)
