"""Hostile item values, which the page shows as text, and secrets, which it never shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from builders import s3_record, stream_record
from fakes import records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lengths import examples
from page_bench import Page, Text

from service.model import Undecodable
from service.model.outcomes import Outcome
from service.pipeline import DeadLetter, Result

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</pre></code><svg/onload=alert(1)>",
    "</title><style>*{display:none}</style>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}${7*7}",
    "&lt;b&gt;&amp;#60;",
    "\u202egnp.exe \u2066\u200b\x00\x1b[31m\x7f\u2028",
    "\ud800 half a character",
    "x" * 100_000,
    "a\n\n\n\nb\r\nc",
    "../../etc/passwd?a=b&c=d#e",
]


def pages_with(page: Page, text: str) -> list[str]:
    """Return every page that shows an item, an object, a document or dead letters, all of which contain `text`."""
    raw = stream_record(new={"id": text[:500] or "k", "n": text, text[:500]: [text, {"deep": text}]})
    upload = s3_record((text[:500] or "k").encode("utf-8", "replace").decode())
    result = Result(Outcome.REJECTED, text)
    page.bench.index.forced = {}
    page.dispatch(raw, upload, {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": text}})
    letters = [DeadLetter(record, text[:300].replace("\ud800", ""), result) for record in records(raw, upload)]
    page.letters.store([*letters, DeadLetter(Undecodable({"a": text}, text, text, text), "fakes:Items", result)])
    fixed = ["/", "/records", "/letters", "/search?q=", "/shards"]
    found = {path: page.get(path) for path in fixed}
    linked = {link for html in found.values() for link in re.findall(r'href="(/(?:records|letters)/[^"]+)"', html)}
    return [*found.values(), *(page.get(link) for link in sorted(linked))]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_is_text_on_every_page(make, text):
    """`Page.get` fails for any unknown element, handler or link."""
    page = make(page_records=20)
    html = pages_with(page, text)
    assert len(html) > 9
    shown = "".join(Text(one).text for one in html)
    begin = text.partition("\u202e")[0].partition("\ud800")[0].partition("\n")[0][:40]
    assert begin in shown or begin.replace('"', '\\"') in shown


def test_characters_that_hide_or_turn_text_around_are_escapes(page):
    shown = "".join(pages_with(page, "\u202egnp.exe\u200b\x00\x1b"))
    assert "\\u202egnp.exe\\u200b\\u0000\\u001b" in shown
    assert not {"\u202e", "\u200b", "\x00", "\x1b"} & set(shown)


@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_is_text(tmp_path_factory, text):
    page = Page(tmp_path_factory.mktemp("letters"), page_records=10)
    pages_with(page, text)


def test_what_is_typed_into_forms_comes_back_as_text(page):
    typed = '"><script>alert(1)</script>'
    for path in ("/records", "/letters", "/search"):
        names = {"text": typed, "outcome": typed, "route": typed, "reason": typed, "q": typed}
        answer = page.client.get(path, query_string=names, headers={"Host": "localhost"})
        assert answer.status_code == 200
        assert Text(answer.text).scripts == ["/static/page.js"]


def test_a_refusal_does_not_repeat_what_was_asked(page):
    for path in ("/<script>alert(1)</script>", "/records/<script>", "/letters/<script>"):
        assert "<script>alert" not in page.get(path, 404)


def test_secrets_are_on_no_page(make):
    secrets: dict[str, Any] = {
        "page_token": "the-token-of-the-page",
        "search_user": "admin",
        "search_password": "the-password-of-search",
        "aws_access_key_id": "THE-ACCESS-KEY",
        "aws_secret_access_key": "the-secret-of-aws",
        "aws_session_token": "the-session-of-aws",
        "search_url": "http://u:password-in-address@127.0.0.1:9200",
    }
    page = make(**secrets)
    page.client.set_cookie("streamdex_page", page.auth.cookie, domain="127.0.0.1")
    seen, rest = {}, ["/", "/nowhere"]
    page.dispatch(stream_record(new={"id": "a"}))
    while rest:
        path = rest.pop()
        if path not in seen and not path.startswith("/static"):
            answer = page.client.get(path, headers={"Host": "127.0.0.1:8080"})
            seen[path] = answer.text + str(answer.headers)
            rest += re.findall(r'<a [^>]*?href="(/[^"]*)"', answer.text)
    assert len(seen) > 6
    for value in (*secrets.values(), page.auth.cookie, "password-in-address"):
        if value not in ("admin", secrets["search_url"]):
            assert not [path for path, text in seen.items() if value in text]
