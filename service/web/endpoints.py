"""The HTTP endpoints of the container: `/healthz`, `/readyz`, `/metrics`, and the page if Flask is installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

from ..bootstrap.application import App
from ..telemetry.flow import Flow
from ..telemetry.metrics import Metrics
from ..telemetry.prometheus import exposition
from ..telemetry.recent import Recent
from .auth import HEADERS, Auth, Environ
from .health import Health

METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"

INSTALL: Final = (
    "The page needs Flask: pip install 'streamdex[operations]'. /healthz, /readyz and /metrics work without it.\n"
)


HEALTH: Final = ("/healthz", "/readyz")
"""The paths of the health checks. They need no token, because load balancers and orchestrators send none."""


class Pages:
    """The WSGI application. Health checks need no token; everything else passes the access control."""

    def __init__(self, health: Health, metrics: Metrics, auth: Auth, page: WSGIApplication | None = None):
        """`page` answers all paths except health checks and metrics; None if Flask is not installed."""
        self._checks = dict(zip(HEALTH, (health.alive, health.ready), strict=True))
        self._health = health
        self._metrics = metrics
        self._auth = auth
        self._page = page or self._without_page

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in self._checks:
            return self._report_health(environ, start, self._checks[path])
        refusal = self._auth.refusal(environ)
        if refusal:
            return _answer(environ, start, HTTPStatus.FORBIDDEN, f"{refusal}\n".encode(), TEXT)
        if path == "/metrics":
            return self._report_metrics(environ, start)
        return self._page(environ, start)

    def _report_health(self, environ: Environ, start: StartResponse, check: Callable[[], bool]) -> Iterable[bytes]:
        """Answer a health check. Errors can name users and roles, so only authorised callers get the reasons."""
        refusal = self._auth.health_refusal(environ)
        if refusal:
            return _answer(environ, start, HTTPStatus.FORBIDDEN, f"{refusal}\n".encode(), TEXT)
        ok = check()
        report: dict[str, Any] = {"ok": ok, "sources": self._health.states()}
        if not self._auth.refusal(environ) and self._auth.is_authenticated(environ):
            report["reasons"] = self._health.reasons()
        return _respond(environ, start, HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE, report)

    def _report_metrics(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        if not self._auth.is_authenticated(environ):
            text = b"/metrics needs the token. Send STREAMDEX_PAGE_TOKEN as a bearer token.\n"
            return _answer(environ, start, HTTPStatus.UNAUTHORIZED, text, TEXT, {"WWW-Authenticate": "Bearer"})
        return _answer(environ, start, HTTPStatus.OK, exposition(self._metrics, self._health.sources), METRICS)

    def _without_page(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in ("", "/"):
            return _answer(environ, start, HTTPStatus.OK, INSTALL.encode(), TEXT)
        return _respond(environ, start, HTTPStatus.NOT_FOUND, {"pages": [*self._checks, "/metrics"]})


def make_pages(app: App, health: Health) -> Pages:
    """Return the endpoints of a container. Raises SettingsError if the token is too short."""
    settings = app.settings
    auth = Auth(settings.page_host, settings.page_hosts, settings.page_token)
    try:
        from .page import State, make_page
    except ModuleNotFoundError as error:
        if error.name != "flask":
            raise
        return Pages(health, app.metrics, auth)
    state = State(app, health, auth, Flow(), Recent(settings.page_records))
    app.observer.add(state.flow, state.recent)
    return Pages(health, app.metrics, auth, make_page(state))


def _respond(
    environ: Environ, start: StartResponse, status: HTTPStatus, body: Mapping[str, Any]
) -> Iterable[bytes]:
    return _answer(environ, start, status, json.dumps(body).encode() + b"\n", "application/json")


def _answer(
    environ: Environ,
    start: StartResponse,
    status: HTTPStatus,
    text: bytes,
    kind: str,
    headers: Mapping[str, str] | None = None,
) -> Iterable[bytes]:
    sent = {**HEADERS, "Content-Type": kind, "Content-Length": str(len(text)), **(headers or {})}
    start(f"{status.value} {status.phrase}", list(sent.items()))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [text]
