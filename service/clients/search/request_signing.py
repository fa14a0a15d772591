"""What signs the requests that go over urllib3."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from types import SimpleNamespace
from typing import Any


class Signer:
    """Signs with requests-aws4auth. `auth` is its AWS4Auth, `address` the server's scheme, host and port.

    Threads share it; where credentials are renewed, `auth` changes what it signs with.
    """

    def __init__(self, auth: Any, address: str):
        self._auth = auth
        self._address = address
        self._lock = Lock()

    def __call__(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """The headers with those of the signature. Raises what the credentials' source raises."""
        from requests.structures import CaseInsensitiveDict

        signed: CaseInsensitiveDict[str] = CaseInsensitiveDict(headers)
        request = SimpleNamespace(method=method, url=self._address + path, body=body, headers=signed)
        with self._lock:
            self._auth(request)
        return signed
