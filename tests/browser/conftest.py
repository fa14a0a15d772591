"""Fixtures for tests in a real browser: Chromium, the embedded servers, and the service with its page.

Without Chromium these tests are skipped with a message. With STREAMDEX_REQUIRE_BROWSER=1 they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from deployments import DEADLINE, Deployment
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright
from served import serving

from infra.shim.embedded_servers import embedded_aws, embedded_search
from infra.shim.probes import free_port

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_A_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=DEADLINE * 1000)


def skip(reason: str) -> Any:
    """Skip the test, or fail it if STREAMDEX_REQUIRE_BROWSER=1."""
    if os.environ.get("STREAMDEX_REQUIRE_BROWSER") == "1":
        pytest.fail(f"cannot run the browser tests: {reason}")
    pytest.skip(reason)


def chromium() -> str:
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), "")
    found = named or (ON_A_MAC if Path(ON_A_MAC).exists() else "")
    return found or skip(
        "Chromium is not installed. Install it (Debian: apt-get install chromium) or set CHROMIUM=/path/to/it."
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def embedded_servers() -> Iterator[tuple[str, str]]:
    try:
        import osmem_server  # noqa: F401
    except ModuleNotFoundError:
        skip("the embedded search server (osmem-server) is not available for this platform")
    with embedded_aws(free_port()) as aws, embedded_search(free_port()) as search:
        yield aws, search


@pytest.fixture
def deploy(embedded_servers, tmp_path) -> Iterator[Callable[..., tuple[Deployment, str]]]:
    """Deploy the sample application and return it with the address of its page."""
    with ExitStack() as stack:

        def deployed(**settings: Any) -> tuple[Deployment, str]:
            made = Deployment(*embedded_servers, tmp_path, **settings)
            stack.callback(made.app.close)
            return made, stack.enter_context(serving(made.app))

        yield deployed


def is_error(message: ConsoleMessage) -> bool:
    """True if a console message is an error. Failed requests do not count: tests open missing pages on purpose."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def is_foreign(response: Response) -> bool:
    """True if a response is from another host, or is an error for a static file of the page."""
    parts = urlsplit(response.url)
    return parts.hostname != "127.0.0.1" or (parts.path.startswith("/static") and response.status >= 400)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages. The test fails at its end if there was a dialog, an error, or a request to another host."""
    with ExitStack() as stack:
        wrong: list[str] = []

        def opened(url: str, **options: Any) -> Page:
            context = browser.new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
            page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
            page.on("pageerror", lambda error: wrong.append(f"error {error}"))
            page.on("console", lambda message: wrong.append(message.text) if is_error(message) else None)
            page.on("response", lambda response: wrong.append(response.url) if is_foreign(response) else None)
            page.goto(url)
            return page

        yield opened
        assert wrong == []
