"""A new index in place of an old one, without a moment in which a search fails or misses a document.

1. A new index is created, and marked as a copy: every writer sends its writes there too, within a few seconds.
2. Then the tables are scanned into it, and it is verified against them.
3. The alias moves, all at once. The old index becomes the copy, so that there is a way back until it is dropped.

A copy that could not take a write is none any longer: it cannot replace the other. See `sinks/search/targets.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..dispatch import Letter
from ..dispatch.failures import reaching
from ..errors import SettingsError
from ..routing import BoundRoute
from ..settings import setting
from ..sinks.search.targets import ALSO, SEEN_FOR, Target, change_aliases, look, remove
from . import verify as verifying
from .backfill import Backfilled, Manner, Scan, load_tables
from .marks import BUILDING, state_of, uuid_of
from .replacing import prepare, put_in_place
from .tables import Service, Which, chosen, fills_index

UNTIL_ALL_HAVE_SEEN: Final = 2 * SEEN_FOR
"""Seconds after which every writer goes by the aliases as they are now, and has sent what it had in hand."""


@dataclass(frozen=True)
class Change:
    """What is to become of an index that is, or was, rebuilt."""

    rebuild: bool = setting(False, "into a new index, which then replaces the old one", env="STREAMDEX_REBUILD")
    rollback: bool = setting(False, "put the index that was replaced back in its place", env="STREAMDEX_ROLLBACK")
    drop_old: bool = setting(False, "delete the index that was replaced", env="STREAMDEX_DROP_OLD")
    abandon: bool = setting(False, "delete the new index of a rebuild that is not done", env="STREAMDEX_ABANDON")
    loaded: bool = setting(
        False,
        "--rebuild goes on: the tasks that --enqueue has put on a queue are done",
        env="STREAMDEX_LOADED",
    )
    accept_refused: bool = setting(
        False, "replace the index even where items are refused by the new one", env="STREAMDEX_ACCEPT_REFUSED"
    )
    replace_index: bool = setting(
        False,
        "replace an index that is no alias: it is deleted in the same moment, and there is no way back",
        env="STREAMDEX_REPLACE_INDEX",
    )


@dataclass(frozen=True)
class Rebuilt:
    """What became of an index: the one that is searched now, "" for what is unchanged, and why in words.

    `waits` says that it goes on once others have done their part.
    """

    index: str
    live: str
    words: str
    waits: bool = False

    @property
    def done(self) -> bool:
        return bool(self.live) or self.waits


class Refused:
    """Keeps the first reasons why the new index, or a route, refuses items."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def store(self, letters: Sequence[Letter]) -> None:
        self.reasons += [letter.result.reason for letter in letters][: max(5 - len(self.reasons), 0)]


def change(
    service: Service,
    which: Which,
    what: Change,
    scan: Scan,
    manner: Manner,
    patience: float,
    advance: Callable[[int], None],
) -> Iterator[Rebuilt]:
    """Does what is wanted with each index of the routes that are meant.

    Interrupted, a rebuild goes on where it stood the next time. Raises SettingsError, Halt and Unreachable.
    """
    found = chosen(service, which)
    for index in dict.fromkeys(bound.index for routes in found.values() for bound in routes):
        with reaching("the search server"):
            done = Rebuild(service, index, what, scan, manner, patience, advance).run()
        yield done


