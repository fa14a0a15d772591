"""A shared backfill: containers and Lambdas run the tasks of a queue while the table changes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from containers import Container, ended_after, indexed, stop, truth
from deployments import Deployment, aws_client, changing, eventually, fill
from load import make_queue

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.rebuild import rebuild as rebuilding
from service.commands.rebuild.rebuild import RebuildOptions, Rebuilt, change
from service.commands.tables import TableFilter
from service.entrypoints.lambda_handler import handler_for
from service.errors import SettingsError
from service.model.serializer import typed
from service.sinks.opensearch import search_sink

SIZE = 60
SCAN = Scan(segments=7)


@pytest.fixture
def queue(deployment: Deployment) -> str:
    return make_queue(deployment)


def is_drained(place: Deployment, queue: str) -> Callable[[], bool]:
    sqs = place.app.context.sqs
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]

    def look() -> bool:
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(count == "0" for count in counts.values())

    return look


def enqueue(place: Deployment, queue: str, **manner: Any) -> int:
    return backfill(
        place.app, TableFilter(), SCAN, BackfillOptions(enqueue=queue, **manner), lambda more: None
    ).enqueued


@pytest.mark.long
def test_containers_do_the_tasks_while_the_table_changes(deployment: Deployment, queue: str, tmp_path: Path):
    fill(deployment, SIZE)
    assert enqueue(deployment, queue) == SCAN.segments
    assert indexed(deployment) == {}
    only_tasks = {"STREAMDEX_TASK_QUEUE": queue, "STREAMDEX_READ_STREAMS": "false"}
    with changing(deployment, "i", SIZE, pause=0.02):
        running = [Container(deployment, tmp_path, **only_tasks) for _ in range(2)]
        with ended_after(running):
            eventually(is_drained(deployment, queue), True)
            stop(*running)
    reading = [Container(deployment, tmp_path)]
    with ended_after(reading):
        eventually(lambda: indexed(deployment) == truth(deployment), True)
        stop(*reading)
    assert deployment.rejected() == []


def test_a_task_whose_container_was_killed_is_done_by_another(deployment: Deployment, queue: str, tmp_path: Path):
    fill(deployment, SIZE)
    enqueue(deployment, queue)
    only_tasks = {"STREAMDEX_TASK_QUEUE": queue, "STREAMDEX_READ_STREAMS": "false"}
    first = Container(deployment, tmp_path, **only_tasks)
    with ended_after([first]):
        eventually(lambda: first.has_said("batch dispatched") or first.has_said("started reading"), True)
    second = [Container(deployment, tmp_path, **only_tasks)]
    with ended_after(second):
        eventually(is_drained(deployment, queue), True)
        stop(*second)
    assert indexed(deployment) == truth(deployment)


def handled(place: Deployment, queue: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield the Lambda's response to each batch of messages until the queue is empty."""
    secrets = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    tasks = {"STREAMDEX_TASK_QUEUE": queue, "STREAMDEX_EXPORT_PREFIX": exports(place)}
    for name, value in (place.environment | secrets | tasks).items():
        monkeypatch.setenv(name, value)
    handler, sqs = handler_for(Images, ImageUploads), place.app.context.sqs
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        event = {
            "Records": [
                {
                    "eventSource": "aws:sqs",
                    "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
                    "messageId": message["MessageId"],
                    "body": message["Body"],
                }
                for message in messages
            ]
        }
        yield handler(event, None)
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_a_lambda_does_the_tasks(deployment: Deployment, queue: str, monkeypatch: pytest.MonkeyPatch):
    fill(deployment, SIZE)
    enqueue(deployment, queue)
    answers = list(handled(deployment, queue, monkeypatch))
    assert answers == [{"batchItemFailures": []}] * len(answers)
    assert indexed(deployment) == truth(deployment)


