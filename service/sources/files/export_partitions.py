"""The data files of a table export as partitions, to be loaded while the table's stream is live."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ...checkpoints.stores import ENDED
from ...context import Context
from ...errors import SettingsError
from ...model import Record, TableRecord, Undecodable
from ...model.table_record import table_of
from ..partitions import Page
from .exports import Export, KeysOf
from .locations import FileLocation, store_of
from .recording import Recording, files_of

PAGE: Final = 1000
"""Lines of one page."""


@dataclass
class ExportFile:
    """A data file. Its positions are line numbers: the lines before a position are read again and skipped."""

    place: FileLocation
    export: Export
    keys_of: KeysOf
    _rest: Iterator[Record] | None = None
    _at: int = 0

    @property
    def name(self) -> str:
        return self.place.where

    def read(self, after: str) -> Page:
        behind = int(after or 0)
        if self._rest is None or self._at != behind:
            self._rest = map(self._checked, Recording(self.place, self.export, self.keys_of).records())
            deque(islice(self._rest, behind), maxlen=0)
        rest, self._rest = self._rest, None  # after a failure the file is read from its beginning
        records = list(islice(rest, PAGE))
        self._rest, self._at = rest, behind + len(records)
        position = str(self._at) if len(records) == PAGE else ENDED
        return Page(records, position, self.export.time or 0.0)

    def _checked(self, record: Record) -> Record:
        """Return the record of a line, or only a reference to a line that is no item of the export's table.

        The content of such a line may be of another table, so it must not reach a dead letter. The file still has
        it.
        """
        table = table_of(self.export.table)
        if isinstance(record, TableRecord) and record.table == table:
            return record
        if isinstance(record, Undecodable) and not record.raw:
            return record
        line = record.identifier if isinstance(record, Undecodable) else ""
        reason = f"{line or self.place.name}: the line is not an item of an export of table {table}"
        return Undecodable({"file": self.place.where, "line": line}, reason, self.place.where, line)


def export_files(context: Context, where: str, keys_of: KeysOf) -> list[ExportFile]:
    """Return the data files of an export. `where` is its manifest, a folder, or one of its files.

    Raises SettingsError if there are none or their table is unknown, Unreachable and Halt.
    """
    found = []
    for place, export in files_of(where, context):
        if export is None:
            raise SettingsError(f"{place.where} is not a data file of an export, or its manifest is missing")
        found.append(ExportFile(place, export, keys_of))
    if not found:
        raise SettingsError(f"cannot find an export in {where}")
    return found


def export_file(context: Context, where: str, export: Export, keys_of: KeysOf) -> ExportFile:
    """Return one data file of a known export. Raises SettingsError if the file does not exist."""
    store, path = store_of(where, context)
    place = store.at(path)
    if place is None:
        raise SettingsError(f"the file {where} of the export no longer exists")
    return ExportFile(place, export, keys_of)
