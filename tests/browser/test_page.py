"""The service's own page in a real browser."""

from __future__ import annotations

import re
from threading import Thread
from typing import Any

import pytest
from deployments import PICTURE, Deployment, eventually
from playwright.sync_api import Page, expect
from served import serving

HOSTILE = "<img src=x onerror=window.pwned=1>"
SCRIPT = "</pre><script>window.pwned=1</script>"
PHONE = {"viewport": {"width": 360, "height": 740}}

PAGES = ("/", "/records", "/shards", "/letters", "/search?q=", "/nowhere")

CONTRASTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((element) => {
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return [ratio, element.tagName, element.className, element.textContent.trim().slice(0, 40)];
  });
}
"""
"""A script that returns the contrast of each text with its background, as defined by WCAG."""


def put(deployment: Deployment, *names: str, **attributes: Any) -> None:
    for name in names:
        deployment.items.put_item(Item={"id": name, "title": f"title of {name}", **attributes})


def links(page: Page) -> list[str]:
    """Return the linked pages, one of each kind."""
    found = page.eval_on_selector_all("a[href^='/']", "all => all.map((one) => one.getAttribute('href'))")
    return list({re.sub(r"[0-9a-f-]{8,}", "x", link): link for link in found}.values())


def walked(page: Page, url: str) -> list[str]:
    """Open all pages one after the other, one of each kind, and return their paths."""
    kinds: dict[str, str] = {}
    rest = list(PAGES)
    while rest:
        path = rest.pop()
        kind = re.sub(r"[0-9a-f-]{8,}", "x", path)
        if kind not in kinds:
            kinds[kind] = path
            page.goto(url + path)
            rest += links(page)
    return list(kinds.values())


def with_letters(deployment: Deployment) -> None:
    """Create a dead letter and items whose names and values are hostile HTML."""
    deployment.upload(f"{HOSTILE}.txt", b"no image")
    put(deployment, HOSTILE, "plain", title=SCRIPT, long="very long " * 2000)
    eventually(lambda: len(deployment.rejected()), 1)
    eventually(lambda: sorted(deployment.documents()), sorted([HOSTILE, "plain"]))


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def tab_to(page: Page, text: str) -> None:
    """Press Tab until an element whose text begins with `text` has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page).startswith(text):
            return
    raise AssertionError(f"Tab reaches no element that begins with {text!r}")


def test_the_page_follows_a_running_load_without_a_reload(deploy, open_page):
    deployment, url = deploy()
    page = open_page(url)
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#total")).to_have_text("0")
    writing = Thread(target=put, args=(deployment, *(f"item-{number:02}" for number in range(40))))
    writing.start()
    expect(page.locator("#flow .active .rate").first).to_have_text(re.compile(r"\d/s"))
    expect(page.locator("#total")).to_have_text("40")
    expect(page.locator("#flow")).to_contain_text("40 applied")
    expect(page.locator("#latest tbody tr").first).to_contain_text("item-39")
    writing.join()
    assert page.evaluate("window.sameDocument") is True


@pytest.mark.long
def test_a_row_keeps_the_focus_while_new_rows_arrive(deploy, open_page):
    deployment, url = deploy()
    put(deployment, "first")
    page = open_page(url + "/records")
    row = page.locator("td.key a", has_text="first")
    row.focus()
    put(deployment, *(f"later-{number}" for number in range(5)))
    expect(page.locator("td.key a")).to_have_count(6)
    assert focused(page) == "first"


@pytest.mark.long
def test_the_page_does_not_refresh_while_it_is_paused_or_hidden(deploy, open_page):
    deployment, url = deploy()
    page = open_page("about:blank")
    requested: list[str] = []
    page.clock.install()
    page.goto(url)
    page.on("request", lambda request: requested.append(request.url) if request.resource_type == "fetch" else None)
    page.get_by_role("button", name="Live").press("Enter")
    expect(page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "false")
    page.clock.run_for(20_000)
    assert requested == []
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    page.get_by_role("button", name="Paused").press("Enter")
    page.clock.run_for(20_000)
    assert requested == []
    put(deployment, "a")
    eventually(lambda: sorted(deployment.documents()), ["a"])
    expect(page.locator("#total")).to_have_text("0")
    page.evaluate("delete document.hidden")
    page.clock.run_for(3_000)
    expect(page.locator("#total")).to_have_text("1")


