"""Access control of the page and the metrics.

Requests from other sites are refused. A page that other machines can reach requires a token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from ..errors import SettingsError

Environ: TypeAlias = dict[str, Any]
"""The WSGI environment of a request (PEP 3333)."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""The headers of every response: other sites cannot frame, load or read it, and only our own scripts run."""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

COOKIE: Final = "streamdex_page"

_HOST: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:[0-9]+)?")

UNKNOWN_NAME: Final = "This host name is not allowed. Add it to STREAMDEX_PAGE_HOSTS."

OTHER_SITE: Final = "The page refuses requests from other sites. A proxy must pass the Host header on unchanged."

MIN_TOKEN_LENGTH: Final = 16
"""Minimum characters of a token, so that it cannot be guessed."""


class Auth:
    """The access control of requests, by their headers.

    `host` is the address that the server binds, `hosts` are further names of it. Raises SettingsError if the token
    is shorter than MIN_TOKEN_LENGTH.
    """

    def __init__(self, host: str, hosts: Iterable[str] = (), token: str = ""):
        if token and len(token) < MIN_TOKEN_LENGTH:
            raise SettingsError(f"STREAMDEX_PAGE_TOKEN is too short. Use at least {MIN_TOKEN_LENGTH} characters.")
        self._names = LOOPBACK | {name.strip("[]").lower() for name in (host, *hosts)} - {""}
        self._token = token
        self._local = is_loopback(host)
        self.cookie = hmac.new(token.encode(), b"streamdex page", hashlib.sha256).hexdigest()
        """The value of the cookie that a browser receives after it has sent the token."""

    @property
    def needs_token(self) -> bool:
        """True if requests need a token."""
        return bool(self._token) or not self._local

    def refusal(self, environ: Environ) -> str:
        """Return the reason why a request is refused; "" if it is accepted.

        An unknown host name is a sign of DNS rebinding. A browser marks the requests that another site causes with
        Sec-Fetch-Site and Origin ("Fetch Metadata Request Headers", W3C). Only links to pages are accepted from
        other sites.
        """
        if self.needs_token and not self._token:
            return "Other machines can reach the page, so it needs a token. Set STREAMDEX_PAGE_TOKEN."
        if self._has_bearer_token(environ):
            return ""
        host = environ.get("HTTP_HOST", "")
        if host_name(host) not in self._names:
            return UNKNOWN_NAME
        origin = environ.get("HTTP_ORIGIN", "")
        if origin and origin.partition("://")[2].lower() != host.lower():
            return OTHER_SITE
        if environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("none", "same-origin") and not is_link(environ):
            return OTHER_SITE
        return ""

    def health_refusal(self, environ: Environ) -> str:
        """Return the reason why a health check is refused; "" if it is accepted.

        Load balancers and orchestrators send an IP address as the Host header, or no Host header. DNS rebinding
        needs a name, so addresses are accepted and names must be known.
        """
        host = environ.get("HTTP_HOST", "")
        if (
            not host
            or self._has_bearer_token(environ)
            or is_address(host_name(host))
            or host_name(host) in self._names
        ):
            return ""
        return UNKNOWN_NAME

    def is_authenticated(self, environ: Environ) -> bool:
        """True if the request carries the token or its cookie, or needs none."""
        if not self.needs_token or self._has_bearer_token(environ):
            return True
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        except CookieError:
            return False
        return bool(self._token) and cookie is not None and is_equal(cookie.value, self.cookie)

    def is_token(self, text: str) -> bool:
        return bool(self._token) and is_equal(text, self._token)

    def _has_bearer_token(self, environ: Environ) -> bool:
        """True if the request has the token as a bearer token.

        Other sites cannot make a browser send this header, so such a request needs no further checks.
        """
        kind, _, text = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(text.strip())


def is_link(environ: Environ) -> bool:
    """True if the request is a top-level navigation: a link or a typed address, no form or embedded page."""
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
    )


def host_name(host: str) -> str:
    """Return the name in a Host header; "" if it is invalid. The port is ignored: a tunnel may use another."""
    found = _HOST.fullmatch(host.lower())
    return found["name"].strip("[]") if found else ""


def is_address(name: str) -> bool:
    """True if the name is an IP address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """True if only this machine can reach a server that binds `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_equal(one: str, other: str) -> bool:
    """True if the texts are equal. Takes constant time, so that timing reveals nothing about the token."""
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())
