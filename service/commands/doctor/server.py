"""Send requests to the search server with the service's client, and turn errors into findings."""

from __future__ import annotations

import json
import logging
import socket
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from ...context import Context
from ...errors import SettingsError
from ...program import PROGRAM
from ...settings.options import hide_password
from .clock import Clock
from .findings import NOTE, Finding, Trouble

LOGIN: Final = "set SEARCH_AUTH, SEARCH_USER and SEARCH_PASSWORD, or grant the service's role access to it"

TIMEOUT: Final = 5.0
"""Timeout of a handshake in seconds."""

PLAIN: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF", "EOF occurred", "HTTP_REQUEST")
"""Parts of OpenSSL's error texts, by version, for a server that does not speak TLS."""

UNTRUSTED: Final = "certificate"
"""Part of the text of every error about an untrusted certificate."""


class SearchServer:
    """The search server for the checks. After one request without an answer, no more are sent."""

    def __init__(self, context: Context, clock: Clock):
        self._context = context
        self._clock = clock
        self._silent: Finding | None = None
        self._address = context.settings.search_url
        self.name = f"search server {hide_password(context.settings.search_url)}".rstrip()

    def get(self, path: str, needed: bool = False) -> Any:
        """Return the decoded answer to GET; None for a 404. Raises Trouble for every other error.

        A missing permission is only a note, unless the service itself needs the request (`needed`).
        """
        status, body = self.request("GET", path)
        if status == 404:
            return None
        if status in (401, 403):
            raise Trouble(self.refused(status) if needed else self.hidden(status))
        if not 200 <= status < 300 or not isinstance(body, dict):
            raise Trouble(self.failed(path, status))
        return body

    def over(self, finding: Finding) -> Trouble:
        """Return the Trouble for a finding; later requests fail with it, too."""
        self._silent = finding
        return Trouble(finding)

    def endpoint(self, problem: str, remedy: str) -> Finding:
        """Return a finding about the address of the server, or about the server itself."""
        return Finding("endpoints", self.name, problem, remedy)

    def failed(self, path: str, status: int) -> Finding:
        problem = f"GET {path.partition('?')[0]} fails with status {status}"
        return self.endpoint(problem, "find the cause in its log, and run doctor again")

    def refused(self, status: int) -> Finding:
        return Finding("credentials", self.name, f"it rejects the service's credentials ({status})", LOGIN)

    def hidden(self, status: int) -> Finding:
        problem = f"not checked: it denies reading its indices and settings ({status})"
        return Finding("permissions", self.name, problem, "run doctor as a user that may read them", NOTE)

    def request(self, method: str, path: str) -> tuple[int, Any]:
        """Send a request; return the status and the decoded body, None if that is not JSON.

        Raises Trouble if the server does not answer now or has not answered before.
        """
        if self._silent is not None:
            raise Trouble(self._silent)
        try:
            status, headers, text = self._send(method, path)
        except Exception as error:
            self._silent = self._unreached(error)
            raise Trouble(self._silent) from error
        if status == 400 and self._address.startswith("http://") and speaks_tls(self._address):
            raise self.over(self._only_tls())  # some proxies answer plain HTTP with a 400
        self._clock.hear(self.name, {name.lower(): value for name, value in headers.items()}.get("date"))
        try:
            return status, json.loads(text)
        except ValueError:
            return status, None

    def _send(self, method: str, path: str) -> Any:
        """Send a request below the client's error handling, which drops the headers."""
        talk = logging.getLogger("opensearch")
        before = talk.disabled
        talk.disabled = True  # an error becomes a finding, so the client must not log it
        try:
            connection = self._context.search.transport.get_connection()
            return connection.perform_request(method, path, ignore=range(300, 600))
        finally:
            talk.disabled = before

    def _unreached(self, error: Exception) -> Finding:
        from opensearchpy.exceptions import SSLError, TransportError

        if isinstance(error, SettingsError):
            topic = "credentials" if "search_auth" in str(error) else "endpoints"
            return Finding(
                topic, self.name, str(error), f"correct the setting; `{PROGRAM} settings` lists all values"
            )
        words = str(error.error if isinstance(error, TransportError) else error)
        if isinstance(error, SSLError):
            return self._insecure(words)
        if self._address.startswith("http://") and speaks_tls(self._address):
            return self._only_tls()
        remedy = "start it, allow connections to it from this machine, or correct SEARCH_URL"
        return self.endpoint(f"it does not answer: {words}", remedy)

    def _insecure(self, words: str) -> Finding:
        if is_plain(words):
            problem = "it speaks plain HTTP, but SEARCH_URL begins with https://"
            return self.endpoint(problem, "use http:// in SEARCH_URL, or set up TLS on the server")
        if UNTRUSTED in words.lower():
            remedy = "set SEARCH_CA_CERTS to the certificate of the authority that signed it"
            return self.endpoint(f"its certificate is not trusted: {words}", remedy)
        remedy = "correct SEARCH_URL, or the TLS settings of the server"
        return self.endpoint(f"the TLS connection fails: {words}", remedy)

    def _only_tls(self) -> Finding:
        return self.endpoint("it speaks TLS, but SEARCH_URL begins with http://", "use https:// in SEARCH_URL")


def speaks_tls(url: str) -> bool:
    """True if a TLS handshake with the server succeeds, whatever its certificate is. No request is sent."""
    address = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        there = (address.hostname or "", address.port or 443)
        with socket.create_connection(there, TIMEOUT) as plain, context.wrap_socket(plain) as secure:
            return secure.version() is not None
    except (OSError, ValueError):
        return False


def is_plain(error: str) -> bool:
    """True if the text of an OpenSSL error means that the server does not speak TLS."""
    return UNTRUSTED not in error.lower() and any(word in error for word in PLAIN)
