"""Sign-in with the token, and protection of forms against other sites (CSRF)."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from ..auth import COOKIE, is_equal
from .page_state import State

PUBLIC = frozenset({"access.login", "access.sign_in", "static"})
"""Endpoints that need no sign-in."""


def views(state: State) -> Blueprint:
    """Return the sign-in views, and require the token for all other pages."""
    pages = Blueprint("access", __name__)

    @pages.before_app_request
    def check() -> tuple[str, int] | None:
        if request.endpoint in PUBLIC or state.auth.is_authenticated(request.environ):
            return None
        # Do not redirect: a link on another site sends no cookie (SameSite=Strict). The sign-in page repeats the
        # link, and the browser sends the cookie from there.
        target = local_path(request.full_path) if request.method == "GET" else url_for("overview.overview")
        return render_template("login.html", next=target, wrong=False), 401

    @pages.get("/login")
    def login() -> str:
        return render_template("login.html", next=url_for("overview.overview"), wrong=False)

    @pages.post("/login")
    def sign_in() -> Answer | tuple[str, int]:
        target = request.form.get("next", "")
        if not state.auth.is_token(request.form.get("token", "")):
            return render_template("login.html", next=local_path(target), wrong=True), 401
        answer = redirect(local_path(target), 303)
        secure = request.headers.get("Origin", "").startswith("https:")
        answer.set_cookie(COOKIE, state.auth.cookie, httponly=True, samesite="Strict", secure=secure)
        return answer

    @pages.post("/logout")
    def sign_out() -> Answer:
        check_form(state)
        answer = redirect(url_for("overview.overview"), 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return answer

    return pages


def check_form(state: State) -> None:
    """Abort with status 403 unless this page made the form."""
    if not is_equal(request.form.get("form_token", ""), state.form_token):
        abort(403, "The form has expired. Go back, reload the page and submit the form again.")


def local_path(path: str) -> str:
    """Return the path if it is a path of this site, otherwise the path of the overview."""
    parts = urlsplit(path)
    is_local = not parts.scheme and not parts.netloc and path.startswith("/") and "\\" not in path
    return path if is_local and path.isprintable() else url_for("overview.overview")
