"""Conversion of failed requests to the errors of opensearch-py."""

from __future__ import annotations

from typing import Any

import orjson
from opensearchpy.exceptions import HTTP_EXCEPTIONS, ConnectionTimeout, SSLError, TransportError
from opensearchpy.exceptions import ConnectionError as Unreached
from urllib3.exceptions import ReadTimeoutError
from urllib3.exceptions import SSLError as NotSecure


def unreached(error: Exception) -> Exception:
    """Return the error of a request that got no response."""
    if isinstance(error, NotSecure):
        return SSLError("N/A", str(error), error)
    if isinstance(error, ReadTimeoutError):
        return ConnectionTimeout("TIMEOUT", str(error), error)
    return Unreached("N/A", str(error), error)


def refused(status: int, text: str, kind: str) -> Exception:
    """Return the error of a response with an error status. `kind` is the content type of its `text`."""
    error: Any = text
    info: Any = None
    if text and kind.partition(";")[0].strip() == "application/json":
        try:
            info = orjson.loads(text)
        except orjson.JSONDecodeError:
            info = None
        error = info.get("error", text) if isinstance(info, dict) else text
        error = error["type"] if isinstance(error, dict) and "type" in error else error
    return HTTP_EXCEPTIONS.get(status, TransportError)(status, error, info)
