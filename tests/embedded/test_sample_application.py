"""The main job, end to end: changes made with plain boto3 are found by plain HTTP, and the index stays in sync."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from io import BytesIO

import pytest
from deployments import Deployment, Running, documents_of, eventually
from PIL import Image

from infra.shim.embedded_servers import embedded_search
from infra.shim.probes import free_port
from infra.shim.provision import provision
from routes.images import Images
from service.bootstrap.application import App

EVERYTHING = {
    "id": "everything",
    "title": "Every type",
    "string": "text",
    "empty": "",
    "integer": 7,
    "negative": -1,
    "decimal": Decimal("1.5"),
    "tenth": Decimal("0.1"),
    "long": Decimal("12345678901234567890123456789012345678"),
    "fine": Decimal("1.2345678901234567890123456789"),
    "binary": b"\0\1\xff",
    "strings": {"b", "a"},
    "numbers": {3, Decimal("2.5"), 1},
    "binaries": {b"b", b"a"},
    "map": {"in": {"a": [1, "two", None, True, {"deep": b"x"}]}},
    "list": [1, "two", {"three": Decimal("3.5")}, []],
    "true": True,
    "null": None,
}
AS_DOCUMENT = {
    "title": "Every type",
    "metadata": {
        "string": "text",
        "empty": "",
        "integer": 7,
        "negative": -1,
        "decimal": 1.5,
        "tenth": 0.1,
        "long": "12345678901234567890123456789012345678",
        "fine": "1.2345678901234567890123456789",
        "binary": "AAH/",
        "strings": ["a", "b"],
        "numbers": [1, 2.5, 3],
        "binaries": ["YQ==", "Yg=="],
        "map": {"in": {"a": [1, "two", None, True, {"deep": "eA=="}]}},
        "list": [1, "two", {"three": 3.5}, []],
        "true": True,
        "null": None,
    },
}
ODD_KEYS = ["a b.jpg", "plus+sign.jpg", "dir/sub/x.jpg", "ü ñ 日本.jpg", "100%25.jpg", "a&b=c?.jpg", "~a|b.jpg"]


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    body = BytesIO()
    Image.new("RGB", (width, height)).save(body, form)
    return body.getvalue()


def test_an_item_with_every_type_is_found_updated_and_removed(running: Deployment):
    running.items.put_item(Item=EVERYTHING)
    eventually(running.documents, {"everything": AS_DOCUMENT})
    running.items.update_item(
        Key={"id": "everything"},
        UpdateExpression="SET title = :t REMOVE #l",
        ExpressionAttributeNames={"#l": "list"},
        ExpressionAttributeValues={":t": "Fewer"},
    )
    fewer = {name: value for name, value in AS_DOCUMENT["metadata"].items() if name != "list"}
    eventually(running.documents, {"everything": {"title": "Fewer", "metadata": fewer}})
    running.items.delete_item(Key={"id": "everything"})
    eventually(running.documents, {})


def test_the_article_s_item_is_found_with_its_metadata(running: Deployment):
    item = {"id": "ALEX18", "_dt": "2017-02-08T13:30:38.915580", "metadata": {"description": "12-year-old"}}
    running.items.put_item(Item=item)
    metadata = {"description": "12-year-old", "_dt": "2017-02-08T13:30:38.915580"}
    eventually(running.documents, {"ALEX18": {"metadata": metadata}})


def test_an_image_is_found_by_its_metadata_until_it_is_deleted(running: Deployment):
    running.s3.upload_file("tests/data/lisbon.jpg", running.bucket, "lisbon.jpg", {"ContentType": "image/jpeg"})
    eventually(lambda: list(running.documents()), ["lisbon.jpg"])
    metadata = running.documents()["lisbon.jpg"]["metadata"]
    assert {name: metadata[name] for name in ("format", "width", "height", "content_type")} == {
        "format": "JPEG",
        "width": 640,
        "height": 427,
        "content_type": "image/jpeg",
    }
    assert metadata["exif"]["DateTimeOriginal"] == "2026:08:14 20:31:07"
    assert metadata["exif"]["Model"] == "Camera One"
    running.s3.delete_object(Bucket=running.bucket, Key="lisbon.jpg")
    eventually(running.documents, {})
    assert running.items.scan()["Items"] == []


def test_keys_of_every_kind_work_from_the_bucket_to_the_document(running: Deployment):
    for key in ODD_KEYS:
        running.upload(key, picture(1, 1))
    # An id that resembles another kind of key is marked as text.
    ids = sorted("~~a|b.jpg" if key == "~a|b.jpg" else key for key in ODD_KEYS)
    eventually(lambda: sorted(running.documents()), ids)
    for key in ODD_KEYS:
        running.s3.delete_object(Bucket=running.bucket, Key=key)
    eventually(running.documents, {})
    assert running.rejected() == []


def test_a_title_that_somebody_gave_survives_another_upload(running: Deployment):
    running.upload("a.png", picture(1, 1))
    eventually(lambda: list(running.documents()), ["a.png"])
    running.items.update_item(
        Key={"id": "a.png"}, UpdateExpression="SET title = :t", ExpressionAttributeValues={":t": "Dusk"}
    )
    running.upload("a.png", picture(2, 2))
    eventually(lambda: running.documents()["a.png"].get("metadata", {}).get("width"), 2)
    assert running.documents()["a.png"]["title"] == "Dusk"


@pytest.mark.long(after=1)
@pytest.mark.parametrize(
    ("body", "reason"), [(b"hello", "not an image"), (b"", "not an image"), (picture(9, 9)[:40], "not an image")]
)
def test_what_is_no_image_is_kept_with_the_reason_and_disturbs_nothing(running: Deployment, body, reason):
    running.upload("broken.png", body)
    running.upload("fine.png", picture(1, 1))
    eventually(lambda: list(running.documents()), ["fine.png"])
    eventually(lambda: len(running.rejected()), 1)
    (letter,) = running.rejected()
    assert reason in letter["reason"]
    assert letter["route"] == "images:ImageUploads"
    assert letter["record"]["s3"]["object"]["key"] == "broken.png"


def test_an_upload_that_is_gone_when_it_is_read_is_skipped(deployment: Deployment):
    deployment.upload("gone.png", picture(1, 1))
    deployment.s3.delete_object(Bucket=deployment.bucket, Key="gone.png")
    workers = Running(deployment.app)
    deployment.upload("last.png", picture(1, 1))
    eventually(lambda: list(deployment.documents()), ["last.png"])
    workers.stop()
    assert deployment.rejected() == []


def test_a_burst_of_changes_ends_with_the_index_equal_to_the_table(running: Deployment):
    with running.items.batch_writer() as batch:
        for number in range(200):
            batch.put_item(Item={"id": f"i{number}", "title": "first"})
    for number in range(0, 200, 2):
        running.items.put_item(Item={"id": f"i{number}", "title": "second"})
    for number in range(0, 200, 3):
        running.items.delete_item(Key={"id": f"i{number}"})
    wanted = {f"i{n}": {"title": "first" if n % 2 else "second", "metadata": {}} for n in range(200) if n % 3}
    eventually(running.documents, wanted)
    assert {item["id"] for item in running.items.scan()["Items"]} == set(wanted)


def test_a_restart_reads_on_where_it_stopped(deployment: Deployment):
    workers = Running(deployment.app)
    deployment.items.put_item(Item={"id": "before", "title": "T"})
    eventually(lambda: list(deployment.documents()), ["before"])
    workers.stop()
    deployment.items.put_item(Item={"id": "between", "title": "T"})
    workers = Running(deployment.app)
    eventually(lambda: sorted(deployment.documents()), ["before", "between"])
    workers.stop()


def test_a_run_with_a_new_search_server_ends_with_all_documents(aws_url, tmp_path, capfd):
    """The AWS emulator keeps running with its streams, so the checkpoints are kept."""
    with embedded_search(free_port()) as url:
        made = Deployment(aws_url, url, tmp_path)
        for number in range(5):
            made.items.put_item(Item={"id": f"i{number}", "title": "T"})
        with made.app as app:
            workers = Running(app)
            eventually(lambda: len(made.documents()), 5)
            workers.stop()
    with embedded_search(free_port()) as url, App(replace(made.settings, search_url=url), [Images()]) as app:
        provision(app)
        workers = Running(app)
        made.items.put_item(Item={"id": "last", "title": "T"})
        eventually(lambda: len(documents_of(url, made.index)), 6)
        workers.stop()
    assert "an index was missing" in capfd.readouterr().err


def test_positions_can_be_kept_in_a_table(aws_url, search_url, tmp_path):
    made = Deployment(aws_url, search_url, tmp_path)
    kept = replace(made.settings, checkpoints=f"dynamodb://positions-{made.table}", read_queue=())
    with made.app, App(kept, [Images()]) as app:
        workers = Running(app)
        made.items.put_item(Item={"id": "a", "title": "T"})
        eventually(lambda: list(made.documents()), ["a"])
        workers.stop()
        rows = app.context.dynamodb.scan(TableName=f"positions-{made.table}")["Items"]
        assert sorted(row["shard"]["S"].partition("-")[0] for row in rows) == ["begun", "lease", "shardId"]
