"""Who may see the page and the metrics: nobody through another site, and beyond this machine who has a token."""

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
"""A request, as WSGI has it (PEP 3333)."""

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
"""What every answer says: no other site may frame it, load it or learn from it; no scripts run but ours."""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

COOKIE: Final = "streamdex_page"

_HOST: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:[0-9]+)?")

UNKNOWN_NAME: Final = "The page does not answer to this host name. Add the name to STREAMDEX_PAGE_HOSTS."

SHORTEST: Final = 16
"""Characters of a token: nobody guesses that many."""


class Guard:
    """Decides by a request's headers. Raises SettingsError for a token that could be guessed.

    `host` is where the pages are bound, `hosts` the further names that lead there.
    """

    def __init__(self, host: str, hosts: Iterable[str] = (), token: str = ""):
        if token and len(token) < SHORTEST:
            raise SettingsError(f"STREAMDEX_PAGE_TOKEN must have {SHORTEST} characters at least")
        self._names = LOOPBACK | {known.strip("[]").lower() for known in (host, *hosts)} - {""}
        self._token = token
        self._local = is_loopback(host)
        self.cookie = hmac.new(token.encode(), b"streamdex page", hashlib.sha256).hexdigest()
        """What a browser that has shown the token is given."""

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return bool(self._token) or not self._local

    def refusal(self, environ: Environ) -> str:
        """Why a request is refused, in words; "" if it may go on.

        A name that is not ours leads here by DNS rebinding. What another site makes a browser ask for says so in
        Sec-Fetch-Site and Origin ("Fetch Metadata Request Headers", W3C): it may have links to pages, and no more.
        """
        if self.asks and not self._token:
            return "beyond its own machine the page asks for a token: set STREAMDEX_PAGE_TOKEN"
        if self._bears(environ):
            return ""
        host = environ.get("HTTP_HOST", "")
        if name_of(host) not in self._names:
            return UNKNOWN_NAME
        origin = environ.get("HTTP_ORIGIN", "")
        if origin and origin.partition("://")[2].lower() != host.lower():
            return "the page answers no other site"
        if environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("none", "same-origin") and not is_link(environ):
            return "the page answers no other site"
        return ""

    def refusal_of_health(self, environ: Environ) -> str:
        """Return why a health check is refused; "" if it is answered.

        Load balancers and orchestrators send the address as the Host header, or none. An address cannot be used
        for DNS rebinding, so only names have to be known.
        """
        host = environ.get("HTTP_HOST", "")
        if not host or self._bears(environ) or is_address(name_of(host)) or name_of(host) in self._names:
            return ""
        return UNKNOWN_NAME

    def knows(self, environ: Environ) -> bool:
        """Whether the request shows the token, or needs none."""
        if not self.asks or self._bears(environ):
            return True
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        except CookieError:
            return False
        return bool(self._token) and cookie is not None and same(cookie.value, self.cookie)

    def is_token(self, text: str) -> bool:
        return bool(self._token) and same(text, self._token)

    def _bears(self, environ: Environ) -> bool:
        """No other site can make a browser send this header, so nothing else needs to be looked at."""
        kind, _, text = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(text.strip())


def is_link(environ: Environ) -> bool:
    """Whether somebody follows a link, or types an address: nothing is embedded, and nothing sent along."""
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
    )


def name_of(host: str) -> str:
    """The name in a Host header; "" where there is none. A tunnel may well lead here from another port."""
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
    """Whether only this machine reaches what is bound there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def same(one: str, other: str) -> bool:
    """Compares in a time that tells nothing."""
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())