@pytest.mark.long
def test_the_page_reports_that_the_service_is_not_reachable(browser, embedded_servers, tmp_path):
    made = Deployment(*embedded_servers, tmp_path / "gone")
    with serving(made.app) as url:
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        expect(page.get_by_role("button", name="Live")).to_be_visible()
    expect(page.get_by_role("button", name="Not reachable")).to_be_visible()
    context.close()
    made.app.close()


@pytest.mark.long
def test_without_scripts_a_reload_shows_the_current_state(deploy, open_page):
    deployment, url = deploy()
    page = open_page(url, java_script_enabled=False)
    assert "<noscript>" in page.content()
    expect(page.get_by_role("button", name="Live")).to_be_hidden()
    put(deployment, "a")
    eventually(lambda: sorted(deployment.documents()), ["a"])
    page.reload()
    expect(page.locator("#total")).to_have_text("1")


def test_a_new_user_finds_a_reason_and_its_record_in_a_few_clicks(deploy, open_page):
    deployment, url = deploy()
    with_letters(deployment)
    page = open_page(url)
    page.get_by_role("link", name="Dead letters", exact=True).click()
    page.get_by_role("link", name="not an image").click()
    expect(page.locator(".reason-box")).to_contain_text("not an image")
    expect(page.get_by_label("Received record, JSON")).to_contain_text('"eventName": "ObjectCreated:Put"')


@pytest.mark.long
def test_the_keyboard_alone_finds_a_reason_and_its_record(deploy, open_page):
    deployment, url = deploy()
    with_letters(deployment)
    page = open_page(url)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    tab_to(page, "Dead letters")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Dead letters", level=1)).to_be_visible()
    tab_to(page, "")
    tab_to(page, "images:ImageUploads ObjectCreated")
    page.keyboard.press("Enter")
    expect(page.locator(".reason-box")).to_contain_text("not an image")
    expect(page.get_by_label("Received record, JSON")).to_contain_text('"eventName"')


def test_hostile_values_are_text_on_every_page(deploy, open_page):
    """`open_page` fails for a dialog, an error, a script that the policy blocks, and a request to another host."""
    deployment, url = deploy(page_redrive=True)
    with_letters(deployment)
    page = open_page(url)
    paths = walked(page, url)
    assert len(paths) >= 10
    for path in paths:
        page.goto(url + path)
        assert page.evaluate("window.pwned") is None, path
        assert page.locator("main img, main script, main iframe").count() == 0, path
    page.goto(url + "/records")
    expect(page.locator("td.key a").first).to_be_visible()
    assert HOSTILE in page.locator("tbody").inner_text()
    page.locator("td.key a", has_text=HOSTILE).first.click()
    assert "window.pwned" in page.locator("main").inner_text()


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_the_light_and_in_the_dark(deploy, open_page, scheme):
    deployment, url = deploy(page_redrive=True)
    with_letters(deployment)
    page = open_page(url, color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) > 380) is (scheme == "light")
    for path in walked(page, url):
        page.goto(url + path)
        faint = [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5]
        assert faint == [], path


@pytest.mark.long
def test_on_a_phone_nothing_is_wider_than_the_screen(deploy, open_page):
    deployment, url = deploy(page_redrive=True)
    with_letters(deployment)
    page = open_page(url, **PHONE)
    for path in walked(page, url):
        page.goto(url + path)
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1] == 360, path


