"""Rebuilds and verifications of large tables with the commands of an operator, on DynamoDB Local and OpenSearch.

STREAMDEX_ITEMS sets the number of items in the table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from containers import Container, ended_after
from deployments import Deployment, ask, aws_client, changing, eventually

from benchmarks.memory import MIB, MOST, memory_of
from service.checkpoints.stores import SqliteCheckpoints
from service.model.versions import stream_version
from tests.endurance.comparison import differences

ITEMS = int(os.environ.get("STREAMDEX_ITEMS", "20000"))
EACH = 10
"""The number of created faults of each kind."""

UNVERSIONED = 1000
"""The number of items whose index keeps no versions."""

BATCH = 25
"""The most writes of one request ("BatchWriteItem", DynamoDB API Reference)."""

ROUTES = """
from typing import ClassVar

from service import TableRoute

class Images(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"

    def document(self, item):
        return {"title": item["title"]}


class Plain(Images):
    index: ClassVar = "plain"
    versions: ClassVar = None
    where: ClassVar = {"id": "p*"}
"""


@dataclass
class Ended:
    """The result of a command: its exit code, its printed values, its text, and its peak memory in MiB."""

    code: int
    told: list[dict[str, Any]]
    words: str
    peak: float


class Repository:
    """A user's own repository with routes for a large table, and the commands of its operator."""

    def __init__(self, place: Deployment, folder: Path):
        self.place, self.folder = place, folder
        self.plain = f"plain-{place.index}"
        (folder / "routes").mkdir()
        (folder / "routes" / "__init__.py").write_text('ROUTES = ["many:Images", "many:Plain"]\n')
        (folder / "routes" / "many.py").write_text(ROUTES)
        names = {**place.settings.names, "index/plain": self.plain}
        self._settings = {
            "PYTHONPATH": f"{folder}:{Path.cwd()}",
            "READ_QUEUE": "",
            "STREAMDEX_START_AT": "LATEST",
            "STREAMDEX_NAMES": ",".join(f"{name}={actual}" for name, actual in names.items()),
        }
        self.aws_url = str(place.settings.aws_endpoint_url_dynamodb)
        self.dynamodb = aws_client(self.aws_url, "dynamodb")

    def fill(self) -> None:
        """Put the items into the table, from four threads."""
        names = [*(f"i{n:07d}" for n in range(ITEMS - UNVERSIONED)), *(f"p{n:07d}" for n in range(UNVERSIONED))]
        threads = [Thread(target=self._put, args=(names[part::4],)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _put(self, names: list[str]) -> None:
        client = aws_client(self.aws_url, "dynamodb")
        for begin in range(0, len(names), BATCH):
            puts = [
                {"PutRequest": {"Item": {"id": {"S": name}, "title": {"S": f"title of {name}"}}}}
                for name in names[begin : begin + BATCH]
            ]
            request = {self.place.table: puts}
            while request:
                request = client.batch_write_item(RequestItems=request)["UnprocessedItems"]

    @contextmanager
    def serving(self) -> Iterator[Container]:
        """Run the service until the block ends. It reads the table's stream from now on."""
        container = Container(self.place, self.folder, self.folder, **self._settings)
        with ended_after([container]):
            eventually(lambda: bool(self._positions()), True)
            yield container

    def _positions(self) -> Any:
        streams = aws_client(self.aws_url, "dynamodbstreams")
        (stream,) = streams.list_streams(TableName=self.place.table)["Streams"]
        with closing(SqliteCheckpoints(self.folder / "positions.sqlite", "streamdex")) as positions:
            return positions.read(stream["StreamArn"])

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        place = self.place
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("STREAMDEX_", "COV_"))},
            **self._settings,
            "AWS_ENDPOINT_URL": place.aws_url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.aws_url,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": self.aws_url,
            "SEARCH_URL": place.search_url,
            "STREAMDEX_CHECKPOINTS": str(self.folder / "positions.sqlite"),
            "STREAMDEX_DEAD_LETTERS": str(place.letters),
        }
        with (self.folder / "told").open("wb") as told, (self.folder / "words").open("wb") as words_file:
            return subprocess.Popen(
                [sys.executable, "-m", "service", *words, "--json"],
                env=environment,
                cwd=self.folder,
                stdout=told,
                stderr=words_file,
            )

    def run(self, *words: str) -> Ended:
        process, most = self.start(*words), 0
        while process.poll() is None:
            most = max(most, memory_of(process.pid, MOST))
            time.sleep(0.05)
        told = [json.loads(line) for line in (self.folder / "told").read_text().splitlines()]
        return Ended(process.returncode, told, (self.folder / "words").read_text(), most / MIB)

    def count(self, index: str) -> int:
        """Return the number of documents of an index, or 0 if it is missing."""
        if ask("POST", f"{self.place.search_url}/{index}/_refresh") is None:
            return 0
        return int(ask("GET", f"{self.place.search_url}/{index}/_count")["count"])

    def differences(self) -> list[str]:
        """Return the differences between the table and its index as text."""
        url, index = self.place.search_url, self.place.index
        return differences(self.dynamodb, self.place.table, url, index, lambda item: {"title": item["title"]})[1]


