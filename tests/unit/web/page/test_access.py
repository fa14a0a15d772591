"""The token of the page: required on an address that other machines reach, once for each browser."""

from __future__ import annotations

import re

import pytest
from page_bench import Page, words

TOKEN = "correct horse battery staple"


@pytest.fixture
def page(make) -> Page:
    return make(page_host="0.0.0.0", page_hosts=("streamdex.example",), page_token=TOKEN)


def sign_in(page: Page, token: str = TOKEN, there: str = "/", **headers: str):
    return page.post("/login", {"token": token, "next": there}, **headers)


@pytest.mark.parametrize("path", ["/", "/records", "/shards", "/letters", "/search?q=x", "/nowhere", "/login/"])
def test_nothing_is_shown_without_the_token(page, path):
    html = page.get(path, 401)
    assert 'name="token"' in html
    assert "<nav" not in html
    assert page.index.searches == []


def test_its_style_is_there_for_everybody(page):
    for name in ("page.css", "page.js", "icon.svg"):
        answer = page.client.get(f"/static/{name}", headers={"Host": "localhost"}, buffered=True)
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" not in answer.headers["Cache-Control"]
    assert page.client.get("/static/../page/access.py", headers={"Host": "localhost"}).status_code != 200


def test_the_token_opens_all_pages_until_the_user_signs_out(page):
    answer = sign_in(page, there="/records?outcome=rejected")
    assert (answer.status_code, answer.location) == (303, "/records?outcome=rejected")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert "Record flow" in page.get("/")
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.get("/")))
    assert page.post("/logout", {}).status_code == 403
    assert page.post("/logout", form).status_code == 303
    page.get("/", 401)


def test_the_cookie_is_for_tls_alone_where_the_page_is_behind_it(page):
    host = {"Host": "streamdex.example"}
    over_tls = sign_in(page, **host, Origin="https://streamdex.example")
    assert "Secure" in over_tls.headers["Set-Cookie"]
    assert "Secure" not in sign_in(page).headers["Set-Cookie"]


@pytest.mark.parametrize("token", ["", "x", TOKEN + " ", TOKEN.upper(), "\xe9\u4e2d"])
def test_another_token_opens_nothing(page, token):
    answer = sign_in(page, token)
    assert answer.status_code == 401
    assert "Wrong token." in words(answer.text)
    assert "Set-Cookie" not in answer.headers
    page.get("/", 401)


@pytest.mark.parametrize(
    "there",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "evil", "/a\r\nX: y"],
)
def test_signing_in_leads_to_no_other_site(page, there):
    assert sign_in(page, there=there).location == "/"
    wrong = sign_in(page, "wrong", there)
    assert 'href="/"' in wrong.text


def test_a_link_to_another_site_in_the_address_itself_is_no_link(page):
    answer = page.client.get("//evil.example/", headers={"Host": "localhost"})
    assert "evil.example" not in answer.text


def test_a_bearer_token_does_without_signing_in(page):
    assert "Record flow" in page.get("/", Authorization=f"Bearer {TOKEN}")


def test_on_its_own_machine_it_asks_only_if_a_token_is_set(make):
    assert "Record flow" in make().get("/")
    make(page_token=TOKEN).get("/", 401)


def test_beyond_its_machine_there_is_nothing_without_a_token(make):
    page = make(page_host="0.0.0.0")
    assert "STREAMDEX_PAGE_TOKEN" in page.get("/", 403)
    assert page.post("/login", {"token": "", "next": "/"}).status_code == 403


def test_another_hosts_name_is_refused(make):
    assert make().get("/", 403, Host="evil.example") != ""


@pytest.mark.parametrize("path", ["/", "/records", "/shards", "/letters", "/search"])
def test_pages_are_read_and_not_written(make, path):
    page = make()
    for method in ("post", "put", "delete", "patch"):
        headers = {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080"}
        assert getattr(page.client, method)(path, headers=headers).status_code == 405