@pytest.mark.long
def test_every_page_has_landmarks_one_heading_and_names_for_its_fields(deploy, open_page):
    deployment, url = deploy(page_redrive=True)
    with_letters(deployment)
    page = open_page(url)
    for path in walked(page, url):
        page.goto(url + path)
        assert page.get_by_role("main").count() == 1
        assert page.get_by_role("navigation", name="Pages").count() == 1
        assert page.get_by_role("heading", level=1).count() == 1
        for field in page.locator("input:not([type=hidden]), select, button, a").all():
            assert field.evaluate("e => (e.labels?.[0] ?? e).textContent.trim() || e.ariaLabel"), path
        for table in page.locator("table").all():
            assert table.locator("caption").count() == 1
            assert table.locator("thead th:not([scope=col])").count() == 0


@pytest.mark.long
def test_a_dead_letter_is_redriven_after_a_confirmation_if_the_setting_allows_it(deploy, open_page):
    deployment, url = deploy(page_redrive=True)
    deployment.upload("broken.jpg", b"no image")
    eventually(lambda: len(deployment.rejected()), 1)
    page = open_page(url + "/letters")
    page.get_by_role("link", name="not an image").click()
    page.get_by_role("link", name="Redrive…").click()
    page.get_by_role("button", name="Redrive").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Redrive failed")
    deployment.upload("broken.jpg", PICTURE.read_bytes())
    page.get_by_role("link", name="Show the dead letter with its current reason").click()
    page.get_by_role("link", name="Redrive…").click()
    page.get_by_role("link", name="Cancel").click()
    assert len(deployment.rejected()) == 1
    page.get_by_role("link", name="Redrive…").click()
    page.get_by_role("button", name="Redrive").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Redrive succeeded")
    assert deployment.rejected() == []
    page.get_by_role("link", name="All dead letters").click()
    expect(page.locator("main")).to_contain_text("No dead letters.")


def test_without_the_setting_the_page_cannot_redrive(deploy, open_page):
    deployment, url = deploy()
    deployment.upload("broken.jpg", b"no image")
    eventually(lambda: len(deployment.rejected()), 1)
    page = open_page(url + "/letters")
    page.get_by_role("link", name="not an image").click()
    expect(page.get_by_text("python -m service dead-letters redrive --letter=")).to_be_visible()
    assert page.get_by_role("link", name="Redrive").count() == 0
    assert page.get_by_role("button").count() == 0


def test_the_search_box_finds_documents_in_the_indices(deploy, open_page):
    deployment, url = deploy()
    put(deployment, "one", "other", title="Dusk over Lisbon")
    put(deployment, "else", title="Noon")
    eventually(lambda: len(deployment.documents()), 3)
    page = open_page(url)
    page.get_by_role("link", name="Search").click()
    expect(page.get_by_label("Query")).to_be_focused()
    page.keyboard.type("lisbon dusk")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("2 documents")
    expect(page.locator(".hits h2")).to_have_text([re.compile("^one|other$")] * 2)
    page.get_by_label("Query").fill("nothing like this")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("main")).to_contain_text("No documents found.")


@pytest.mark.long
def test_a_record_is_shown_next_to_the_stored_document(deploy, open_page):
    deployment, url = deploy()
    put(deployment, "a")
    eventually(lambda: sorted(deployment.documents()), ["a"])
    page = open_page(url + "/records")
    page.locator("td.key a").first.click()
    expect(page.locator(".verdict")).to_contain_text("The stored document is identical.")
    deployment.items.put_item(Item={"id": "a", "title": "another"})
    eventually(lambda: deployment.documents()["a"]["title"], "another")
    page.reload()
    expect(page.locator(".verdict")).to_contain_text("The index has a newer version")
    expect(page.get_by_role("row").filter(has_text="title of a")).to_contain_text("another")


def test_a_token_is_asked_for_once(deploy, open_page):
    token = "correct horse battery staple"
    _, url = deploy(page_token=token)
    page = open_page("about:blank")
    page.goto(url + "/search")
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Wrong token.")
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
