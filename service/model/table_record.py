"""A change of one item of one DynamoDB table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from ..errors import DecodeError
from .dynamodb_json import read_item
from .events import INSERT, MODIFY
from .versions import MARGIN, NO_VERSION, is_ranked, stream_version

Item: TypeAlias = dict[str, Any]

_EXACT: Final = 2**53


class TableRecord:
    """A stream record from boto3's `get_records` or from a Lambda event.

    - `event` is INSERT, MODIFY or REMOVE.
    - `keys`, `new` and `old` are the item's key and images as Python values. An image that the stream view
      omits is None. They are decoded on first use, and each raises DecodeError if a value is invalid.
    - `identifier` is the source's id of the record, used to request redelivery.
    - `raw` is the record as received. It is never changed.
    - `ordered` is True if the record was delivered in stream order, and False if through a queue.
    - `shard` is the shard that the record was read from, or "" if unknown.
    """

    __slots__ = (
        "_images",
        "created",
        "event",
        "identifier",
        "ordered",
        "raw",
        "sequence_number",
        "shard",
        "source",
        "table",
        "typed_keys",
        "version",
    )

    def __init__(
        self, raw: Mapping[str, Any], *, source: str = "", identifier: str | None = None, shard: str = ""
    ):
        """Read a record without its images. `source` is the stream's ARN for a record that does not contain it.

        Raises DecodeError if the event name, the table or the keys are missing.
        """
        try:
            change = raw["dynamodb"]
            self.event: str = raw["eventName"]
            self.typed_keys: Mapping[str, Any] = change["Keys"]
            number = change.get("SequenceNumber", "")
        except (AttributeError, KeyError, TypeError) as error:
            raise DecodeError(f"the stream record lacks a field: {error}") from None
        keyed = type(self.typed_keys) is dict or isinstance(self.typed_keys, Mapping)
        if not keyed or not isinstance(self.event, str):
            raise DecodeError("the stream record's eventName is not a string, or its Keys are not a map")
        self.raw = raw
        self.shard = shard
        said = raw.get("eventSourceARN")
        self.source = source = said if isinstance(said, str) and said else source
        self.table = table_of(source)
        self.sequence_number = number = number if isinstance(number, str) else ""
        self.ordered = identifier is None
        self.identifier = number if identifier is None else identifier
        self.created = created = to_seconds(change.get("ApproximateCreationDateTime"))
        self.version = stream_version(created, to_sequence(number))
        self._images: dict[str, Item | None] = {}

    @property
    def sequence(self) -> int | None:
        """The sequence number as an integer, or None if the record has none."""
        return to_sequence(self.sequence_number)

    @property
    def ranked(self) -> bool:
        """True if the version alone orders this record among the changes of the same second."""
        return is_ranked(self.created, self.sequence)

    @property
    def subject(self) -> tuple[str, str]:
        """The table and key: equal for all records of one item."""
        keys = self.typed_keys
        parts = []
        for name in keys if len(keys) == 1 else sorted(keys):
            typed = keys[name]
            text = typed.get("S") if type(typed) is dict else None
            # Nearly all keys are strings, and repr is ten times slower.
            parts.append(f"{len(text)}:{text}" if type(text) is str else repr(typed))
        return self.table, "".join(parts)

    @property
    def keys(self) -> Item:
        found = self._image("Keys")
        assert found is not None  # __init__ checks that the keys exist
        return found

    @property
    def new(self) -> Item | None:
        return self._image("NewImage")

    @property
    def old(self) -> Item | None:
        return self._image("OldImage")

    @property
    def has_new(self) -> bool:
        """True if the record has a new image."""
        return self.raw["dynamodb"].get("NewImage") is not None

    @property
    def has_old(self) -> bool:
        """True if the record has an old image."""
        return self.raw["dynamodb"].get("OldImage") is not None

    def as_now(self, image: Mapping[str, Any] | None, version: int) -> TableRecord:
        """Return a copy with the current item: `image` is its typed attributes, or None if it does not exist."""
        change = {
            name: part for name, part in self.raw["dynamodb"].items() if name not in ("NewImage", "OldImage")
        }
        event = "REMOVE"
        if image is not None:
            change["NewImage"] = image
            event = self.event if self.event in ("INSERT", "MODIFY") else "MODIFY"
        raw = {**self.raw, "eventName": event, "dynamodb": change}
        found = TableRecord(raw, source=self.source, identifier=self.identifier, shard=self.shard)
        found.ordered, found.version = self.ordered, version
        return found

    def as_collection(self, items: list[Item], version: int) -> TableRecord:
        """Return a copy whose new image is the list of all current items of the record's collection."""
        found = self.as_now({} if items else None, version)
        if items:
            found._images["NewImage"] = items  # type: ignore[assignment]  # see CollectionRoute
        return found

    def as_before(self, event: str) -> TableRecord:
        """Return a record with this event whose new image is the old one of this record."""
        change = {"Keys": self.typed_keys, "NewImage": self.raw["dynamodb"].get("OldImage")}
        raw = {**self.raw, "eventName": event, "dynamodb": change}
        return TableRecord(raw, source=self.source, identifier=self.identifier, shard=self.shard)

    def drop_times_after(self, latest: float) -> bool:
        """Clear the time and the version if the time is after `latest` (Unix seconds). Return True if it was."""
        if self.created is None or self.created <= latest:
            return False
        self.created, self.version = None, NO_VERSION
        return True

    @property
    def expired(self) -> bool:
        """True if DynamoDB deleted the item because of its time to live.

        Source: "DynamoDB Streams and Time to Live": the principal in userIdentity is dynamodb.amazonaws.com. boto3
        capitalizes the field names, Lambda does not.
        """
        identity = self.raw.get("userIdentity")
        if not isinstance(identity, Mapping):
            return False
        principal = identity.get("principalId", identity.get("PrincipalId"))
        return self.event == "REMOVE" and principal == "dynamodb.amazonaws.com"

    def read_new(self) -> Item | None:
        """Return `new` without caching it: the decoded item is a hundred times the size of its text."""
        return self._images["NewImage"] if "NewImage" in self._images else self._read("NewImage")

    def read_old(self) -> Item | None:
        """Return `old` without caching it."""
        return self._images["OldImage"] if "OldImage" in self._images else self._read("OldImage")

    def _image(self, name: str) -> Item | None:
        if name not in self._images:
            self._images[name] = self._read(name)
        return self._images[name]

    def _read(self, name: str) -> Item | None:
        image = self.raw["dynamodb"].get(name)
        try:
            return None if image is None else read_item(image)
        except DecodeError as error:
            raise DecodeError(f"{name}{error}") from None

    def __repr__(self) -> str:
        return f"TableRecord({self.event} {self.table} {self.identifier})"