@pytest.fixture(scope="module")
def repository(
    aws_url: str, dynamodb_url: str, opensearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("size")
    its = dict.fromkeys(("aws_endpoint_url_dynamodb", "aws_endpoint_url_dynamodb_streams"), dynamodb_url)
    place = Deployment(aws_url, opensearch_url, folder, **its)
    made = Repository(place, folder)
    made.fill()
    with closing(place.app), made.serving():
        loaded = made.run("backfill", "--segments=4")
        (counts,) = loaded.told
        assert (loaded.code, sum(counts.values())) == (0, ITEMS), loaded.words
        assert made.count(place.index) == ITEMS
        yield made


def plant(repository: Repository, first: int) -> dict[str, set[str]]:
    """Create faults of every kind in the documents from item number `first` on. Return their ids by kind."""
    url, index = repository.place.search_url, repository.place.index
    planted: dict[str, set[str]] = {}
    lines: list[Any] = []
    soon = stream_version(time.time(), None)
    for number, kind in enumerate(["missing", "stale", "ahead", "orphan"] * EACH, first):
        name = f"i{number:07d}"
        there = ask("GET", f"{url}/{index}/_doc/{name}")["_version"]
        name = f"orphan of {name}" if kind == "orphan" else name
        meta = {
            "_index": index,
            "_id": name,
            "version": soon if kind == "ahead" else there,
            "version_type": "external_gte",
        }
        lines += [{"delete": meta}] if kind == "missing" else [{"index": meta}, {"title": f"planted: {kind}"}]
        planted.setdefault(kind, set()).add(name)
    for number in range(first, first + EACH):
        name = f"p{number % UNVERSIONED:07d}"
        lines += [{"index": {"_index": repository.plain, "_id": name}}, {"title": "planted: different"}]
        planted.setdefault("different", set()).add(name)
    place = repository.place
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    answer = place.app.context.search.bulk(body=body, params={"refresh": "true"})
    assert not answer["errors"], answer
    return planted


def found(ended: Ended) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for finding in ended.told[:-1]:
        kinds.setdefault(finding["kind"], set()).add(finding["id"])
    return kinds


def test_fifty_planted_faults_and_nothing_else_are_found_and_repaired(repository: Repository, capsys: Any):
    planted = plant(repository, 500)
    looked = repository.run("verify", "--patience=2")
    assert (looked.code, found(looked)) == (1, planted), looked.words
    assert {field for finding in looked.told[:-1] for field in finding["fields"]} == {"title"}
    with capsys.disabled():
        print(f"\nverify: {ITEMS:,} items, 50 faults: {looked.peak:.0f} MiB at the most")
    repaired = repository.run("verify", "--repair", "--patience=2")
    assert (repaired.code, found(repaired)) == (0, planted), repaired.words
    again = repository.run("verify", "--patience=2")
    assert (again.code, again.told[:-1]) == (0, []), again.words
    assert repository.differences() == []


def test_fifty_planted_faults_are_found_and_repaired_while_somebody_writes(repository: Repository, capsys: Any):
    with changing(repository.place, "w", 200, pause=0.002):
        planted = plant(repository, 700)
        repaired = repository.run("verify", "--repair", "--patience=5")
    planted["stale"] |= planted.pop("ahead")  # their version is recent: verify may report them as stale
    kinds = found(repaired)
    kinds["stale"] = kinds.get("stale", set()) | kinds.pop("ahead", set())
    assert (repaired.code, kinds) == (0, planted), repaired.words
    with capsys.disabled():
        print(f"\nverify --repair beside a writer: {repaired.peak:.0f} MiB at the most")
    eventually(repository.differences, [])
    again = repository.run("verify", "--patience=5")
    assert (again.code, again.told[:-1]) == (0, []), again.words


class Reader(Thread):
    """A thread that searches through the alias for unchanged items, which each search must find."""

    def __init__(self, place: Deployment):
        super().__init__()
        self.searches = 0
        self.missed: list[Any] = []
        self.stopping = Event()
        step = (ITEMS - UNVERSIONED) // 200
        self._names = {f"i{number:07d}" for number in range(1, ITEMS - UNVERSIONED, step)}
        self._url = f"{place.search_url}/{place.index}/_search"

    def run(self) -> None:
        query = {"size": 500, "_source": False, "query": {"ids": {"values": sorted(self._names)}}}
        while not self.stopping.wait(0.01):
            try:
                names = {hit["_id"] for hit in ask("POST", self._url, query)["hits"]["hits"]}
            except Exception as error:
                self.missed.append(repr(error))
                continue
            self.searches += 1
            if names != self._names:
                self.missed.append(self._names - names)

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join()


def test_a_rebuild_that_is_killed_three_times_loses_nothing_and_no_search_fails(repository: Repository):
    place = repository.place
    new = f"{place.index}-000002"
    with changing(place, "w", 200, pause=0.002), Reader(place) as reader:
        for part in (1, 2, 3):
            process = repository.start("backfill", "--route=many:Images", "--rebuild", "--segments=4")
            wait_until(lambda part=part: repository.count(new) >= part * ITEMS / 4, process)
            process.kill()
            process.wait()
        ended = repository.run("backfill", "--route=many:Images", "--rebuild", "--segments=4")
        assert ended.code == 0, ended.words
        assert [one["live"] for one in ended.told] == [new]
    assert reader.missed == []
    assert reader.searches > 100
    eventually(repository.differences, [])
    assert set(ask("GET", f"{place.search_url}/{place.index}/_alias")) == {new}


def wait_until(look: Any, process: subprocess.Popen[bytes]) -> None:
    while not look():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
