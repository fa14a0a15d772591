"""Replace an index with a new one without downtime: no search fails or misses a document.

1. Create the new index as a copy. Within a few seconds every writer also writes to it.
2. Scan the tables into it, and verify it against them.
3. Move the alias in one request. The old index becomes the copy, so a rollback is possible until it is dropped.

A copy that has missed a write is stale, and never replaces the live index. `sinks/opensearch/alias_targets.py`
describes the aliases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ...errors import SettingsError
from ...pipeline.error_outcomes import reaching
from ...routing.index_names import ALSO
from ...routing.patterns import is_plain
from ...settings import Settings, setting
from ...sinks.opensearch.alias_targets import Target, look, look_for
from ...sinks.opensearch.pipelines import create_missing_pipelines
from ...sinks.opensearch.search_sink import SEEN_FOR
from ..backfill.loading import BackfillOptions, Scan
from ..indices.planning import changed_since, compare_pipelines
from ..indices.remedies import change as change_in_place
from ..indices.server import asking
from ..tables import Service, TableFilter, chosen, fills_index
from ..verify import Verified
from .filling import Filling
from .replacing import contents_of, prepare, put_in_place
from .rollback import Consents, drop, other_indices, roll_back

UNTIL_ALL_HAVE_SEEN: Final = 2 * SEEN_FOR
"""Seconds after which every writer uses the current aliases."""


def longest_request(settings: Settings) -> float:
    """Return the seconds after which a writer has the response to a request, or retries it with new aliases."""
    return settings.search_timeout


@dataclass(frozen=True)
class RebuildOptions:
    """The options of `backfill` that rebuild an index, roll back or clean up."""

    rebuild: bool = setting(False, "build a new index, which then replaces the old one")
    index: str = setting("", "only this index of the routes, such as one of an index pattern")
    rollback: bool = setting(False, "put the replaced index back in place of the new one")
    accept_stale: bool = setting(False, "allow --rollback to an index that has missed writes")
    drop_old: bool = setting(False, "delete the replaced index (asks first)")
    abandon: bool = setting(False, "delete a new index that has not replaced the old one (asks first)")
    loaded: bool = setting(
        False,
        "continue --rebuild after all tasks that --enqueue sent are finished",
    )
    accept_refused: bool = setting(False, "replace the index even if items were rejected for the new one")
    replace_index: bool = setting(
        False,
        "replace an index that is not an alias: it is deleted at that moment, without a rollback (asks first)",
    )


@dataclass(frozen=True)
class Rebuilt:
    """The result of an operation on an index.

    `live` is the index that is searched now, "" if nothing changed. `words` describes the result. `waits` is True
    if the rebuild continues after the workers have finished the queued tasks.
    """

    index: str
    live: str
    words: str
    waits: bool = False

    @property
    def done(self) -> bool:
        return bool(self.live) or self.waits


def change(
    service: Service,
    which: TableFilter,
    what: RebuildOptions,
    scan: Scan,
    options: BackfillOptions,
    patience: float,
    advance: Callable[[int], None],
    consents: Consents = lambda deletes: True,
) -> Iterator[Rebuilt]:
    """Carry out the selected operation on each index of the selected routes, one after the other.

    An operation that was killed at any moment continues when it is run again. Raises SettingsError, Halt and
    Unreachable.
    """
    for index in selected(service, which, what):
        with reaching("the search server"):
            done = Rebuild(service, index, what, scan, options, patience, advance, consents).run()
        yield done


def selected(service: Service, which: TableFilter, what: RebuildOptions) -> list[str]:
    """Return the actual names of the indices that the options select. Those of a pattern are its existing indices.

    A pattern has indices in every state: only those are returned on which the operation can be carried out. So a
    rebuild of a pattern continues with the indices that it has not replaced yet.

    Raises SettingsError if there is none, and Halt and Unreachable.
    """
    routes = {bound for routes in chosen(service, which).values() for bound in routes}
    if what.index:
        actual = service.router.index_named(what.index)
        if actual is None or not routes & set(service.router.owners(actual)):
            raise SettingsError(f"no selected route fills an index {what.index!r} from a table")
        names = [actual]
    else:
        names = list(dict.fromkeys(bound.index for bound in service.router.bound if bound in routes))
    found = []
    for name in names:
        if is_plain(name):
            found.append(name)
            continue
        with reaching("the search server"):
            targets = look_for(service.context, name)
        fit = [target.name for target in targets if is_open(target, what)]
        if not fit:
            raise SettingsError(
                f"nothing to do: {name} has {len(targets)} indices, and none is in a state for this operation; to"
                " see the state of one, name it with --index"
            )
        found += fit
    return found


def is_open(target: Target, what: RebuildOptions) -> bool:
    """True if an index of a pattern is in a state for the operation."""
    if what.rollback or what.drop_old:
        return bool(target.old)
    if what.abandon:
        return bool(target.building or set(target.stale) - set(target.old))
    return bool(target.building) if what.loaded else not target.old


@dataclass
class Rebuild:
    """The rebuild of one index."""

    _service: Service
    _index: str
    _what: RebuildOptions
    _scan: Scan
    _options: BackfillOptions
    _patience: float
    _advance: Callable[[int], None]
    _consents: Consents
    _sleep: Callable[[float], None] = time.sleep
    _clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._context = self._service.context
        declared = self._service.router.declaration(self._index)
        assert declared is not None
        self._declared = declared
        self._began = self._looked = self._clock()

    def run(self) -> Rebuilt:
        target, what = self._look(), self._what
        failed = [index for index in target.stale if index not in target.old]
        if what.drop_old:
            return self._drop(target, target.old, "no replaced index is kept")
        if what.abandon:
            return self._drop(target, (*target.building, *failed), "no new index is being built")
        if not target.live:
            raise SettingsError(
                f"index {self._index} does not exist: run backfill without --rebuild and --rollback to create it"
            )
        if what.rollback:
            old = roll_back(self._context, self._declared, target, what.accept_stale)
            return Rebuilt(self._index, old, f"{old} has replaced {target.live} again")
        return self._rebuild(target)

    def _rebuild(self, target: Target) -> Rebuilt:
        self._check_owners()
        self._check_pipelines()
        if target.old:
            raise SettingsError(
                f"{', '.join(target.old)} was replaced by {target.live} and still exists: before another rebuild,"
                " run --drop-old to delete it, or --rollback to put it back"
            )
        if self._what.loaded and not target.building:
            raise SettingsError(
                f"nothing to continue: no new index of {self._index} is being built{other_indices(target)}"
            )
        if not target.is_alias and not self._may_replace(target):
            return Rebuilt(self._index, "", "not confirmed: nothing changed")
        new = self._begin(target)
        self._sleep(UNTIL_ALL_HAVE_SEEN)
        try:
            ended = self._fill_and_replace(new)
        except Exception:
            if self._goes_on(new):
                raise
        else:
            if ended.done or self._goes_on(new):
                return ended
        words = f"{new} has missed a write (the service's log has the reason) or was deleted"
        remedy = "run --rebuild to start again, or --abandon to delete the new index"
        return Rebuilt(self._index, "", f"{words}, so it cannot replace {target.live}: {remedy}")

    def _goes_on(self, new: str) -> bool:
        """True if the new index has not missed a write: it is live, or can become live."""
        target = self._look()
        return new in (target.live, *target.building)

    def _may_replace(self, target: Target) -> bool:
        """True if the operator confirms the deletion of an index that is not an alias.

        Raises SettingsError without `--replace-index`.
        """
        if not self._what.replace_index:
            raise SettingsError(
                f"{self._index} is an index, not an alias, so it must be deleted when it is replaced: use"
                " --replace-index to confirm; a rollback is then not possible"
            )
        return self._consents(f"{contents_of(self._context, target.live)}, when the new index replaces it")

    def _begin(self, target: Target) -> str:
        """Return the new index: the one that is being built, or one created now.

        Raises SettingsError if the declaration of the routes has changed since the index was created.
        """
        if not target.building:
            return prepare(self._context, self._declared, target, self._index + ALSO)
        new = target.building[0]
        changed = changed_since(self._context, self._declared, new)
        if changed:
            raise SettingsError(
                f"{new} is being built and no longer matches the declaration of the routes: {'; '.join(changed)}."
                " Run --abandon to delete it, then --rebuild to start again"
            )
        return new

    def _fill_and_replace(self, new: str) -> Rebuilt:
        """Fill the new index and put it in place. Raises _Lost or Changed if it is no longer a copy."""
        filling = Filling(self._service, self._index, new, self._scan, self._options, self._watched(new))
        if not self._what.loaded:
            if self._options.enqueue:
                tasks = f"{filling.enqueue()} tasks for {new} sent to queue {self._options.enqueue}"
                words = f"{tasks}: when the queue is empty, run --rebuild --loaded"
                return Rebuilt(self._index, "", words, waits=True)
            refused = filling.load()
            if refused and not self._what.accept_refused:
                words = f"{new} has not replaced the old index, because items were rejected: {'; '.join(refused)}"
                words += " (use --accept-refused to replace it anyway)"
                return Rebuilt(self._index, "", words)
        return self._replace(new, filling.verify(self._patience))

    def _replace(self, new: str, found: Verified) -> Rebuilt:
        """Put the new index in place if the verification found no differences."""
        if found.left:
            left = ", ".join(f"{count} {kind}" for kind, count in sorted(found.left.items()))
            return Rebuilt(
                self._index, "", f"{new} has not replaced the old index, because it differs from the table: {left}"
            )
        # A write that a writer sent before it knew of the copy names the alias only. If it arrived after the
        # switch, the old index would miss it, so wait until every such request has ended.
        late = self._began + UNTIL_ALL_HAVE_SEEN + longest_request(self._context.settings)
        self._sleep(max(late - self._clock(), 0.0))
        self._context.search.indices.refresh(index=new)  # otherwise searches miss the latest writes
        target = self._look()
        self._check_copy(target, new)
        put_in_place(self._context, self._declared, target, new)
        unseen = "".join(f"; not verified: {name}: {reason}" for name, reason in found.unverifiable.items())
        return Rebuilt(self._index, new, f"{new} has replaced {target.live}{unseen}")

    def _watched(self, new: str) -> Callable[[int], None]:
        """Return a progress callback that raises _Lost once the new index is no longer a copy."""

        def advance(more: int) -> None:
            self._advance(more)
            if self._clock() - self._looked > SEEN_FOR:
                self._looked = self._clock()
                self._check_copy(self._look(), new)

        return advance

    def _check_copy(self, target: Target, new: str) -> None:
        if new not in target.building:
            raise _Lost(new)

    def _check_owners(self) -> None:
        """Check the routes of the index. Raises SettingsError if a scan cannot recreate all its documents."""
        owners = self._service.router.owners(self._index)
        strangers = [bound.name for bound in owners if not fills_index(bound)]
        if strangers:
            raise SettingsError(
                f"{self._index} cannot be rebuilt: {', '.join(strangers)} fills it, but not from a table scan"
            )

    def _check_pipelines(self) -> None:
        """Create missing pipelines. Raises SettingsError if one differs: it would fill the new index."""
        with asking():
            create_missing_pipelines(self._context, self._declared.pipelines)
        different = "; ".join(one.words for one in compare_pipelines(self._context, self._declared))
        if different:
            raise SettingsError(
                f"{self._index} cannot be rebuilt, because a pipeline is not as declared: {different}. Run"
                f" `{change_in_place(self._index)}` first"
            )

    def _drop(self, target: Target, indices: Sequence[str], nothing: str) -> Rebuilt:
        words = drop(self._context, target, indices, self._consents, nothing)
        live = target.live or self._index
        return (
            Rebuilt(self._index, live, words)
            if words
            else Rebuilt(self._index, "", "not confirmed: nothing changed")
        )

    def _look(self) -> Target:
        return look(self._context, [self._index])[self._index]


class _Lost(Exception):
    """The new index is no longer a copy: it has missed a write, or another process has deleted it."""