def export_of(place: Deployment, folder: Path, files: int = 3) -> str:
    """Write an export of the table in the layout of DynamoDB. The embedded server creates no exports."""
    home = folder / "exports/AWSDynamoDB/01604474914028-a1b2c3d4"
    (home / "data").mkdir(parents=True)
    dynamodb = aws_client(place.aws_url, "dynamodb")
    arn = dynamodb.describe_table(TableName=place.table)["Table"]["TableArn"]
    items = place.items.scan()["Items"]
    listed = []
    for number in range(files):
        name = f"part{number}.json.gz"
        lines = (json.dumps({"Item": typed(item)}) for item in items[number::files])
        (home / "data" / name).write_bytes(gzip.compress("\n".join(lines).encode()))
        listed.append({"dataFileS3Key": f"AWSDynamoDB/{home.name}/data/{name}", "itemCount": 1})
    summary = {"tableArn": arn, "exportTime": "2026-01-01T00:00:00.000Z", "outputFormat": "DYNAMODB_JSON"}
    (home / "manifest-summary.json").write_text(json.dumps(summary))
    (home / "manifest-files.json").write_text("\n".join(map(json.dumps, listed)))
    return str(folder / "exports")


def exports(place: Deployment) -> str:
    """Return the S3 URI of the exports."""
    return f"s3://exports-{place.bucket}/"


def as_objects(place: Deployment, folder: str) -> str:
    """Copy the export to S3 and return its URI."""
    place.s3.create_bucket(Bucket=f"exports-{place.bucket}")
    for path in Path(folder).rglob("*.*"):
        place.s3.upload_file(str(path), f"exports-{place.bucket}", str(path.relative_to(folder)))
    return exports(place)


@pytest.mark.long(after=1)
@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_an_export_is_loaded_and_what_changed_since_is_not_made_older(
    deployment: Deployment, tmp_path: Path, place: str
):
    """The export is old, so each line causes a re-read of the current item."""
    fill(deployment, SIZE)
    export = export_of(deployment, tmp_path)
    export = as_objects(deployment, export) if place == "bucket" else export
    deployment.items.put_item(Item={"id": "i0001", "title": "changed"})
    deployment.items.delete_item(Key={"id": "i0002"})
    done = backfill(deployment.app, TableFilter(), SCAN, BackfillOptions(export=export), lambda more: None)
    assert done.counts == {"applied": SIZE}
    assert indexed(deployment) == truth(deployment)


def test_an_export_of_another_table_is_refused(
    deployment: Deployment, aws_url: str, search_url: str, tmp_path: Path
):
    export = export_of(deployment, tmp_path)
    (tmp_path / "other").mkdir()
    other = Deployment(aws_url, search_url, tmp_path / "other")
    with other.app, pytest.raises(SettingsError, match=deployment.table):
        backfill(other.app, TableFilter(), SCAN, BackfillOptions(export=export), lambda more: None)


def test_the_files_of_an_export_are_read_from_a_queue(
    deployment: Deployment, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fill(deployment, SIZE)
    export = as_objects(deployment, export_of(deployment, tmp_path))
    deployment.items.delete_item(Key={"id": "i0002"})
    with pytest.raises(SettingsError, match="STREAMDEX_EXPORT_PREFIX"):
        enqueue(deployment, queue, export=export)
    told = replace(deployment.settings, task_queue=queue, export_prefix=export)
    with App(told, [Images(), ImageUploads()]) as app:
        found = backfill(
            app, TableFilter(), SCAN, BackfillOptions(enqueue=queue, export=export), lambda more: None
        )
    assert found.enqueued == 3
    assert list(handled(deployment, queue, monkeypatch))
    assert indexed(deployment) == truth(deployment)


def rebuilt(app: App, queue: str = "", **what: bool) -> Rebuilt:
    (one,) = change(
        app, TableFilter(), RebuildOptions(**what), SCAN, BackfillOptions(enqueue=queue), 1.0, lambda more: None
    )
    return one


@pytest.mark.long
def test_a_new_index_is_filled_by_others_and_then_put_in_place(
    deployment: Deployment, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(search_sink, "SEEN_FOR", 0.1)
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.5)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)
    fill(deployment, SIZE)
    backfill(deployment.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    with App(replace(deployment.settings), [Images(), ImageUploads()]) as app:
        with pytest.raises(SettingsError, match="nothing to continue"):
            rebuilt(app, rebuild=True, loaded=True)
        waits = rebuilt(app, queue, rebuild=True)
        assert (waits.done, waits.live) == (True, "")
        running = [Container(deployment, tmp_path, STREAMDEX_TASK_QUEUE=queue) for _ in range(2)]
        with ended_after(running):
            eventually(is_drained(deployment, queue), True)
            stop(*running)
        ended = rebuilt(app, rebuild=True, loaded=True)
    assert ended.live.endswith("-000002")
    assert indexed(deployment) == truth(deployment)
