"""Sign-in with the token, and protection of forms against other sites (CSRF)."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from ..auth import COOKIE, same
from .page_state import State

OPEN = frozenset({"access.login", "access.sign_in", "static"})
"""Endpoints that need no sign-in."""


def views(state: State) -> Blueprint:
    """Return the sign-in views, and require the token for all other pages."""
    pages = Blueprint("access", __name__)

    @pages.before_app_request
    def check() -> tuple[str, int] | None:
        if request.endpoint in OPEN or state.guard.knows(request.environ):
            return None
        # Do not redirect: a link on another site sends no cookie (SameSite=Strict). The sign-in page repeats the
        # link, and the browser sends the cookie from there.
        there = inside(request.full_path) if request.method == "GET" else url_for("line.overview")
        return render_template("login.html", next=there, wrong=False), 401

    @pages.get("/login")
    def login() -> str:
        return render_template("login.html", next=url_for("line.overview"), wrong=False)

    @pages.post("/login")
    def sign_in() -> Answer | tuple[str, int]:
        there = request.form.get("next", "")
        if not state.guard.is_token(request.form.get("token", "")):
            return render_template("login.html", next=inside(there), wrong=True), 401
        answer = redirect(inside(there), 303)
        secure = request.headers.get("Origin", "").startswith("https:")
        answer.set_cookie(COOKIE, state.guard.cookie, httponly=True, samesite="Strict", secure=secure)
        return answer

    @pages.post("/logout")
    def sign_out() -> Answer:
        check_form(state)
        answer = redirect(url_for("line.overview"), 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return answer

    return pages


def check_form(state: State) -> None:
    """Abort with status 403 unless this page made the form."""
    if not same(request.form.get("form_token", ""), state.form_token):
        abort(403, "The form has expired: go back, reload the page and send it again.")


def inside(there: str) -> str:
    """Return the path if it is on this site, otherwise the path of the overview."""
    parts = urlsplit(there)
    own = not parts.scheme and not parts.netloc and there.startswith("/") and "\\" not in there
    return there if own and there.isprintable() else url_for("line.overview")
