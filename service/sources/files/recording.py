"""Recordings: JSON lines, Lambda events, dead letters and table exports, plain or gzip, on disk or in S3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from ...context import Context
from ...errors import DecodeError, SettingsError, UnknownEvent
from ...model import Record, Undecodable
from ...pipeline import Delivery, Report
from ..envelopes import unwrap
from .exports import Export, KeysOf, beside, data_files, is_line, is_manifest, of_table, record_of
from .json_lines import Document, documents
from .locations import STANDARD_INPUT, FileLocation, standard_input, store_of

_BATCH_BYTES: Final = 4 * 1024 * 1024
"""Bytes of text that complete a batch, however few records they contain."""


@dataclass(frozen=True)
class RecordedBatch:
    """Some records of the file. They need no acknowledgement."""

    delivery: Delivery

    def settle(self, report: Report) -> None:
        """Do nothing: a recording does not change."""


@dataclass
class Recording:
    """Batches of at most `size` records, read on demand: memory does not grow with the file.

    `export` is the export of the file, if any; `on_progress` gets the number of raw bytes of each read. An unknown
    line becomes an Undecodable named by file and line. Raises SettingsError if the file cannot be read, or if it
    has lines of an export whose table is unknown.
    """

    place: FileLocation
    export: Export | None = None
    keys_of: KeysOf = lambda table: ()
    on_progress: Callable[[int], None] = lambda more: None
    size: int = 1000

    @property
    def name(self) -> str:
        return f"recording {self.place.name}"

    def __iter__(self) -> Iterator[RecordedBatch]:
        batch: list[Record] = []
        weight = 0
        for record, size in self._weighed():
            batch.append(record)
            weight += size
            if len(batch) >= self.size or weight >= _BATCH_BYTES:
                yield RecordedBatch(Delivery(batch, self.name))
                batch, weight = [], 0
        if batch:
            yield RecordedBatch(Delivery(batch, self.name))

    def records(self) -> Iterator[Record]:
        """Return every record of the file, in order."""
        return (record for record, _ in self._weighed())

    def _weighed(self) -> Iterator[tuple[Record, int]]:
        """Yield each record with the bytes read for it."""
        with self.place.open(self.on_progress) as file:
            for document in documents(file):
                size = len(document.text)
                for record in self._read(document):
                    yield record, size
                    size = 0
            if file.error:
                reason = f"{self.place.name}: the rest cannot be decompressed: {file.error}"
                yield Undecodable("", reason, self.name, self.place.name), 0

    def _read(self, document: Document) -> Iterator[Record]:
        where, text = f"{self.place.name}:{document.line}", document.text
        if document.error:
            yield self._undecodable(text, where, document.error)
            return
        try:
            payload = json.loads(text)
            for record in self._exported(payload) if is_line(payload) else unwrap(payload):
                yield self._named(record, where)
        except (DecodeError, UnknownEvent) as error:
            yield self._undecodable(text, where, str(error))
        except (ValueError, RecursionError) as error:
            yield self._undecodable(text, where, f"not JSON: {error}")

    def _undecodable(self, text: bytes, where: str, reason: str) -> Undecodable:
        return Undecodable(text.decode(errors="replace"), f"{where}: {reason}", self.name, where)

    def _exported(self, line: Any) -> Iterator[Record]:
        if self.export is None:
            raise SettingsError(
                f"{self.place.where} contains items of an export but does not name their table. Pass --table=NAME."
            )
        yield record_of(line, self.export, self.keys_of)

    def _named(self, record: Record, where: str) -> Record:
        """Return the record. An Undecodable without an identifier is named by its line."""
        if not isinstance(record, Undecodable):
            return record
        return Undecodable(
            record.raw, f"{where}: {record.reason}", record.source or self.name, record.identifier or where
        )


@dataclass(frozen=True)
class Recordings:
    """The recordings at some paths: files, folders, `s3://BUCKET/KEY`, `s3://BUCKET/PREFIX/`, `-`.

    Files are listed on demand. Raises SettingsError if there are none.
    """

    wheres: Sequence[str]
    context: Context
    table: str = ""
    """The existing table name for export lines without a manifest; "" if unknown."""
    keys_of: KeysOf = lambda table: ()

    def read(self, on_progress: Callable[[int], None] = lambda more: None) -> Iterator[Recording]:
        """Yield the recordings; `on_progress` receives the number of raw bytes of each read."""
        named = of_table(self.table) if self.table else None
        for place, export in chain.from_iterable(files_of(where, self.context) for where in self.wheres):
            yield Recording(place, export or named, self.keys_of, on_progress)

    def size(self) -> int | None:
        """Return the total size in bytes; None if it is unknown."""
        places = chain.from_iterable(files_of(where, self.context) for where in self.wheres)
        sizes = [place.size for place, _ in places]
        return None if None in sizes else sum(size for size in sizes if size)


def files_of(where: str, context: Context) -> Iterator[tuple[FileLocation, Export | None]]:
    """Yield the files at a path; for an export, the data files of its manifest."""
    if where == STANDARD_INPUT:
        yield standard_input(), None
        return
    store, path = store_of(where, context)
    one = store.at(path)
    if one is not None:
        yield from data_files(store, one) if is_manifest(one) else [(one, beside(store, one))]
        return
    exported: set[str] = set()
    for manifest in filter(is_manifest, store.below(path)):
        for place, export in data_files(store, manifest):
            exported.add(place.path)
            yield place, export
    for place in store.below(path):
        if place.path not in exported and not is_beside_the_point(place):
            yield place, beside(store, place)


def is_beside_the_point(place: FileLocation) -> bool:
    """True if a file of a folder contains no records: hidden, unfinished, or part of a manifest."""
    return place.name.startswith((".", "_", "manifest-"))
