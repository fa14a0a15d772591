"""The sample application, deployed to the embedded servers under its own names, with helpers to inspect it."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import boto3

from infra.shim.provision import provision
from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.pipeline import Dispatcher
from service.settings import Settings

PICTURE = Path("tests/data/lisbon.jpg")
DEADLINE = 60.0  # seconds; only a failing test waits this long


def aws_client(url: str, service: str, kind: str = "client") -> Any:
    """Return a plain boto3 client or resource, as any other program uses it."""
    return getattr(boto3, kind)(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def ask(method: str, url: str, body: Any = None) -> Any:
    """Send a plain HTTP request. Return the JSON response, or None for a 404."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise


def drop(search_url: str, name: str) -> None:
    """Delete an index, or all indices behind an alias."""
    for index in ask("GET", f"{search_url}/{name}/_alias") or ():
        ask("DELETE", f"{search_url}/{index}")


@contextmanager
def auto_create(search_url: str) -> Iterator[None]:
    """Let the server create missing indices on a write, as most servers do, until the block ends."""
    url, setting = f"{search_url}/_cluster/settings", "action.auto_create_index"
    before = ask("GET", f"{url}?flat_settings=true")["persistent"].get(setting)
    ask("PUT", url, {"persistent": {setting: "true"}})
    try:
        yield
    finally:
        ask("PUT", url, {"persistent": {setting: before}})


def documents_of(search_url: str, index: str) -> dict[str, Any]:
    """Return all documents that a search finds."""
    ask("POST", f"{search_url}/{index}/_refresh")
    found = ask("POST", f"{search_url}/{index}/_search", {"size": 1000, "query": {"match_all": {}}})
    return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    """Wait until `look()` returns `wanted`. Fail with the difference."""
    deadline = time.monotonic() + DEADLINE
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert look() == wanted


class Deployment:
    """The sample application with unique resource names, so that tests do not interfere."""

    _numbers = itertools.count()

    def __init__(self, aws_url: str, search_url: str, folder: Path, **settings: Any):
        number = f"{folder.name[-20:]}-{next(self._numbers)}".lower().replace("_", "-")
        self.table, self.bucket, self.index = f"images-{number}", f"in-{number}", f"images-{number}"
        self.queue = f"uploads-{number}"
        self.aws_url, self.search_url = aws_url, search_url
        self.letters = folder / "letters"
        self.settings = replace(
            Settings(),
            aws_endpoint_url=aws_url,
            search_url=search_url,
            names={
                "table/images": self.table,
                "bucket/images-in": self.bucket,
                "index/images": self.index,
            },
            read_queue=(self.queue,),
            poll_interval=0.05,
            poll_wait=0,
            checkpoints=str(folder / "checkpoints.sqlite"),
            dead_letters=str(self.letters),
            **settings,
        )
        self.app = App(self.settings, [Images(), ImageUploads()])
        provision(self.app)
        dynamodb_url = self.settings.aws_endpoint_url_dynamodb or aws_url
        self.items = aws_client(dynamodb_url, "dynamodb", "resource").Table(self.table)
        self.s3 = aws_client(aws_url, "s3")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point a process or a command at the deployment."""
        settings = self.settings
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ENDPOINT_URL_DYNAMODB": settings.aws_endpoint_url_dynamodb or self.aws_url,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": settings.aws_endpoint_url_dynamodb_streams or self.aws_url,
            "SEARCH_URL": self.search_url,
            "STREAMDEX_NAMES": ",".join(f"{name}={actual}" for name, actual in settings.names.items()),
            "STREAMDEX_CHECKPOINTS": settings.checkpoints,
            "STREAMDEX_DEAD_LETTERS": str(self.letters),
        }

    def documents(self) -> dict[str, Any]:
        return documents_of(self.search_url, self.index)

    def upload(self, key: str, body: bytes | None = None) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=PICTURE.read_bytes() if body is None else body)

    def rejected(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.letters.glob("*.json"))]


def fill(place: Deployment, size: int) -> None:
    """Put the items i0000, i0001, … into the table."""
    with place.items.batch_writer() as batch:
        for number in range(size):
            batch.put_item(Item={"id": f"i{number:04d}", "title": f"title {number}"})


@contextmanager
def changing(place: Deployment, family: str, size: int, pause: float = 0.0) -> Iterator[None]:
    """Put, change and remove items of a family until the block ends (`size` ids; family `i` is that of `fill`)."""
    chance = random.Random(7)

    def change(number: int) -> None:
        key = {"id": f"{family}{chance.randrange(size):04d}"}
        if chance.random() < 0.3:
            place.items.delete_item(Key=key)
        else:
            place.items.put_item(Item={**key, "title": f"change {number}"})

    with repeating(change, pause):
        yield


@contextmanager
def repeating(change: Callable[[int], None], pause: float) -> Iterator[None]:
    """Call `change` with 1, 2, … in a thread until the block ends. `pause` is in seconds."""
    stopping = Event()

    def work() -> None:
        for number in itertools.count(1):
            if stopping.wait(pause):
                break
            change(number)

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


class Running:
    """The workers of the container as threads of this process."""

    def __init__(self, app: App):
        self._stopping = Event()
        self._threads = [
            Thread(target=self._work, args=(source, app.dispatcher))
            for source in app.sources(self._stopping)
            for _ in range(source.workers)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, source: Any, dispatcher: Dispatcher) -> None:
        for batch in source:
            batch.settle(dispatcher.run(batch.delivery))

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(DEADLINE)


class ServiceProcess(subprocess.Popen[bytes]):
    """The service as a process, without this process's STREAMDEX_ and COV_ variables. `log` gets its output."""

    def __init__(self, log: Path, settings: Mapping[str, str], folder: Path | None = None):
        own = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMDEX_", "COV_"))}
        self.log = log
        with log.open("wb") as output:
            super().__init__(
                [sys.executable, "-m", "service", "run"],
                env={**own, **settings},
                cwd=folder,
                stdout=output,
                stderr=output,
            )

    def times_said(self, event: str) -> int:
        return self.log.read_text().count(f'"event": "{event}"')

    def has_said(self, event: str) -> bool:
        return self.times_said(event) > 0
