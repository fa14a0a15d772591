"""The page of the service with a dispatcher over models, a folder of dead letters, and an index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fakes import Bench, Items
from werkzeug.test import Client, TestResponse

from service.context import Context
from service.pipeline import Delivery, Lag, Observers
from service.routing import Route
from service.settings import Settings
from service.sinks.dead_letters import DeadLetterFolder
from service.sources.current_state import Lookups
from service.telemetry.flow import Flow
from service.telemetry.metrics import Metrics
from service.telemetry.recent import Recent
from service.web.auth import Auth
from service.web.endpoints import Pages
from service.web.health import Health
from service.web.page import State, make_page


class AskedIndex:
    """A fake of opensearch-py's client over an index model. `errors` are raised one after the other."""

    def __init__(self, bench: Bench):
        self._bench = bench
        self.errors: list[Exception] = []
        self.searches: list[dict[str, Any]] = []

    def get(self, index: str, id: str, realtime: bool, ignore: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        assert realtime
        place = (index, id)
        found = {"_index": index, "_id": id, "found": place in self._bench.index.documents}
        if not found["found"]:
            return found
        document = self._bench.index.documents[place]
        return found | {"_version": self._bench.index.versions[place], "_source": document}

    def search(self, **asked: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        self.searches.append(asked)
        hits = [
            {"_index": index, "_id": name, "_version": 7, "_source": document}
            for (index, name), document in self._bench.index.documents.items()
        ]
        return {"hits": {"total": {"value": len(hits), "relation": "eq"}, "hits": hits[: asked["body"]["size"]]}}


class Page:
    """A page under test. `client` is a browser that keeps its cookies and runs no scripts."""

    def __init__(
        self, folder: Path, *routes: Route, source: str = "table images", items: Any = None, **settings: Any
    ):
        """`items` is a DynamoDB client, from which the current state is read."""
        self.settings = Settings(dead_letters=str(folder), **settings)
        self.sources: list[Any] = [SimpleNamespace(name=source, trouble="", workers=1, lag=Lag)]
        self.halted = ""
        reading = Context(self.settings, dynamodb=items)
        truth: Any = Lookups(reading) if items else None
        self.bench = Bench(*(routes or [Items()]), context=reading, truth=truth)
        self.index = AskedIndex(self.bench)
        self.letters = DeadLetterFolder(folder)
        self.bench.dispatcher._letters = self.letters
        router = self.bench.dispatcher._router
        app: Any = SimpleNamespace(
            settings=self.settings,
            context=Context(self.settings, search=self.index, dynamodb=items),
            router=router,
            letters=self.letters,
            metrics=Metrics(),
            dispatcher_of=lambda route: self.bench.dispatcher if route in self.names else None,
        )
        self.names = ["", *(bound.name for bound in router.bound)]
        self.auth = Auth(self.settings.page_host, self.settings.page_hosts, self.settings.page_token)
        health = Health(_Workers(self), 300.0)
        self.state = State(app, health, self.auth, Flow(), Recent(self.settings.page_records))
        self.bench.dispatcher._observer = Observers(self.state.flow, self.state.recent)
        self.client = Client(Pages(health, app.metrics, self.auth, make_page(self.state)))

    def dispatch(self, *raws: Any) -> None:
        from fakes import records

        self.bench.dispatcher.run(Delivery(records(*raws), self.sources[0].name))

    def get(self, path: str, status: int = 200, **headers: str) -> str:
        """Return the HTML of a page. Fail if the status differs, or if `check` fails."""
        answer = self.client.get(path, headers={"Host": "127.0.0.1:8080", **headers})
        assert answer.status_code == status, answer.text
        if answer.content_type.startswith("text/html"):
            check(answer)
        return answer.text

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> TestResponse:
        given = {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080", **headers}
        return self.client.post(path, data=form, headers=given)

    def form(self, path: str) -> dict[str, str]:
        """Return the hidden fields of the only form of a page."""
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.get(path))
        return dict(fields)

    def links(self, path: str) -> list[str]:
        return re.findall(r'<a [^>]*?href="(/[^"]*)"', self.get(path))


def words(html: str) -> str:
    """Return the text of a page in one line."""
    return " ".join(Text(html).text.split())


class _Workers(list[Any]):
    """One worker for each current source."""

    def __init__(self, page: Page):
        super().__init__()
        self._page = page

    def __iter__(self) -> Any:
        for source in self._page.sources:
            yield SimpleNamespace(
                name=source.name,
                source=source,
                is_alive=lambda: True,
                busy_for=lambda: 0.0,
                halted=self._page.halted,
            )


class Text(HTMLParser):
    """The text and the scripts of a page. `odd` has elements, attributes and links that are forbidden."""

    def __init__(self, page: str):
        super().__init__()
        self.text = ""
        self.scripts: list[str] = []
        self.odd: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.text += " "
        names = dict(attributes)
        if tag == "script":
            self.scripts.append(names.get("src") or "inline")
        if tag in ("style", "iframe", "object", "embed", "base"):
            self.odd.append(tag)
        self.odd += [name for name in names if name.startswith("on") or name == "style"]
        targets = [names.get(name) or "" for name in ("href", "src", "action")]
        self.odd += [target for target in targets if target and not target.startswith(("/", "#"))]

    def handle_data(self, data: str) -> None:
        self.text += data


def check(answer: TestResponse) -> None:
    """Fail if a page has anything but its own script, links to itself, and text."""
    found = Text(answer.text)
    assert found.scripts == ["/static/page.js"]
    assert found.odd == []
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
