"""Fill a new index while the live one is searched: by a scan, by queued tasks, and by a verification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...pipeline import DeadLetter
from ...routing import BoundRoute
from ..backfill.loading import Backfill, BackfillOptions, Scan
from ..tables import Service, TableFilter, chosen
from ..verify import Verification, Verified, VerifyOptions
from .replacing import uuid_of


class Refused:
    """A dead-letter store that only keeps the first five reasons why the new index, or a route, rejects items."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def store(self, letters: Sequence[DeadLetter]) -> None:
        self.reasons += [letter.result.reason for letter in letters][: max(5 - len(self.reasons), 0)]


@dataclass(frozen=True)
class Filling:
    """The filling of the index `new` with the documents of `index`.

    `advance` is called with the number of finished items of each batch. It may raise to stop the work.
    """

    service: Service
    index: str
    new: str
    scan: Scan
    options: BackfillOptions
    advance: Callable[[int], None]

    def load(self) -> Sequence[str]:
        """Scan the tables into the new index. Return the first reasons why items were rejected."""
        refused = Refused()
        inside = self.service.into(self.index, self.new, refused)
        job = f"rebuild {uuid_of(self.service.context, self.new)}"
        Backfill(inside, self.scan, self.options, self.advance).run(tables_into(inside, self.new), job)
        return refused.reasons

    def enqueue(self) -> int:
        """Send a task for each partition to the queue. Return the number of tasks."""
        tables, into = tables_into(self.service, self.index), (self.index, self.new)
        return Backfill(self.service, self.scan, self.options, self.advance).run(tables, into=into).enqueued

    def verify(self, patience: float) -> Verified:
        """Compare the new index with the tables, and repair it."""
        inside = self.service.into(self.index, self.new, Refused())
        options = VerifyOptions(repair=True)
        verification = Verification(inside, self.scan, options, patience, advance=self.advance)
        return verification.run(tables_into(inside, self.new))


def tables_into(service: Service, index: str) -> dict[str, list[BoundRoute]]:
    """Return the tables that fill an index, each with the routes that do so."""
    owners = service.router.owners(index)
    found = {
        table: [bound for bound in routes if bound in owners]
        for table, routes in chosen(service, TableFilter()).items()
    }
    return {table: routes for table, routes in found.items() if routes}
