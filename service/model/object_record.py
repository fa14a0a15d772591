"""A change of one object of one S3 bucket."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote_plus

from ..errors import DecodeError
from .events import CREATED, object_event
from .versions import NO_VERSION, normal_sequencer, object_version, sequencer_time

CEPH: Final = "ceph:s3"
MINIO: Final = "minio:s3"
OTHER_STORES: Final = (CEPH, MINIO)
"""The `eventSource` of stores whose sequencer does not order events. Their objects are always re-read.

MinIO's sequencer is the object's modification time. A deletion can have the same time as the creation before it.
Ceph's sequencer is the gateway's time in the byte order of its memory (`rgw_notify.cc`), which does not sort.
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """One content of an object.

    `version_id` is its version in a versioned bucket, `size` is in bytes, `modified` is the time of its last
    change in Unix seconds. Unknown values are "" or None.
    """

    version_id: str = ""
    etag: str = ""
    size: int | None = None
    modified: float | None = None

    def __str__(self) -> str:
        """Return the version id, or the ETag if it is missing or `null` (not unique: versioning is suspended)."""
        return self.etag if self.version_id in ("", "null") else self.version_id


class ObjectRecord:
    """An event of one object, in any notification format.

    - `event` is CREATED, DELETED, or the family of any other event.
    - `key` is the object's key, URL-decoded.
    - `size` (bytes), `etag`, `version_id` and `sequencer` are None or "" if the notification omits them.
      `sequencer` is also "" for MinIO and Ceph: only AWS defines its order.
    - `created` is the time of the event in Unix seconds.
    - `identifier` is the source's id of the record, used to request redelivery. `raw` is the record as received.
    """

    __slots__ = (
        "bucket",
        "created",
        "etag",
        "event",
        "identifier",
        "key",
        "name",
        "raw",
        "sequencer",
        "size",
        "source",
        "version",
        "version_id",
    )

    def __init__(
        self,
        raw: Mapping[str, Any],
        *,
        name: str,
        bucket: str,
        key: str,
        details: Mapping[str, Any],
        identifier: str = "",
    ):
        self.raw = raw
        self.name = name
        self.event = object_event(name)
        self.bucket = bucket
        self.key = key
        size = details.get("size")
        self.size = size if isinstance(size, int) and not isinstance(size, bool) else None
        self.etag = text(details.get("eTag") or details.get("etag"))
        self.version_id = text(details.get("versionId") or details.get("version-id"))
        sequencer = "" if raw.get("eventSource") in OTHER_STORES else text(details.get("sequencer"))
        self.sequencer = normal_sequencer(sequencer)
        self.version = object_version(self.sequencer)
        self.created = to_unix(raw.get("eventTime") or raw.get("time"))
        self.source = f"arn:aws:s3:::{bucket}"
        self.identifier = identifier

    @property
    def ordered(self) -> bool:
        """Always False: S3 does not guarantee order ("Event ordering and duplicate events", S3 User Guide)."""
        return False

    @property
    def revision(self) -> Revision:
        """The content of the object that the record names."""
        return Revision(self.version_id, self.etag, self.size, self.created)

    def as_now(self, event: str, version: int, revision: Revision) -> ObjectRecord:
        """Return a copy with this event, version and content. It keeps its time if `modified` is None."""
        found = copy(self)
        found.event, found.version = event, version
        found.version_id, found.etag, found.size = revision.version_id, revision.etag, revision.size
        found.created = self.created if revision.modified is None else revision.modified
        return found

    def drop_times_after(self, latest: float) -> bool:
        """Clear the time, and the sequencer with the version, if they are after `latest` (Unix seconds).

        Return True if anything was cleared. A record without a time counts as old, and a record without a
        sequencer as unordered.
        """
        dropped = False
        if self.created is not None and self.created > latest:
            self.created, dropped = None, True
        if sequencer_time(self.version) > latest:
            self.sequencer, self.version, dropped = "", NO_VERSION, True
        return dropped

    @property
    def subject(self) -> tuple[str, str]:
        """The bucket and key: equal for all records of one object."""
        return self.bucket, self.key

    def __repr__(self) -> str:
        return f"ObjectRecord({self.event} {self.bucket}/{self.key})"


def from_notification(raw: Mapping[str, Any], identifier: str = "") -> ObjectRecord:
    """Return the record of one entry of `Records` in an S3, MinIO or Ceph notification.

    Only Ceph does not URL-encode the key. Raises DecodeError if a member is missing or the key's encoding is
    invalid.
    """
    try:
        name, detail = raw["eventName"], raw["s3"]
        bucket, entry = detail["bucket"]["name"], detail["object"]
        key = entry["key"] if raw.get("eventSource") == CEPH else unquote_plus(entry["key"], errors="strict")
    except (AttributeError, KeyError, TypeError) as error:
        raise DecodeError(f"the S3 record lacks a field: {error}") from None
    except UnicodeDecodeError:
        raise DecodeError("the key of the S3 record is not URL-encoded UTF-8") from None
    return _object(raw, name, bucket, key, entry, identifier)


def from_eventbridge(raw: Mapping[str, Any], identifier: str = "") -> ObjectRecord:
    """Return the record of an S3 event from EventBridge, whose key is not URL-encoded. Raises DecodeError."""
    try:
        name, detail = raw["detail-type"], raw["detail"]
        bucket, entry = detail["bucket"]["name"], detail["object"]
        key = entry["key"]
    except (AttributeError, KeyError, TypeError) as error:
        raise DecodeError(f"the EventBridge event of S3 lacks a field: {error}") from None
    return _object(raw, name, bucket, key, entry, identifier)


def from_pointer(raw: Mapping[str, Any], identifier: str = "") -> ObjectRecord:
    """Return a CREATED record for the simplified message `{"bucket": …, "key": …}`. Raises DecodeError."""
    return _object(raw, CREATED, raw["bucket"], raw["key"], {}, identifier)


def _object(
    raw: Mapping[str, Any], name: Any, bucket: Any, key: Any, details: Any, identifier: str
) -> ObjectRecord:
    for what, value in (("event name", name), ("bucket", bucket), ("key", key)):
        if not isinstance(value, str) or not value:
            raise DecodeError(f"the {what} of the object record is empty or not a string")
    if not isinstance(details, Mapping):
        raise DecodeError("the object of the object record is not a map")
    return ObjectRecord(raw, name=name, bucket=bucket, key=key, details=details, identifier=identifier)


def to_unix(time: Any) -> float | None:
    """Return a time such as 2026-11-22T00:00:00.000Z in Unix seconds, or None if it is invalid."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (OverflowError, TypeError, ValueError):
        return None


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""
