"""The pages of dead letters: a list with reasons, the full content, and a redrive if a setting allows it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builders import s3_record, stream_record
from fakes import Items, raising, records
from page_bench import Page, words

from service.errors import Halt
from service.model.outcomes import Outcome
from service.model.serializer import typed
from service.pipeline import DeadLetter, Result
from service.web.page import dead_letter_pages as views

WHY = Result(Outcome.REJECTED, "mapping conflict: field n", 400)
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


def keep(page: Page, *raws: Any, route: str = "fakes:Items", result: Result = WHY) -> list[str]:
    """Store a dead letter for each record, one minute apart, and return their ids."""
    folder = Path(page.settings.dead_letters)
    found = []
    for raw in raws:
        before = set(folder.glob("*.json"))
        time = START + timedelta(minutes=len(before))
        page.letters._clock = lambda time=time: time
        page.letters.store([DeadLetter(record, route, result) for record in records(raw)])
        found += [path.stem for path in set(folder.glob("*.json")) - before]
    return found


def reasons(html: str) -> list[str]:
    return re.findall(r'href="/letters/\w{32}"><bdi>([^<]*)', html)


def test_the_list_says_why_and_of_what_the_latest_first(page):
    keep(page, stream_record(new={"id": "a"}))
    keep(page, s3_record("b.jpg"), route="images:Uploads", result=Result(Outcome.REJECTED, "no image"))
    html = page.get("/letters")
    assert reasons(html) == ["no image", "mapping conflict: field n"]
    assert "2 dead letters Reason Key Event Route When no image images-in/b.jpg ObjectCreated" in words(html)


def test_it_is_filtered_by_route_and_reason(page):
    keep(page, stream_record(new={"id": "a"}))
    keep(page, s3_record("b.jpg"), route="images:Uploads", result=Result(Outcome.REJECTED, "no image"))
    assert "<option>images:Uploads" in page.get("/letters")
    assert reasons(page.get("/letters?route=fakes:Items")) == ["mapping conflict: field n"]
    assert reasons(page.get("/letters?reason=image")) == ["no image"]
    assert "No dead letter matches the filter." in page.get("/letters?route=fakes:Items&reason=image")


def test_it_comes_in_pages(page, monkeypatch):
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    keep(page, *(stream_record(new={"id": f"k{n}"}, sequence=str(n)) for n in range(1, 6)))
    assert re.findall(r"<bdi>(k\d)", page.get("/letters")) == ["k5", "k4"]
    assert re.findall(r"<bdi>(k\d)", page.get("/letters?page=3")) == ["k1"]
    assert "page 2 of 3" in words(page.get("/letters?page=2"))
    for odd in ("0", "-1", "x", "99999999"):
        page.get(f"/letters?page={odd}")


def test_a_list_is_bounded_and_the_page_says_that_there_are_more(page, monkeypatch):
    keep(page, *(stream_record(new={"id": f"k{n}"}, sequence=str(n)) for n in range(1, 4)))
    assert "more dead letters than this page reads" not in page.get("/letters")
    monkeypatch.setattr(views, "MAX_READ", 2)
    html = page.get("/letters")
    assert len(reasons(html)) == 2
    assert "The store has more dead letters than this page reads." in html
    monkeypatch.setattr(views, "MAX_SECONDS", -1.0)
    assert "more dead letters than this page reads" in page.get("/letters")


def test_a_letter_shows_its_reason_its_record_and_what_the_route_would_ask_for_now(page):
    (name,) = keep(page, stream_record(new={"id": "a", "n": 7}))
    shown = words(page.get(f"/letters/{name}"))
    assert "Reason mapping conflict: field n Route fakes:Items Response status 400" in shown
    assert '"n": { "N": "7" }' in shown
    assert 'Document from the route { "n": 7 }' in shown
    assert "The document is missing from the index." in shown


def test_what_is_no_letter_is_not_there(page):
    for name in ("0" * 32, "x", "..%2f..%2fetc%2fpasswd", "*", "0" * 31):
        page.get(f"/letters/{name}", 404)


def test_what_else_is_in_the_folder_is_left_alone(page):
    keep(page, stream_record(new={"id": "a"}))
    folder = Path(page.settings.dead_letters)
    (folder / "broken.json").write_text("{")
    (folder / ("1" * 32 + ".json")).write_text("{}")
    (folder / "else.json").write_text(json.dumps({"format": 1, "id": "2" * 32, "route": "", "record": 5}))
    assert len(reasons(page.get("/letters"))) == 1
    for name in ("1", "2"):
        page.get("/letters/" + name * 32, 404)


def test_nothing_is_delivered_again_unless_the_setting_says_so(page):
    (name,) = keep(page, stream_record(new={"id": "a"}))
    shown = page.get(f"/letters/{name}")
    assert "/redrive" not in shown
    assert f"python -m service dead-letters redrive --letter={name}" in shown
    assert "STREAMDEX_PAGE_REDRIVE" in page.get(f"/letters/{name}/redrive", 403)
    form = {"form_token": page.state.form_token}
    assert page.post(f"/letters/{name}/redrive", form).status_code == 403
    assert page.bench.index.sent == []


def test_a_letter_is_delivered_again_after_a_confirmation_and_removed(make):
    page = make(page_redrive=True)
    page.bench.truth.table["a"] = typed({"id": "a", "n": 7})
    (name,) = keep(page, stream_record(new={"id": "a", "n": 7}))
    assert f'href="/letters/{name}/redrive"' in page.get(f"/letters/{name}")
    form = page.form(f"/letters/{name}/redrive")
    assert page.bench.index.sent == []  # opening the page redrives nothing
    answer = page.post(f"/letters/{name}/redrive", form)
    assert "Outcome: applied. The dead letter is removed." in words(answer.text)
    assert page.bench.documents == {"a": {"n": 7}}
    assert reasons(page.get("/letters")) == []


def test_a_letter_that_fails_again_stays(make):
    page = make(page_redrive=True)
    (name,) = keep(page, stream_record(new={"id": "a", "n": 7}))
    page.bench.index.forced = {"a": [WHY]}
    answer = page.post(f"/letters/{name}/redrive", page.form(f"/letters/{name}/redrive"))
    assert "Outcome: rejected. The dead letter stays." in words(answer.text)
    assert len(reasons(page.get("/letters"))) == 1


def test_a_letter_of_a_route_that_is_gone_stays_and_says_so(make):
    page = make(page_redrive=True)
    (name,) = keep(page, stream_record(new={"id": "a"}), route="old:Route")
    answer = page.post(f"/letters/{name}/redrive", page.form(f"/letters/{name}/redrive"))
    assert "no route old:Route is registered. The dead letter stays." in words(answer.text)


@pytest.mark.parametrize("form", [{}, {"form_token": ""}, {"form_token": "x"}, {"form_token": "\xe9"}])
def test_a_form_that_this_page_did_not_make_delivers_nothing(make, form):
    page = make(page_redrive=True)
    (name,) = keep(page, stream_record(new={"id": "a"}))
    assert page.post(f"/letters/{name}/redrive", form).status_code == 403
    assert page.bench.index.sent == []


def test_another_site_delivers_nothing_even_with_the_right_form(make):
    page = make(page_redrive=True)
    (name,) = keep(page, stream_record(new={"id": "a"}))
    form = page.form(f"/letters/{name}/redrive")
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert page.post(f"/letters/{name}/redrive", form, **headers).status_code == 403
    assert page.bench.index.sent == []


def test_a_form_that_is_far_too_large_is_not_read(make):
    page = make(page_redrive=True)
    (name,) = keep(page, stream_record(new={"id": "a"}))
    assert page.post(f"/letters/{name}/redrive", {"form_token": "x" * 100_000}).status_code == 413


def test_a_store_that_cannot_be_read_is_reported(page):
    denied = ClientError(
        {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "ListObjectsV2"
    )
    for error, reported in ((denied, "AccessDenied"), (Halt("the queue q does not exist"), "the queue q")):
        page.state.app.letters = SimpleNamespace(read=raising(error))
        assert reported in words(page.get("/letters", 503))
        assert reported in words(page.get("/letters/" + "0" * 32, 503))


def test_a_halt_during_a_redrive_is_reported(make):
    page = make(page_redrive=True)
    (name,) = keep(page, stream_record(new={"id": "a"}))
    page.bench.index.write = raising(Halt("create the index"))
    answer = page.post(f"/letters/{name}/redrive", page.form(f"/letters/{name}/redrive"))
    assert answer.status_code == 503
    assert "create the index" in answer.text
    assert len(reasons(page.get("/letters"))) == 1


def test_opening_a_dead_letter_calls_its_route_once(make):
    class Counting(Items):
        asked = 0

        def document(self, item: Any) -> Any:
            type(self).asked += 1
            return {}

    page = make(Counting())
    (name,) = keep(page, stream_record(new={"id": "a"}), route="test_letters:" + Counting.__qualname__)
    page.get(f"/letters/{name}")
    assert Counting.asked == 1
