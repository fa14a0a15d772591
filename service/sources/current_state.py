"""Read the current state: items, consistently and in batches, and the revision of an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from ..context import Context
from ..deadline import out_of_time
from ..errors import OutOfTime, Retry
from ..model import ObjectRecord, Revision, TableRecord
from ..model.dynamodb_json import read_item
from ..model.outcomes import OUT_OF_TIME
from ..model.serializer import typed

MOST: Final = 100
"""Maximum items of one request ("BatchGetItem", DynamoDB API Reference)."""

_Key: TypeAlias = tuple[Any, ...]


class Lookups:
    """Read the items and objects whose current state the dispatcher needs."""

    def __init__(self, context: Context):
        self._context = context

    def items(self, records: Sequence[TableRecord]) -> list[Mapping[str, Any] | None]:
        """Return the current typed item of each record; None if it does not exist.

        Raises Retry if a table is too busy to answer for all of them or no time is left, and what boto3 raises.
        """
        wanted: dict[str, dict[_Key, dict[str, Any]]] = {}
        for record in records:
            wanted.setdefault(record.table, {})[_key_of(record.keys)] = record.keys
        found: dict[tuple[str, _Key], Mapping[str, Any]] = {}
        for table, keys in wanted.items():
            names = list(next(iter(keys.values())))
            for item in self._read(table, [typed(key) for key in keys.values()]):
                key = read_item({name: item[name] for name in names})
                found[table, _key_of(key)] = item
        return [found.get((record.table, _key_of(record.keys))) for record in records]

    def revision(self, upload: ObjectRecord) -> Revision | None:
        """Return the current revision of the object; None if it does not exist or is a delete marker.

        Raises Retry if no time is left, and what boto3 raises.
        """
        from botocore.exceptions import ClientError

        self._take_time()
        try:
            answer = self._context.s3.head_object(Bucket=upload.bucket, Key=upload.key)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                return None
            raise
        return Revision(
            version_id=answer.get("VersionId", ""),
            etag=answer.get("ETag", "").strip('"'),
            size=answer["ContentLength"],
            modified=answer["LastModified"].timestamp(),
        )

    def _read(self, table: str, keys: Sequence[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
        rest = iter(keys)
        while page := list(islice(rest, MOST)):
            request: dict[str, Any] = {table: {"Keys": page, "ConsistentRead": True}}
            while request:
                self._take_time()
                answer = self._context.dynamodb.batch_get_item(RequestItems=request)
                read = answer.get("Responses", {}).get(table, [])
                yield from read
                request = answer.get("UnprocessedKeys") or {}
                if request and not read:
                    raise Retry(f"DynamoDB throttled the reads of table {table}")

    def _take_time(self) -> None:
        """Raise OutOfTime if the rest of a Lambda invocation is reserved for its answer."""
        if out_of_time():
            raise OutOfTime(OUT_OF_TIME.reason)


def _key_of(keys: Mapping[str, Any]) -> _Key:
    return tuple(sorted(keys.items(), key=lambda pair: pair[0]))
