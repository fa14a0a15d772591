"""A Chromium that is installed already, the stand-ins, and the service with its page, for tests in a real browser.

Without a Chromium these tests are skipped, and say so; with STREAMDEX_REQUIRE_BROWSER=1 they fail.
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

from infra.shim.probes import free_port
from infra.shim.stand_ins import embedded_aws, embedded_search

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


def absent(what: str) -> Any:
    """Skips, unless this tier has to run."""
    if os.environ.get("STREAMDEX_REQUIRE_BROWSER") == "1":
        pytest.fail(f"the tests in a browser cannot run: {what}")
    pytest.skip(what)


def chromium() -> str:
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), "")
    found = named or (ON_A_MAC if Path(ON_A_MAC).exists() else "")
    return found or absent("no Chromium is installed (Debian: apt-get install chromium; or CHROMIUM=/path/to/it)")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def stand_ins() -> Iterator[tuple[str, str]]:
    try:
        import osmem_server  # noqa: F401
    except ModuleNotFoundError:
        absent("there is no embedded search server for this platform")
    with embedded_aws(free_port()) as aws, embedded_search(free_port()) as search:
        yield aws, search


@pytest.fixture
def deploy(stand_ins, tmp_path) -> Iterator[Callable[..., tuple[Deployment, str]]]:
    """Deploys the sample application; gives it with the address of its page."""
    with ExitStack() as stack:

        def deployed(**settings: Any) -> tuple[Deployment, str]:
            made = Deployment(*stand_ins, tmp_path, **settings)
            stack.callback(made.app.close)
            return made, stack.enter_context(serving(made.app))

        yield deployed


def is_error(said: ConsoleMessage) -> bool:
    """Whether a page says that something is wrong; but for a page that is not there, which it is asked for."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")


def is_foreign(answer: Response) -> bool:
    """Whether an answer is not of the service, or is a file of its page that is not there."""
    parts = urlsplit(answer.url)
    return parts.hostname != "127.0.0.1" or (parts.path.startswith("/static") and answer.status >= 400)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page. Fails at the end for a dialog, an error, or a request that leaves the service."""
    with ExitStack() as stack:
        wrong: list[str] = []

        def opened(url: str, **options: Any) -> Page:
            context = browser.new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
            page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
            page.on("pageerror", lambda error: wrong.append(f"error {error}"))
            page.on("console", lambda said: wrong.append(said.text) if is_error(said) else None)
            page.on("response", lambda answer: wrong.append(answer.url) if is_foreign(answer) else None)
            page.goto(url)
            return page

        yield opened
        assert wrong == []
