"""Read the current state: items, consistently and in batches, and the revision of an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..clients.search.response_reader import part
from ..clients.search.scrolling import pages_of_hits
from ..context import Context
from ..errors import Reject
from ..model import Item, ObjectRecord, Revision, TableRecord
from ..model.dynamodb_json import read_item
from ..model.serializer import typed
from ..routing import BoundRoute
from ..routing.document_ids import PARENT
from ..table_reads import begins_with, key_of, query_of, query_pages, read_items, take_time

AT_ONCE: Final = 500
"""Items whose sub-documents are searched together."""

PAGE: Final = 1000
"""Sub-documents in one page of such a search."""

SCROLL: Final = "1m"


class Lookups:
    """Read the items and objects whose current state the dispatcher needs."""

    def __init__(self, context: Context):
        self._context = context

    def items(self, records: Sequence[TableRecord]) -> list[Mapping[str, Any] | None]:
        """Return the current typed item of each record; None if it does not exist.

        Raises Retry if a table is too busy to answer for all of them or no time is left, and what boto3 raises.
        """
        wanted: dict[str, dict[Any, Mapping[str, Any]]] = {}
        keys = [key_of(record.typed_keys) for record in records]
        for record, key in zip(records, keys, strict=True):
            wanted.setdefault(record.table, {})[key] = record.keys
        found: dict[tuple[str, Any], Mapping[str, Any]] = {}
        for table, of_table in wanted.items():
            names = list(next(iter(of_table.values())))
            for item in read_items(self._context.dynamodb, table, [typed(one) for one in of_table.values()]):
                found[table, key_of({name: item[name] for name in names})] = item
        return [found.get((record.table, key)) for record, key in zip(records, keys, strict=True)]

    def collection(self, record: TableRecord, bound: BoundRoute) -> list[Item]:
        """Return the items of the record's collection in the order of their sort keys.

        Raises Reject if they are more than the setting `collection_items`, OutOfTime, and what boto3 raises.
        """
        most, collection = self._context.settings.collection_items, bound.collection_key(record.keys)
        place = dict(zip(bound.key, collection, strict=False))
        if len(place) == 2:
            place[bound.key[1]] = begins_with(place[bound.key[1]])
        items: list[Item] = []
        for page in query_pages(self._context.dynamodb, query_of(record.table, place)):
            found = [read_item(item) for item in page]
            # "ORDER#71" begins with "ORDER#7", but is of another collection.
            items += [item for item in found if bound.collection_key(item) == collection]
            if len(items) > most:
                raise Reject(
                    f"the collection has more than {most} items: raise the setting collection_items, or divide the"
                    " collection with sort_prefix()"
                )
        return items

    def sub_documents(self, places: Sequence[tuple[str, str]]) -> list[set[str]]:
        """Return the ids of the sub-documents of each item, which is an index and the item's document id.

        The indices are refreshed first, so the search finds all that was written before. Raises OutOfTime and what
        opensearch-py raises.
        """
        found: dict[tuple[str, str], set[str]] = {}
        for index in {index for index, _ in places}:
            parents = sorted({parent for one, parent in places if one == index})
            for begin in range(0, len(parents), AT_ONCE):
                for parent, name in self._with_parents(index, parents[begin : begin + AT_ONCE]):
                    found.setdefault((index, parent), set()).add(name)
        return [found.get(place, set()) for place in places]

    def _with_parents(self, index: str, parents: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the parent and the id of each sub-document. A missing index has none."""
        search, missing = self._context.search, {"ignore_unavailable": "true"}
        take_time()
        search.indices.refresh(index=index, params=missing)
        take_time()
        body = {"sort": ["_doc"], "_source": [PARENT], "size": PAGE, "query": {"terms": {PARENT: list(parents)}}}
        options = {**missing, "allow_partial_search_results": "false"}
        for hits in pages_of_hits(search, index, body, SCROLL, options):
            yield from ((part(hit, str, "_source", PARENT), part(hit, str, "_id")) for hit in hits)
            take_time()

    def revision(self, upload: ObjectRecord) -> Revision | None:
        """Return the current revision of the object; None if it does not exist or is a delete marker.

        Raises Retry if no time is left, and what boto3 raises.
        """
        from botocore.exceptions import ClientError

        take_time()
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