class Rebuild:
    """The rebuild of one index."""

    def __init__(
        self,
        service: Service,
        index: str,
        what: Change,
        scan: Scan,
        manner: Manner,
        patience: float,
        advance: Callable[[int], None],
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._service = service
        self._context = service.context
        self._declared = service.router.indices[index]
        self._index = index
        self._what = what
        self._scan = scan
        self._manner = manner
        self._patience = patience
        self._advance = advance
        self._sleep = sleep

    def run(self) -> Rebuilt:
        target = self._look()
        if not target.live:
            raise SettingsError(f"the index {self._index} does not exist: backfill alone makes and fills it")
        building = [copy for copy in target.also if state_of(self._context, copy) == BUILDING]
        kept = [copy for copy in target.also if copy not in building]
        if self._what.rollback:
            return self._rollback(target, kept)
        if self._what.drop_old:
            return self._drop(target, kept, "nothing was replaced")
        if self._what.abandon:
            return self._drop(target, building, "nothing is being rebuilt")
        return self._rebuild(target, building, kept)

    def _rebuild(self, target: Target, building: Sequence[str], kept: Sequence[str]) -> Rebuilt:
        self._check_owners()
        if kept:
            raise SettingsError(f"{', '.join(kept)} was replaced and is kept: --drop-old or --rollback first")
        if not target.is_alias and not self._what.replace_index:
            raise SettingsError(
                f"{self._index} is an index and no alias, so it cannot be kept when it is replaced: say"
                " --replace-index, and there is no way back"
            )
        if self._what.loaded:
            if not building:
                raise SettingsError(f"nothing is loaded: no new index of {self._index} is being built")
            return self._replace(building[0])
        copies = self._index + ALSO
        new = building[0] if building else prepare(self._context, self._declared, target, copies)
        self._sleep(UNTIL_ALL_HAVE_SEEN)
        if self._manner.enqueue:
            return self._enqueue(new)
        refused = self._load(new)
        if refused.reasons and not self._what.accept_refused:
            reasons = "; ".join(refused.reasons)
            return Rebuilt(
                self._index, "", f"{new} is not in place: it refuses items: {reasons} (--accept-refused)"
            )
        return self._replace(new)

    def _replace(self, new: str) -> Rebuilt:
        """Verifies the new index, and puts it in place."""
        failed = f"{new} has failed: it could not take a write; the service's log says why"
        if new not in self._look().also:
            return Rebuilt(self._index, "", failed)
        found = self._verify(new)
        target = self._look()
        if new not in target.also:  # since then
            return Rebuilt(self._index, "", failed)
        if found.left:
            left = ", ".join(f"{count} {kind}" for kind, count in sorted(found.left.items()))
            return Rebuilt(self._index, "", f"{new} is not in place: it differs from the table: {left}")
        self._context.search.indices.refresh(index=new)  # else searches miss what was just written
        put_in_place(self._context, self._declared, target, new)
        unseen = "".join(f"; not verified: {name}: {reason}" for name, reason in found.unverifiable.items())
        return Rebuilt(self._index, new, f"{new} is in place of {target.live}{unseen}")

    def _check_owners(self) -> None:
        """Raises SettingsError where a scan does not bring all of the index back."""
        owners = [bound for bound in self._service.router.bound if bound.index == self._index]
        strangers = [bound.name for bound in owners if not fills_index(bound)]
        if strangers:
            raise SettingsError(
                f"{self._index} cannot be rebuilt: {', '.join(strangers)} fills it, and not with items of a scan"
            )

    def _load(self, new: str) -> Refused:
        """Scans the tables into the new index; what was refused."""
        refused = Refused()
        inside = self._service.into(self._index, new, refused)
        job = f"rebuild {uuid_of(self._context, new)}"
        tables = self._tables(inside, new)
        load_tables(inside, tables, self._scan, self._manner, lambda _: job, Backfilled(), self._advance)
        return refused

    def _enqueue(self, new: str) -> Rebuilt:
        """Has others load the new index."""
        found = Backfilled()
        tables = self._tables(self._service, self._index)
        into = (self._index, new)
        load_tables(self._service, tables, self._scan, self._manner, lambda _: "", found, self._advance, into)
        words = f"{found.enqueued} tasks for {new} are on queue {self._manner.enqueue}: once it is empty, --loaded"
        return Rebuilt(self._index, "", words, waits=True)

    def _verify(self, new: str) -> verifying.Verified:
        """Compares the new index with the tables, and mends it."""
        inside = self._service.into(self._index, new, Refused())
        manner = verifying.Manner(repair=True)
        return verifying.Verification(
            inside, self._scan, manner, self._patience, lambda finding, became: None, self._advance
        ).run(self._tables(inside, new))

    def _tables(self, inside: Service, new: str) -> dict[str, list[BoundRoute]]:
        """The tables that fill an index, each with its routes that do."""
        found = {
            table: [bound for bound in routes if bound.index == new]
            for table, routes in chosen(inside, Which()).items()
        }
        return {table: routes for table, routes in found.items() if routes}

    def _rollback(self, target: Target, kept: Sequence[str]) -> Rebuilt:
        if not kept:
            raise SettingsError(f"nothing was put in place of {self._index}'s index, or the old one was dropped")
        put_in_place(self._context, self._declared, target, kept[0])
        return Rebuilt(self._index, kept[0], f"{kept[0]} is back in place of {target.live}")

    def _drop(self, target: Target, copies: Sequence[str], nothing: str) -> Rebuilt:
        """Deletes copies, once nobody writes to them any longer: a write would make an index of that name."""
        if not copies:
            return Rebuilt(self._index, target.live, nothing)
        change_aliases(self._context, *(remove(copy, self._index + ALSO) for copy in copies))
        self._sleep(UNTIL_ALL_HAVE_SEEN)
        for copy in copies:
            self._context.search.indices.delete(index=copy)
        return Rebuilt(self._index, target.live, f"{', '.join(copies)} is deleted")

    def _look(self) -> Target:
        return look(self._context, [self._index])[self._index]
