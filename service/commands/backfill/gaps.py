"""Repair the indices of a table after its stream has lost records, or after an index was missing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Condition, Thread

from ...errors import StreamdexError
from ...pipeline import Observer
from ..tables import Service, TableFilter, chosen
from ..verify import Verification, VerifyOptions
from .loading import Scan

logger = logging.getLogger(__name__)

AGAIN_AFTER = 60.0
"""Seconds before a failed repair is retried."""


class GapRepair(Observer):
    """A thread that verifies and repairs each table whose stream has lost records, one table at a time.

    A gap reported during the repair of its table causes another repair. A failed repair is retried.
    """

    def __init__(self, service: Service, patience: float, sleep: Callable[[float], None] = time.sleep):
        self._service = service
        self._patience = patience
        self._sleep = sleep
        self._wanted: list[str] = []
        self._changed = Condition()
        self._thread = Thread(target=self._work, name="repair of gaps", daemon=True)
        self._thread.start()

    def index_missing(self, source: str, indices: Sequence[str]) -> None:
        self.lost(source, "", 0.0, 0.0)

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        table = source.removeprefix("table ")
        with self._changed:
            if table not in self._wanted:
                self._wanted.append(table)
                self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._wanted:
                    self._changed.wait()
                table = self._wanted.pop(0)
            try:
                self._repair(table)
            except Exception as error:
                known = isinstance(error, StreamdexError)
                reason = {"table": table, "reason": str(error)}
                logger.error("repair failed", extra=reason, exc_info=None if known else error)
                self._sleep(AGAIN_AFTER)
                self.lost(f"table {table}", "", 0.0, 0.0)

    def _repair(self, table: str) -> None:
        logger.warning("repair started", extra={"table": table})
        verification = Verification(self._service, Scan(), VerifyOptions(repair=True), self._patience)
        found = verification.run(chosen(self._service, TableFilter(table=table)))
        counts = {"items": found.items, "repaired": found.repaired.total(), "left": found.left.total()}
        level = logging.ERROR if found.left or found.unverifiable else logging.WARNING
        logger.log(level, "repair finished", extra={"table": table, **counts, "unverifiable": found.unverifiable})
