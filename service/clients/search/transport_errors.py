"""What goes wrong with a request, as opensearch-py says it."""

from __future__ import annotations

from typing import Any

import orjson
from opensearchpy.exceptions import HTTP_EXCEPTIONS, ConnectionTimeout, SSLError, TransportError
from opensearchpy.exceptions import ConnectionError as Unreached
from urllib3.exceptions import ReadTimeoutError
from urllib3.exceptions import SSLError as NotSecure


def unreached(error: Exception) -> Exception:
    """The error of a request that had no answer."""
    if isinstance(error, NotSecure):
        return SSLError("N/A", str(error), error)
    if isinstance(error, ReadTimeoutError):
        return ConnectionTimeout("TIMEOUT", str(error), error)
    return Unreached("N/A", str(error), error)


def refused(status: int, text: str, kind: str) -> Exception:
    """The error of a request that was refused; `kind` is the type of what the server said."""
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
