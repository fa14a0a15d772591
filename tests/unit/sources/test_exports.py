"""Full and incremental exports of tables, on disk and in S3: table and time come from the manifests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from builders import as_json
from fakes import Bench, Items
from moto import mock_aws

from service.context import Context
from service.errors import SettingsError
from service.model import Record, TableRecord, Undecodable
from service.model.serializer import typed
from service.model.versions import MARGIN, NO_VERSION, second_of, stream_version
from service.pipeline import Delivery
from service.sources.files.exports import of_table
from service.sources.files.locations import Disk
from service.sources.files.recording import Recording, Recordings

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/images"
ID = "01604474914028-a1b2c3d4"
EXPORTED = 1_604_474_914.028  # 2020-11-04T07:28:34.028Z

FULL = {
    "version": "2020-06-30",
    "exportArn": f"{TABLE}/export/{ID}",
    "startTime": "2020-11-04T07:28:34.028Z",
    "endTime": "2020-11-04T07:33:43.897Z",
    "tableArn": TABLE,
    "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
    "exportTime": "2020-11-04T07:28:34.028Z",
    "s3Bucket": "exports",
    "s3Prefix": "daily",
    "s3SseAlgorithm": "AES256",
    "s3SseKmsKeyId": None,
    "manifestFilesS3Key": f"daily/AWSDynamoDB/{ID}/manifest-files.json",
    "billedSizeBytes": 0,
    "itemCount": 3,
    "outputFormat": "DYNAMODB_JSON",
}
INCREMENTAL = {
    **{name: said for name, said in FULL.items() if name != "exportTime"},
    "version": "2023-08-01",
    "exportFromTime": "2020-11-04T07:00:00.000Z",
    "exportToTime": "2020-11-04T07:28:34.028Z",
    "outputView": "NEW_AND_OLD_IMAGES",
    "exportType": "INCREMENTAL_EXPORT",
}


def packed(*lines: Any) -> bytes:
    return gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())


def item(name: str, **more: Any) -> Any:
    return {"Item": as_json(typed({"id": name, **more}))}


def change(name: str, micros: Any, **images: Any) -> Any:
    made = {image: as_json(typed({"id": name, **values})) for image, values in images.items()}
    return {"Metadata": {"WriteTimestampMicros": micros}, "Keys": as_json(typed({"id": name})), **made}


def export(summary: Any, *files: bytes, shared: bool = False) -> dict[str, bytes]:
    """Return the files of an export by key. `shared` is True for the data folder of incremental exports."""
    home = "daily/AWSDynamoDB" if shared else f"daily/AWSDynamoDB/{ID}"
    data = {f"{home}/data/{number}.json.gz": file for number, file in enumerate(files)}
    listed = [{"itemCount": 1, "md5Checksum": "x", "etag": "y", "dataFileS3Key": key} for key in data]
    folder = f"daily/AWSDynamoDB/{ID}"
    return {
        f"{folder}/_started": b"",
        f"{folder}/manifest-files.checksum": b"4c1c",
        f"{folder}/manifest-files.json": "".join(json.dumps(entry) + "\n" for entry in listed).encode(),
        f"{folder}/manifest-summary.checksum": b"4c1c",
        f"{folder}/manifest-summary.json": json.dumps(summary).encode(),
        **data,
    }


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    for key, body in files.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def key_of(table: str) -> Sequence[str]:
    return ("id",) if table == "images" else ()


def read(*wheres: Any, table: str = "", context: Context | None = None) -> list[Record]:
    found = Recordings([str(where) for where in wheres], context or Context(), table, key_of).read()
    return [record for recording in found for record in recording.records()]


def ids(records: Sequence[Record]) -> list[str]:
    return [record.keys["id"] for record in records if isinstance(record, TableRecord)]


FILES = export(FULL, packed(item("a", n=1, bytes=b"\0\xff"), item("b")), packed(), packed(item("c")))


@pytest.mark.parametrize("where", ["daily/", "daily/AWSDynamoDB", f"daily/AWSDynamoDB/{ID}/manifest-summary.json"])
def test_an_export_is_read_by_its_manifest_once_wherever_it_is_named(tmp_path, where):
    assert ids(read(lay_out(tmp_path, FILES) / where)) == ["a", "b", "c"]


@pytest.mark.parametrize("where", ["daily/", "daily/AWSDynamoDB", f"daily/AWSDynamoDB/{ID}/manifest-summary.json"])
def test_an_export_is_read_from_s3_alike(monkeypatch, where):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="copies")  # not the bucket in the manifest
        for key, body in FILES.items():
            s3.put_object(Bucket="copies", Key=key, Body=body)
        assert ids(read(f"s3://copies/{where}", context=Context(s3=s3))) == ["a", "b", "c"]


def test_an_item_is_of_the_table_and_the_time_of_its_export(tmp_path):
    first, *_ = read(lay_out(tmp_path, FILES))
    assert isinstance(first, TableRecord)
    assert (first.event, first.table, first.new) == ("INSERT", "images", {"id": "a", "n": 1, "bytes": b"\0\xff"})
    assert first.created == EXPORTED
    assert not first.ordered


def test_an_item_is_older_than_whatever_the_stream_has_after_the_export(tmp_path):
    first, *_ = read(lay_out(tmp_path, FILES))
    assert isinstance(first, TableRecord)
    assert first.version == stream_version(int(EXPORTED - MARGIN), None)
    assert first.version < stream_version(int(EXPORTED - MARGIN) + 1, 0)


def test_one_data_file_of_an_export_knows_its_manifest(tmp_path):
    path = lay_out(tmp_path, FILES) / f"daily/AWSDynamoDB/{ID}/data/2.json.gz"
    (only,) = read(path)
    assert isinstance(only, TableRecord)
    assert (only.keys, only.created) == ({"id": "c"}, EXPORTED)


def test_a_data_file_alone_does_not_say_its_table(tmp_path):
    path = tmp_path / "2.json.gz"
    path.write_bytes(packed(item("c")))
    with pytest.raises(SettingsError, match="--table=NAME"):
        read(path)


def test_an_item_of_a_data_file_alone_wins_only_where_nothing_is_known(tmp_path):
    path = tmp_path / "2.json.gz"
    path.write_bytes(packed(item("c", n=3)))
    (record,) = read(path, table="images")
    assert isinstance(record, TableRecord)
    assert (record.table, record.created, record.version) == ("images", None, NO_VERSION)
    bench = Bench(Items(), trusting=True)
    bench.dispatcher.run(Delivery([record], "test"))
    assert bench.documents == {"c": {"n": 3}}
    bench.index.versions["items", "c"] = 5
    (result,) = bench.dispatcher.run(Delivery([record], "test")).results
    assert result.outcome.name == "STALE"


def test_an_item_of_a_table_without_a_route_is_one_for_which_there_is_none(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(item("c")))
    (result,) = Bench(Items()).dispatcher.run(Delivery(read(path, table="users"), "test")).results
    assert result.reason == "no route for table users"


@pytest.mark.parametrize("line", [{"Item": {"name": {"S": "x"}}}, {"Item": ["a"]}, {"Item": None}])
def test_a_line_that_is_no_item_of_the_table_is_told_and_the_rest_is_read(tmp_path, line):
    files = export(FULL, packed(item("a"), line, item("b")))
    first, bad, last = read(lay_out(tmp_path, files))
    assert ids([first, last]) == ["a", "b"]
    assert isinstance(bad, Undecodable)
    assert "0.json.gz:2" in bad.reason


def incremental() -> dict[str, bytes]:
    written = {"N": "1604474000999999"}
    changes = [
        change("new", written, NewImage={"n": 1}),
        change("both", written, NewImage={"n": 2}, OldImage={"n": 1}),
        change("gone", written, OldImage={"n": 1}),
        change("gone too", 1_604_474_000_999_999),
    ]
    return export(INCREMENTAL, packed(*changes), shared=True)


@pytest.mark.parametrize("where", ["", "daily/AWSDynamoDB", f"daily/AWSDynamoDB/{ID}"])
def test_an_incremental_export_whose_data_is_in_the_folder_of_all_is_read_once(tmp_path, where):
    assert ids(read(lay_out(tmp_path, incremental()) / where)) == ["new", "both", "gone", "gone too"]


def test_a_change_of_an_incremental_export_is_what_its_images_say(tmp_path):
    records = read(lay_out(tmp_path, incremental()))
    assert [r.event for r in records if isinstance(r, TableRecord)] == ["INSERT", "MODIFY", "REMOVE", "REMOVE"]
    assert {second_of(r.version) for r in records if isinstance(r, TableRecord)} == {
        second_of(stream_version(1_604_474_000 - MARGIN, None))
    }
    assert {r.created for r in records if isinstance(r, TableRecord)} == {1_604_474_000.999999}


@pytest.mark.parametrize("metadata", [{}, None, "when?", {"WriteTimestampMicros": {"N": "soon"}}])
def test_a_change_without_a_time_has_the_weakest_version(tmp_path, metadata):
    path = tmp_path / "data.json"
    path.write_text(json.dumps({**change("a", "when?", NewImage={}), "Metadata": metadata}))
    (record,) = Recording(Disk().at(str(path)), of_table("images")).records()
    assert isinstance(record, TableRecord)
    assert (record.version, record.created) == (NO_VERSION, None)


def test_a_full_and_an_incremental_export_end_as_the_table_was(tmp_path):
    lay_out(tmp_path / "1", export(FULL, packed(item("a", n=1), item("b", n=1))))
    later = {"N": str(int((EXPORTED + 60) * 1_000_000))}
    changes = packed(
        change("a", later, NewImage={"n": 2}), change("b", later), change("c", later, NewImage={"n": 1})
    )
    lay_out(tmp_path / "2", export(INCREMENTAL, changes, shared=True))
    for order in (["1", "2"], ["2", "1"]):
        bench = Bench(Items(), trusting=True)
        for folder in order:
            bench.dispatcher.run(Delivery(read(tmp_path / folder), "test"))
        assert bench.documents == {"a": {"n": 2}, "c": {"n": 1}}


def test_an_export_in_ion_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match=r"ION.*DYNAMODB_JSON"):
        read(lay_out(tmp_path, export({**FULL, "outputFormat": "ION"}, packed(item("a")))))


def test_a_data_file_that_is_missing_is_told(tmp_path):
    lay_out(tmp_path, FILES)
    (tmp_path / f"daily/AWSDynamoDB/{ID}/data/2.json.gz").unlink()
    with pytest.raises(SettingsError, match=r"the export is incomplete: .*2\.json\.gz, which .* does not exist"):
        read(tmp_path)


@pytest.mark.parametrize("summary", [{}, [], {"tableArn": 1}])
def test_a_manifest_that_is_none_is_told(tmp_path, summary):
    lay_out(tmp_path, export(summary, packed(item("a"))))
    with pytest.raises(SettingsError, match="is not a valid manifest of an export"):
        read(tmp_path)
