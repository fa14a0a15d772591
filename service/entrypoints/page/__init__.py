"""The service's own page: what flows, what came, what failed, and what the indices hold. Read-only by default.

Rendered on the server with Flask; a small script renews it every two seconds, and it works without.
"""

from __future__ import annotations

import time
from wsgiref.types import WSGIApplication

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from ...dispatch import Outcome
from ...errors import StreamdexError
from ...program import PROGRAM
from ..guard import HEADERS
from . import access, letters, line, records, search, shards, words
from .state import State

__all__ = ["State", "make_page"]

FORM_BYTES = 16 * 1024


def make_page(state: State) -> WSGIApplication:
    """The page as a WSGI application. Who may see it was decided before, but for the token."""
    page = Flask(__name__)
    page.debug = False  # whatever FLASK_DEBUG says
    page.config["MAX_CONTENT_LENGTH"] = FORM_BYTES
    page.config["SEND_FILE_MAX_AGE_DEFAULT"] = 60
    page.jinja_env.finalize = words.visible
    page.jinja_env.trim_blocks = page.jinja_env.lstrip_blocks = True
    filters = (words.ago, words.clock, words.duration, words.number, words.pretty, words.rate)
    for name in (*filters, words.short, words.shortened, words.stamp, words.label_of, words.version_in_words):
        page.add_template_filter(name)
    for topic in (access, line, records, shards, letters, search):
        page.register_blueprint(topic.views(state))
    page.register_error_handler(HTTPException, _told)
    page.register_error_handler(StreamdexError, _not_there)
    page.after_request(_guarded)

    @page.context_processor
    def known() -> dict[str, object]:
        return {
            "state": state,
            "now": time.time(),
            "Outcome": Outcome,
            "signs": words.SIGNS,
            "meanings": words.MEANINGS,
            "program": PROGRAM,
            "signed_in": state.guard.asks and state.guard.knows(request.environ),
        }

    return page


def _guarded(answer: Response) -> Response:
    """Files may be kept for a while."""
    for name, value in HEADERS.items():
        if name != "Cache-Control" or request.endpoint != "static":
            answer.headers[name] = value
    return answer


def _told(error: HTTPException) -> tuple[str, int]:
    return render_template("message.html", title=error.name, words=error.description or ""), error.code or 500


def _not_there(error: StreamdexError) -> tuple[str, int]:
    """What is needed for a page does not answer, or may not be asked."""
    return render_template("message.html", title="Not to be had", words=str(error)), 503
