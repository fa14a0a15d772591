"""Dead letters in every store: stored once, listed, filtered, redriven, and removed only when acknowledged."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders import stream_arn, stream_record
from deployments import Deployment, ask, aws_client, documents_of, eventually

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.dead_letters.redrive import redrive
from service.commands.dead_letters.selection import Filter, purge, survey
from service.context import Context
from service.entrypoints.cli import main
from service.errors import Halt, SettingsError
from service.model import TableRecord
from service.model.serializer import typed
from service.pipeline import DeadLetter, Delivery, Outcome, Result
from service.settings import Settings
from service.sinks.dead_letters import ReadableDeadLetterStore, make_dead_letter_store
from service.sources.envelopes import unwrap
from service.sources.sqs.queue_source import dead_letter_queue

STORES = ["folder", "s3", "sqs", "sqs.fifo"]


@pytest.fixture
def make_box(deployment: Deployment, tmp_path) -> Callable[..., tuple[str, ReadableDeadLetterStore]]:
    """Return a function that creates a store of a kind and returns its setting and the store."""
    numbers = itertools.count()

    def make(kind: str, large: bool = True) -> tuple[str, ReadableDeadLetterStore]:
        name = f"{deployment.queue}-dead-{next(numbers)}"
        where = str(tmp_path / name)
        if kind == "s3":
            deployment.s3.create_bucket(Bucket=name)
            where = f"s3://{name}/letters"
        if kind.startswith("sqs"):
            fifo = {"FifoQueue": "true"} if kind == "sqs.fifo" else {}
            name += ".fifo" if fifo else ""
            aws_client(deployment.aws_url, "sqs").create_queue(QueueName=name, Attributes=fifo)
            where = f"sqs://{name}"
        beside = f"{deployment.bucket}-large"
        deployment.s3.create_bucket(Bucket=beside)
        settings = replace(
            deployment.settings, dead_letters=where, dead_letters_large=f"s3://{beside}/x" if large else ""
        )
        return where, make_dead_letter_store(Context(settings))

    return make


def letter(name: str, route: str = "images:Images", reason: str = "bad", **more: Any) -> DeadLetter:
    (record,) = unwrap(stream_record(new={"id": name, "title": name, **more}, sequence=str(abs(hash(name)))))
    return DeadLetter(record, route, Result(Outcome.REJECTED, reason))


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", STORES)
def test_a_letter_is_shown_once_however_often_it_was_stored_and_is_whole(make_box, kind):
    _, box = make_box(kind)
    for _ in range(2):
        box.store([letter("a"), letter("b", route="images:Other")])
    found = {kept.record["dynamodb"]["Keys"]["id"]["S"]: kept for kept in box.read()}
    assert sorted(found) == ["a", "b"]
    assert found["b"].route == "images:Other"
    assert found["a"].record == letter("a").record.raw


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", STORES)
def test_a_letter_that_was_removed_is_gone_and_the_others_stay(make_box, kind):
    _, box = make_box(kind)
    box.store([letter("a"), letter("b")])
    for kept in box.read():
        if kept.record["dynamodb"]["Keys"]["id"]["S"] == "a":
            box.remove(kept)
    assert [kept.record["dynamodb"]["Keys"]["id"]["S"] for kept in box.read()] == ["b"]


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", STORES)
def test_bytes_in_a_record_of_boto3_come_back_as_they_were(make_box, kind):
    _, box = make_box(kind)
    change = {"Keys": typed({"id": "a"}), "NewImage": typed({"id": "a", "b": b"\0\xff"}), "SequenceNumber": "1"}
    record = TableRecord({"eventName": "INSERT", "dynamodb": change}, source=stream_arn())
    box.store([DeadLetter(record, "images:Images", Result(Outcome.REJECTED, "bad"))])
    (kept,) = box.read()
    (again,) = unwrap({"format": 1, "route": "", "source": kept.source, "record": kept.record})
    assert again.new == {"id": "a", "b": b"\0\xff"}


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", ["sqs", "sqs.fifo"])
def test_a_letter_that_is_too_large_for_a_queue_goes_to_the_bucket_with_a_pointer(make_box, kind):
    _, box = make_box(kind)
    box.store([letter("large", text="x" * 300_000), letter("small")])
    found = {kept.record["dynamodb"]["Keys"]["id"]["S"]: kept for kept in box.read()}
    assert len(found["large"].record["dynamodb"]["NewImage"]["text"]["S"]) == 300_000
    which = Filter(route="images:Images")
    assert purge(box, which, survey(box, which).last) == 2
    assert list(box.read()) == []


def test_a_letter_that_is_too_large_is_cut_where_there_is_no_bucket_for_it(make_box):
    _, box = make_box("sqs", large=False)
    box.store([letter("large", text="x" * 300_000)])
    (kept,) = box.read()
    assert kept.record["dynamodb"]["Keys"] == {"id": {"S": "large"}}
    assert "without its images" in kept.cut


@pytest.mark.long(after=1)
@pytest.mark.parametrize("where", ["s3://absent-bucket/x", "sqs://absent-queue"])
def test_a_store_that_is_not_there_halts_so_that_nothing_is_acknowledged(deployment: Deployment, where):
    with (
        App(replace(deployment.settings, dead_letters=where), [Images()]) as app,
        pytest.raises(Halt, match="absent"),
    ):
        app.dispatcher.run(
            Delivery(list(unwrap(stream_record(keys={"other": "key"}, new={"id": "a"}, table=deployment.table))))
        )


@pytest.mark.parametrize("where", ["redis://x", "s3://", "sqs://"])
def test_a_store_of_another_kind_is_an_error_in_settings(where):
    with pytest.raises(SettingsError, match="dead_letters"):
        make_dead_letter_store(Context(Settings(dead_letters=where)))


class Strict(Images):
    """The sample route with a bug."""

    broken = True

    def document(self, item):
        if self.broken and item["id"] != "fine":
            raise ValueError("mistake")
        return super().document(item)


@pytest.fixture
def app(deployment: Deployment, make_box) -> Iterator[App]:
    """Yield an app whose route rejected two items. One item has changed since, the other is deleted."""
    where, _ = make_box("folder")
    with App(replace(deployment.settings, dead_letters=where), [Strict()]) as app:
        raws = [
            stream_record(new={"id": name, "title": "old"}, table=deployment.table, sequence=str(number))
            for number, name in enumerate(["changed", "gone", "fine"])
        ]
        app.dispatcher.run(Delivery([record for raw in raws for record in unwrap(raw)]))
        deployment.items.put_item(Item={"id": "changed", "title": "new"})
        assert len(list(app.letters.read())) == 2
        yield app


def test_a_redrive_after_the_route_was_mended_writes_what_is_there_now(
    app: App, deployment: Deployment, monkeypatch
):
    monkeypatch.setattr(Strict, "broken", False)
    for _ in range(2):  # the second redrive finds nothing to do
        redrive(app.letters, Filter(), app.dispatcher_of)
    documents = documents_of(deployment.search_url, deployment.index)
    assert {name: document["title"] for name, document in documents.items()} == {"changed": "new", "fine": "old"}
    assert list(app.letters.read()) == []


def test_a_redrive_also_writes_to_an_index_that_is_being_rebuilt(app: App, deployment: Deployment, monkeypatch):
    monkeypatch.setattr(Strict, "broken", False)
    copy = f"{deployment.index}-000002"
    ask("PUT", f"{deployment.search_url}/{copy}", {"aliases": {f"{deployment.index}--also": {}}})
    with App(app.settings, [Strict()]) as later:  # the other app still uses the aliases that it read earlier
        redrive(later.letters, Filter(), later.dispatcher_of)
    found = documents_of(deployment.search_url, copy)
    assert {name: document["title"] for name, document in found.items()} == {"changed": "new"}


def test_a_redrive_of_what_is_still_broken_keeps_the_letter(app: App):
    ends = redrive(app.letters, Filter(), app.dispatcher_of).ends
    # The deleted item needs no document, so its record counts as applied.
    assert dict(ends) == {"rejected": 1, "applied": 1}
    assert [kept.record["dynamodb"]["Keys"]["id"]["S"] for kept in app.letters.read()] == ["changed"]


def test_a_redrive_makes_no_index_older(app: App, deployment: Deployment, monkeypatch):
    monkeypatch.setattr(Strict, "broken", False)
    now = int(time.time())
    newer = stream_record(new={"id": "changed", "title": "newest"}, table=deployment.table, created=now)
    app.dispatcher.run(Delivery(list(unwrap(newer))))
    assert dict(redrive(app.letters, Filter(), app.dispatcher_of).ends) == {"stale": 1, "applied": 1}
    assert documents_of(deployment.search_url, deployment.index)["changed"]["title"] == "newest"


def test_a_letter_of_a_route_that_is_gone_is_kept_and_told(app: App):
    app.letters.store([letter("x", route="videos:Videos")])
    ends = redrive(app.letters, Filter(route="videos:Videos"), app.dispatcher_of).ends
    assert dict(ends) == {"kept: no route videos:Videos is registered": 1}
    assert len(list(app.letters.read())) == 3


def test_letters_are_chosen_by_route_reason_time_and_id(app: App):
    app.letters.store([letter("x", route="videos:Videos", reason="too long")])

    def count(**wanted: str) -> int:
        return sum(map(Filter(**wanted).takes, app.letters.read()))

    (last,) = [kept for kept in app.letters.read() if kept.route == "videos:Videos"]
    assert count() == 3
    assert count(route="videos:Videos") == count(reason="too long") == count(letter=last.id[:8]) == 1
    assert (count(since="2020"), count(until="2020"), count(since="2999")) == (3, 0, 0)


def test_purge_never_takes_all_by_mistake(app: App):
    with pytest.raises(SettingsError, match="filter"):
        purge(app.letters, Filter(), "9")
    with pytest.raises(SettingsError, match="filter"):
        survey(app.letters, Filter())
    which = Filter(reason="mistake")
    found = survey(app.letters, which)
    assert (found.count, list(found.routes.values())) == (2, [2])
    assert purge(app.letters, which, "2020") == 0  # dead letters stored after the survey stay
    assert purge(app.letters, which, found.last) == 2
    assert list(app.letters.read()) == []


@pytest.fixture
def two_letters(deployment: Deployment, monkeypatch) -> Deployment:
    """Create dead letters of two uploads that are not images, and set the environment of the commands."""
    for variable, value in deployment.environment.items():
        monkeypatch.setenv(variable, value)
    deployment.upload("broken.png", b"no image")
    deployment.upload("other.txt", b"no image")
    raws = [json.dumps({"bucket": deployment.bucket, "key": key}) for key in ("broken.png", "other.txt")]
    with App(deployment.settings, [Images(), ImageUploads()]) as app:
        app.dispatcher.run(Delivery([record for raw in raws for record in unwrap(json.loads(raw))]))
    return deployment


def test_the_command_line_lists_shows_redrives_and_purges(two_letters: Deployment, capsys):
    assert main(["dead-letters", "list", "--reason=broken.png"]) == 0
    listed = capsys.readouterr().out
    assert "images:ImageUploads" in listed
    assert listed.count("\n") == 1
    assert main(["dead-letters", "show", f"--letter={listed[:8]}"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["key"] == "broken.png"
    assert main(["dead-letters", "redrive", "--reason=broken.png"]) == 1  # still not an image
    assert "1 dead letter remaining in " in capsys.readouterr().err
    two_letters.upload("broken.png")
    assert main(["dead-letters", "redrive", "--reason=broken.png"]) == 0
    assert "1 applied" in capsys.readouterr().out
    eventually(lambda: two_letters.items.scan()["Count"], 1)
    assert main(["dead-letters", "purge"]) == 2
    assert main(["dead-letters", "purge", "--reason=other.txt", "--yes"]) == 0
    assert main(["dead-letters", "list"]) == 0
    assert main(["dead-letters", "burn"]) == 2


def test_purge_asks_on_a_terminal_and_needs_yes_without_one(two_letters: Deployment, monkeypatch, capsys):
    words = ["dead-letters", "purge", "--route=images:ImageUploads"]
    assert main(words) == 2
    assert "2 dead letters" in (said := capsys.readouterr().err)
    assert "--yes" in said
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "")
    assert main(words) == 1
    assert "2 dead letters" in asked[0]
    assert "images:ImageUploads 2" in asked[0]
    assert len(two_letters.rejected()) == 2
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert main(words) == 0
    assert two_letters.rejected() == []
    assert main(words) == 0  # nothing is left, so the command does not ask


def test_a_redrive_with_the_server_down_stops_at_once_and_says_what_remains(
    app: App, deployment: Deployment, capsys, monkeypatch
):
    for variable, value in deployment.environment.items():
        monkeypatch.setenv(variable, value)
    for name in "xy":
        (record,) = unwrap(stream_record(new={"id": name}, table=deployment.table, sequence=name))
        app.letters.store([DeadLetter(record, "images:Images", Result(Outcome.REJECTED, "bad"))])
    where = app.settings.dead_letters
    options = [f"--dead-letters={where}", "--search-url=http://127.0.0.1:1", "--retry-time=600"]
    assert main(["dead-letters", "redrive", "--route=images:Images", *options]) == 4
    out, err = capsys.readouterr()
    assert "redrive stopped: every record of a batch failed" in err
    assert f"{where} still holds about 4 dead letters" in err
    assert out == "2 retry\n"
    assert len(list(app.letters.read())) == 4


def test_the_command_line_speaks_json_to_scripts(two_letters: Deployment, capsys):
    def said(*words: str) -> list[Any]:
        main(["dead-letters", *words, "--json"])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    first, second = said("list")
    assert {first["route"], second["route"]} == {"images:ImageUploads"}
    assert "record" not in first
    (shown,) = said("show", f"--letter={first['id']}")
    assert shown["record"]["key"] in ("broken.png", "other.txt")
    two_letters.upload("broken.png")
    assert said("redrive") == [{"applied": 1, "rejected": 1}]
    assert said("purge", "--reason=other.txt", "--yes") == [{"removed": 1}]
    assert said("list") == []


@pytest.fixture
def given_up(two_letters: Deployment) -> Deployment:
    """Return a queue whose dead-letter queue holds an upload that is an image by now, and one that is not."""
    sqs = aws_client(two_letters.aws_url, "sqs")
    dead = sqs.get_queue_url(QueueName=dead_letter_queue(two_letters.app.context, two_letters.queue))["QueueUrl"]
    two_letters.upload("broken.png")
    for key in ("broken.png", "other.txt"):
        sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"bucket": two_letters.bucket, "key": key}))
    return two_letters


def test_the_dead_letter_queue_of_a_queue_is_redriven(given_up: Deployment, capsys):
    assert main(["dead-letters", "redrive", f"--queue={given_up.queue}"]) == 1
    assert "1 applied, 1 rejected" in capsys.readouterr().out
    assert [item["id"] for item in given_up.items.scan()["Items"]] == ["broken.png"]
    assert main(["dead-letters", "redrive", f"--queue={given_up.queue}"]) == 0
    assert "no dead letters" in capsys.readouterr().out


def test_a_queue_without_a_dead_letter_queue_is_told(two_letters: Deployment, capsys):
    dead = dead_letter_queue(two_letters.app.context, two_letters.queue)
    assert main(["dead-letters", "redrive", f"--queue={dead}"]) == 3
    assert "redrive policy" in capsys.readouterr().err


def test_a_letter_that_no_route_takes_any_longer_is_kept(app: App, monkeypatch):
    monkeypatch.setattr(Strict, "broken", False)
    with App(replace(app.settings, names={}), [Strict()]) as elsewhere:
        ends = redrive(elsewhere.letters, Filter(), elsewhere.dispatcher_of).ends
    assert all(end.startswith("kept: no route for table") for end in ends)
    assert len(list(app.letters.read())) == 2


@pytest.mark.long
def test_a_message_that_no_route_takes_stays_in_the_dead_letter_queue(given_up: Deployment, monkeypatch, capsys):
    names = {name: value for name, value in given_up.settings.names.items() if not name.startswith("bucket/")}
    monkeypatch.setenv("STREAMDEX_NAMES", ",".join(f"{name}={actual}" for name, actual in names.items()))
    assert main(["dead-letters", "redrive", f"--queue={given_up.queue}"]) == 1
    assert "2 kept: no route" in capsys.readouterr().out
    context = given_up.app.context
    url = context.sqs.get_queue_url(QueueName=dead_letter_queue(context, given_up.queue))["QueueUrl"]
    counts = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"]) == 2
