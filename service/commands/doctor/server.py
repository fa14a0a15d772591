"""Send requests to the search server with the service's client, and turn errors into findings."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from ...context import Context
from ...errors import SettingsError
from ...program import PROGRAM
from ...settings.options import hide_password
from .clock import Clock
from .findings import NOTE, Finding, Trouble
from .tls import UNTRUSTED, is_plain, speaks_tls

LOGIN: Final = "set SEARCH_AUTH, SEARCH_USER and SEARCH_PASSWORD, or give the service's role access to it"


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
            problem = f"GET {path.partition('?')[0]} is answered with {status}"
            raise Trouble(Finding("endpoints", self.name, problem, "look at its log, and run doctor again"))
        return body

    def over(self, finding: Finding) -> Trouble:
        """Return the Trouble for a finding; later requests fail with it, too."""
        self._silent = finding
        return Trouble(finding)

    def refused(self, status: int) -> Finding:
        return Finding("credentials", self.name, f"it refuses the service's credentials ({status})", LOGIN)

    def hidden(self, status: int) -> Finding:
        problem = f"not looked at: it does not show its indices and settings ({status})"
        return Finding("permissions", self.name, problem, "run doctor as somebody who may look at them", NOTE)

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
            return Finding(topic, self.name, str(error), f"see `{PROGRAM} settings`")
        words = str(error.error if isinstance(error, TransportError) else error)
        if isinstance(error, SSLError):
            return self._insecure(words)
        if self._address.startswith("http://") and speaks_tls(self._address):
            return self._only_tls()
        return Finding(
            "endpoints",
            self.name,
            f"it does not answer: {words}",
            "start it, let this machine through to it, or correct SEARCH_URL",
        )

    def _insecure(self, words: str) -> Finding:
        if is_plain(words):
            problem, remedy = "it speaks plain HTTP, and SEARCH_URL says https://", "write http:// in SEARCH_URL"
            return Finding("endpoints", self.name, problem, f"{remedy}, or set up TLS on the server")
        if UNTRUSTED in words.lower():
            remedy = "name the authority that signed it (SEARCH_CA_CERTS)"
            return Finding("endpoints", self.name, f"its certificate is not trusted: {words}", remedy)
        remedy = "correct SEARCH_URL, or the TLS settings of the server"
        return Finding("endpoints", self.name, f"TLS cannot be set up: {words}", remedy)

    def _only_tls(self) -> Finding:
        problem = "it speaks TLS, and SEARCH_URL says http://"
        return Finding("endpoints", self.name, problem, "write https:// in SEARCH_URL")
