"""The web page of the service: flows, records, dead letters and documents. Read-only by default.

Flask renders it on the server. A small script refreshes it every two seconds; the page also works without it.
"""

from __future__ import annotations

import time
from wsgiref.types import WSGIApplication

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from ...errors import StreamdexError
from ...pipeline import Outcome
from ...program import PROGRAM
from ..auth import HEADERS
from . import dead_letter_pages, formatting, overview, record_pages, search_page, shard_page, sign_in
from .page_state import State

__all__ = ["State", "make_page"]

FORM_BYTES = 16 * 1024


def make_page(state: State) -> WSGIApplication:
    """Return the page as a WSGI application.

    The caller has already checked the request with `Auth.refusal`. The page itself only checks the token.
    """
    page = Flask(__name__)
    page.debug = False  # FLASK_DEBUG must not turn it on
    page.config["MAX_CONTENT_LENGTH"] = FORM_BYTES
    page.config["SEND_FILE_MAX_AGE_DEFAULT"] = 60
    page.jinja_env.finalize = formatting.visible
    page.jinja_env.trim_blocks = page.jinja_env.lstrip_blocks = True
    filters = (
        formatting.ago,
        formatting.clock,
        formatting.duration,
        formatting.number,
        formatting.pretty,
        formatting.rate,
    )
    for name in (
        *filters,
        formatting.short,
        formatting.shortened,
        formatting.stamp,
        formatting.label_of,
        formatting.describe_version,
    ):
        page.add_template_filter(name)
    for topic in (sign_in, overview, record_pages, shard_page, dead_letter_pages, search_page):
        page.register_blueprint(topic.views(state))
    page.register_error_handler(HTTPException, _error_page)
    page.register_error_handler(StreamdexError, _unavailable)
    page.after_request(_add_headers)

    @page.context_processor
    def context() -> dict[str, object]:
        return {
            "state": state,
            "now": time.time(),
            "Outcome": Outcome,
            "signs": formatting.SIGNS,
            "meanings": formatting.MEANINGS,
            "program": PROGRAM,
            "signed_in": state.auth.needs_token and state.auth.is_authenticated(request.environ),
        }

    return page


def _add_headers(answer: Response) -> Response:
    """Add the security headers. Browsers may cache static files."""
    for name, value in HEADERS.items():
        if name != "Cache-Control" or request.endpoint != "static":
            answer.headers[name] = value
    return answer


def _error_page(error: HTTPException) -> tuple[str, int]:
    return render_template("message.html", title=error.name, text=error.description or ""), error.code or 500


def _unavailable(error: StreamdexError) -> tuple[str, int]:
    """Answer with status 503 if a server that the page needs fails or refuses access."""
    return render_template("message.html", title="Service unavailable", text=str(error)), 503