def scanned(item: Mapping[str, Any], keys: Iterable[str], stream: str, read_at: float) -> TableRecord:
    """Return a record for a typed item from a consistent scan, to load it while the stream is live.

    `keys` names the key attributes, `stream` is the stream's ARN, and `read_at` is the server's time in Unix
    seconds before the page was read. The version is that time minus MARGIN. Every later change has a higher
    version, and every change with a lower version is in the scan.
    """
    change = {
        "ApproximateCreationDateTime": int(read_at - MARGIN),
        "Keys": {name: item[name] for name in keys},
        "NewImage": item,
    }
    return TableRecord({"eventName": INSERT, "eventSourceARN": stream, "dynamodb": change})


def requested(table: str, keys: Mapping[str, Any], created: float | None, sequence: str) -> TableRecord:
    """Return a record that asks to make the document of a typed key again, on behalf of another record.

    It has the time and the sequence number, and so the version, of that record.
    """
    change = {"ApproximateCreationDateTime": created, "Keys": keys, "SequenceNumber": sequence}
    raw = {
        "eventName": MODIFY,
        "eventSourceARN": f"arn:aws:dynamodb:::table/{table}/stream/reindex",
        "dynamodb": change,
    }
    return TableRecord(raw, identifier=f"reindex {sequence} {sorted(keys.items())}")


@lru_cache(maxsize=1024)
def table_of(stream: str) -> str:
    """Return the table name from a stream ARN, `arn:…:table/NAME/stream/LABEL`. Raises DecodeError."""
    _, found, rest = stream.partition(":table/")
    name = rest.partition("/")[0]
    if not found or not name:
        raise DecodeError("the stream record has no valid eventSourceARN, so its table is unknown")
    return name


def to_sequence(text: str) -> int | None:
    """Return a sequence number as an integer, or None if it is invalid."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 40 else None


def to_seconds(time: Any) -> float | None:
    """Return Unix seconds for a number (Lambda) or a datetime (boto3), or None for anything else."""
    if type(time) is float or (type(time) is int and abs(time) < _EXACT):
        return float(time)
    if isinstance(time, datetime):
        return time.timestamp()
    if isinstance(time, int | float) and not isinstance(time, bool):
        try:
            return float(time)
        except OverflowError:
            return None
    return None
