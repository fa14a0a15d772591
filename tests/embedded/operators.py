"""An operator whose process is killed at a request of the search client, while writers keep working."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any

from builders import stream_record
from deployments import Deployment
from fakes import records

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, Scan
from service.commands.rebuild.rebuild import RebuildOptions, Rebuilt, change
from service.commands.tables import TableFilter
from service.pipeline import Delivery
from service.sinks.opensearch.search_sink import SeenTargets

READS = ("_search", "_mget", "_count", "_pit")
"""Requests with a body that change nothing."""


class Killed(BaseException):
    """The end of the process. Nothing catches it, and no later request of the process reaches the server."""


class Requests:
    """A counter of the write requests of a client. It kills the process before or after request number `at`.

    It calls `before` ahead of each write request, so that other writers can act.
    """

    def __init__(self, context: Any, at: float, after: bool, before: Callable[[str, str], None]):
        self.count = 0
        self._at, self._after, self._before = at, after, before
        self._dead = False
        self._lock = Lock()
        client = context.search
        client.request = self._watched(client.request)
        client.whole.transport.perform_request = self._watched(client.whole.transport.perform_request)

    def _watched(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def request(method: str, path: str, *words: Any, **more: Any) -> Any:
            if self._dead:
                raise Killed
            if method == "GET" or path.rpartition("/")[2] in READS:
                return send(method, path, *words, **more)
            with self._lock:
                self._before(method, path)
                self.count += 1
                here = self.count == self._at
                self._dead = self._dead or here
            if here and not self._after:
                raise Killed
            answer = send(method, path, *words, **more)
            if self._dead:
                raise Killed
            return answer

        return request


class Writers:
    """Two consumers that deliver one record at a time.

    One reads the aliases before each write. The other, like a writer with a slow request, reads them only after
    `catch_up`, or when its record has to be retried.
    """

    def __init__(self, place: Deployment):
        settings = replace(place.settings, retry_time=0.0)
        self._place = place
        self._apps = [App(settings, [Images(), ImageUploads()]) for _ in range(2)]
        clock = itertools.count(step=1000)
        self._apps[0].search_sink._targets = SeenTargets(lambda: float(next(clock)))
        self._apps[1].search_sink._targets = SeenTargets(lambda: 0.0)
        self._numbers = itertools.count()
        self._pending: list[Any] = []

    def step(self) -> None:
        """Change or remove an item, and deliver its record."""
        number = next(self._numbers)
        key = f"i{number % 5:04d}"
        if number % 4 == 3:
            self._place.items.delete_item(Key={"id": key})
            raw = stream_record("REMOVE", old={"id": key, "title": "old"}, **self._said(number))
        else:
            item = {"id": key, "title": f"change {number}"}
            self._place.items.put_item(Item=item)
            raw = stream_record("MODIFY", new=item, **self._said(number))
        self._pending += records(raw)
        self._deliver(number % 2)

    def catch_up(self) -> None:
        self._apps[1].search_sink._targets.forget()

    def finish(self, more: Sequence[Any] = ()) -> None:
        """Deliver `more` and the records to retry until none is left."""
        self._pending += more
        for number in range(20):
            self._deliver(number % 2)
            if not self._pending:
                return
        raise AssertionError(f"{len(self._pending)} records are still undone")

    def close(self) -> None:
        for app in self._apps:
            app.close()

    def _said(self, number: int) -> dict[str, Any]:
        sequence = f"{1000 + number}{'0' * 20}"
        return {"table": self._place.table, "sequence": sequence, "created": time.time()}

    def _deliver(self, which: int) -> None:
        report = self._apps[which].dispatcher.run(Delivery(self._pending))
        self._pending = [self._pending[position] for position in report.undone]


class Operator:
    """An operator who runs each operation as a separate process, while the writers work."""

    def __init__(self, place: Deployment, route: Any):
        self.place, self.route = place, route
        self.writers = Writers(place)

    def run(self, at: float = 0, after: bool = False, **what: bool) -> tuple[Rebuilt | None, int]:
        """Run an operation. Return its result (None if the process was killed) and the count of write requests."""
        with self.process(at, after) as (app, requests):
            try:
                (one,) = change(
                    app,
                    TableFilter(),
                    RebuildOptions(**what),
                    Scan(segments=1),
                    BackfillOptions(),
                    0.0,
                    lambda more: None,
                )
            except Killed:
                return None, requests.count
            return one, requests.count

    @contextmanager
    def process(self, at: float = 0, after: bool = False, traffic: bool = True) -> Iterator[tuple[App, Requests]]:
        """Yield the service with the route, and its requests. If `traffic` is false, the writers write nothing."""
        app = App(replace(self.place.settings), [self.route, ImageUploads()])
        filled: list[str] = []

        def before(method: str, path: str) -> None:
            if path.endswith("_bulk") and not filled:  # the operation waited until each writer read the aliases
                filled.append(path)
                self.writers.catch_up()
            if traffic:
                self.writers.step()

        try:
            yield app, Requests(app.context, at, after, before)
        finally:
            app.context.search.close()
