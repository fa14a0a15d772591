"""SigV4 signatures for requests sent with urllib3."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from types import SimpleNamespace
from typing import Any


class Signer:
    """Sign requests with requests-aws4auth. `auth` is its AWS4Auth, `address` the server's scheme, host and port.

    Threads share it. A lock protects `auth`, which changes its state when it renews credentials.
    """

    def __init__(self, auth: Any, address: str):
        self._auth = auth
        self._address = address
        self._lock = Lock()

    def __call__(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Return the headers with the signature's headers added. Raises the errors of the credential provider."""
        from requests.structures import CaseInsensitiveDict

        signed: CaseInsensitiveDict[str] = CaseInsensitiveDict(headers)
        request = SimpleNamespace(method=method, url=self._address + path, body=body, headers=signed)
        with self._lock:
            self._auth(request)
        return signed
