"""Exports of DynamoDB tables to S3 in DynamoDB JSON: full and incremental ones.

Source: "DynamoDB table export output format" (Amazon DynamoDB Developer Guide). `AWSDynamoDB/EXPORT-ID/` contains
`manifest-summary.json` with table and time, and `manifest-files.json` with one line per data file. The data of a
full export is in `data/` of the same folder, one line `{"Item": …}` per item. The data of all incremental exports
is in `AWSDynamoDB/data/`, one line with `Metadata`, `Keys` and images per changed item.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ...errors import DecodeError, SettingsError
from ...model import INSERT, MODIFY, REMOVE, TableRecord
from ...model.object_record import to_unix
from ...model.table_record import scanned, table_of
from ...model.versions import MARGIN
from .json_lines import LARGEST, Document, lines
from .locations import FileLocation, Store

SUMMARY: Final = "manifest-summary.json"
FILES: Final = "manifest-files.json"
INCREMENTAL: Final = "INCREMENTAL_EXPORT"

KeysOf: TypeAlias = Callable[[str], Sequence[str]]
"""Return the names of a table's key attributes; an empty sequence if no route declares them."""


@dataclass(frozen=True)
class Export:
    """The facts that the lines do not contain: the table's ARN, and the export time in Unix seconds, if known."""

    table: str
    time: float | None = None


def of_table(name: str) -> Export:
    """Return the export of a data file of which only the table is known."""
    return Export(f"arn:aws:dynamodb:::table/{name}")


def is_line(payload: Any) -> bool:
    """True for a line of an export."""
    if not isinstance(payload, Mapping):
        return False
    return payload.keys() == {"Item"} or ("Keys" in payload and "Metadata" in payload)


def record_of(line: Mapping[str, Any], export: Export, keys_of: KeysOf) -> TableRecord:
    """Return the record of a line. Raises DecodeError.

    The version is the line's time minus MARGIN, because the clock of the stream differs: later stream records are
    newer. An item without a known time gets the lowest version. The records are unordered.
    """
    record = _item(line["Item"], export, keys_of) if "Item" in line else _change(line, export)
    record.ordered = False
    return record


def _item(item: Any, export: Export, keys_of: KeysOf) -> TableRecord:
    if not isinstance(item, Mapping):
        raise DecodeError("the item in the export is not a map")
    try:
        record = scanned(item, keys_of(table_of(export.table)), export.table, export.time or 0.0)
    except KeyError as error:
        raise DecodeError(f"the item in the export lacks the key attribute {error}") from None
    record.created = export.time
    return record


def _change(line: Mapping[str, Any], export: Export) -> TableRecord:
    images = {name: line[name] for name in ("NewImage", "OldImage") if line.get(name) is not None}
    change: dict[str, Any] = {"Keys": line["Keys"], **images}
    written = _seconds(line["Metadata"])
    if written is not None:
        change["ApproximateCreationDateTime"] = int(written - MARGIN)
    event = REMOVE if "NewImage" not in images else MODIFY if "OldImage" in images else INSERT
    record = TableRecord({"eventName": event, "eventSourceARN": export.table, "dynamodb": change})
    record.created = written
    return record


def _seconds(metadata: Any) -> float | None:
    """Return WriteTimestampMicros in Unix seconds. It is a typed number, or a plain one as in AWS's examples."""
    micros = metadata.get("WriteTimestampMicros") if isinstance(metadata, Mapping) else None
    text: Any = micros.get("N") if isinstance(micros, Mapping) else micros
    try:
        return int(text) / 1_000_000
    except (TypeError, ValueError, OverflowError):
        return None


def is_manifest(place: FileLocation) -> bool:
    return place.name == SUMMARY


def beside(store: Store, place: FileLocation) -> Export | None:
    """Return the export of a data file, from the manifest of its folder; None without a manifest."""
    folder, data = posixpath.split(posixpath.dirname(place.path))
    manifest = store.at(posixpath.join(folder, SUMMARY)) if data == "data" else None
    return None if manifest is None else _export(_read(manifest), manifest.where)


def data_files(store: Store, manifest: FileLocation) -> Iterator[tuple[FileLocation, Export]]:
    """Yield the data files of an export. Raises SettingsError for a missing file, or for Amazon Ion."""
    summary = _read(manifest)
    export = _export(summary, manifest.where)
    folder = posixpath.dirname(manifest.path)
    home = posixpath.dirname(folder) if summary.get("exportType") == INCREMENTAL else folder
    listing = _at(store, posixpath.join(folder, FILES), manifest)
    with listing.open() as file:
        for line in lines(file):
            yield _at(store, posixpath.join(home, "data", _file_in(line, listing)), manifest), export


def _file_in(line: Document, listing: FileLocation) -> str:
    """Return the name of the data file in a line of the manifest. Raises SettingsError."""
    try:
        if line.error:
            raise ValueError(line.error)
        return str(posixpath.basename(json.loads(line.text)["dataFileS3Key"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SettingsError(f"{listing.where}:{line.line} does not name a file of an export: {error}") from error


def _at(store: Store, path: str, manifest: FileLocation) -> FileLocation:
    found = store.at(path)
    if found is None:
        raise SettingsError(f"the export is incomplete: {path}, which {manifest.where} lists, does not exist")
    return found


def _read(manifest: FileLocation) -> Mapping[str, Any]:
    try:
        with manifest.open() as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST:,} bytes")
        summary = json.loads(text)
        if not isinstance(summary["tableArn"], str):
            raise TypeError("tableArn is not a string")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SettingsError(f"{manifest.where} is not a valid manifest of an export: {error}") from error
    found: Mapping[str, Any] = summary
    return found


def _export(summary: Mapping[str, Any], where: str) -> Export:
    form = summary.get("outputFormat", "DYNAMODB_JSON")
    if form != "DYNAMODB_JSON":
        raise SettingsError(f"{where}: the export has the format {form}. Export the table as DYNAMODB_JSON.")
    return Export(summary["tableArn"], to_unix(summary.get("exportTime") or summary.get("exportToTime")))
