"""The application object. It creates all parts from the settings and connects them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from threading import Event
from typing import TYPE_CHECKING, Self

from ..context import Context
from ..errors import SettingsError
from ..pipeline import DeadLetterStore, Dispatcher, Observer, Observers, Sinks, Source
from ..pipeline.error_outcomes import reaching
from ..pipeline.rereads import Rereads
from ..routing import BoundRoute, BucketRoute, Names, Route, Router
from ..routing.patterns import is_plain
from ..routing.queue_declarations import Queues
from ..settings import Settings
from ..sinks.dead_letters import make_dead_letter_store
from ..sinks.dynamodb import ItemSink
from ..sinks.opensearch import SearchSink
from ..sinks.reindex_queue import ReindexQueue
from ..sinks.sql import RowSink
from ..sources.current_state import Lookups
from ..sources.route_tables import tables_of
from ..telemetry.emf import EmbeddedMetrics
from ..telemetry.logs import LoggingObserver, set_up_logs
from ..telemetry.metrics import Metrics

if TYPE_CHECKING:
    from ..checkpoints.stores import Checkpoints
    from ..sinks.recordings import Masks, Recorder
    from ..sources.dynamodb_streams import StreamSource
    from ..sources.files.recording import Recordings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """Everything that a dispatcher writes to: the sinks, the dead-letter store and the observer."""

    sinks: Sinks
    letters: DeadLetterStore
    observer: Observer


class App:
    """The service for given settings and routes. `with App(…) as app:` closes its clients at the end."""

    def __init__(
        self,
        settings: Settings,
        routes: Sequence[Route],
        context: Context | None = None,
        *,
        letters: DeadLetterStore | None = None,
        recording: bool = False,
        names: Names | None = None,
    ):
        """`letters` replaces the dead-letter store of the settings, and `names` their names.

        With `recording`, dispatched records are recorded to the setting `record_to`. Raises SettingsError.
        """
        set_up_logs(settings)
        self.settings = settings
        self.context = context or Context(settings)
        self.router = Router(routes, names or Names(settings.names))
        self.queues = Queues(settings, self.router)
        self.letters = make_dead_letter_store(self.context)
        self._keeps = letters or self.letters
        self.metrics = Metrics(routes=[bound.name for bound in self.router.bound])
        self._recorders = self._recording() if recording and settings.record_to else []
        self.observer = Observers(LoggingObserver(), self.metrics, *_tracing(settings), *self._recorders)
        self.search_sink = SearchSink(self.context, self.router.indices, self.observer)
        self._checkpoints: Checkpoints | None = None
        self.rereads = Rereads(Lookups(self.context), settings.hint_after)
        self.dispatcher = self._dispatcher(self.router, self.rereads)

    def dispatcher_of(self, route: str) -> Dispatcher | None:
        """Return a dispatcher for one route ("" for all) that re-reads every record; None for an unknown route."""
        router = self._router_of(route)
        return self._dispatcher(router, replace(self.rereads, always=True)) if router else None

    def replayer(self, route: str = "", current: bool = False, outputs: Outputs | None = None) -> Dispatcher:
        """Return the dispatcher that replays a recording to one route ("" for all).

        Records are trusted; with `current` the current state is re-read instead. A dry run passes its own
        `outputs`. Raises SettingsError for a route that is not registered.
        """
        router = self._router_of(route)
        if router is None:
            names = ", ".join(bound.name for bound in self.router.bound)
            raise SettingsError(f"there is no route {route!r}. Selected routes: {names}")
        rereads = replace(self.rereads, trusting=not current, always=current)
        if outputs is not None:
            rereads = replace(rereads, trusting=True)  # a dry run writes nothing, so no record can be stale
        return self._dispatcher(router, rereads, outputs)

    def recordings(self, wheres: Sequence[str], table: str = "") -> Recordings:
        """Return the recordings in these files, folders or URIs. `table` is the table of a single export file."""
        from ..sources.files.recording import Recordings

        return Recordings(wheres, self.context, table, self.router.key_of)

    def tap(self, table: str, stopping: Event) -> StreamSource:
        """Return the stream of a table (actual name). Its checkpoints are not stored."""
        from ..checkpoints.stores import NoCheckpoints
        from ..sources.dynamodb_streams import StreamSource

        return StreamSource(self.context, table, NoCheckpoints(), stopping, observer=LoggingObserver())

    @property
    def masks(self) -> Masks:
        """The attributes to mask in recordings. Raises SettingsError if one is in the key of a route's table."""
        from ..sinks.recordings import Masks

        masks = Masks(self.settings.record_mask)
        for bound in self.router.bound:
            masks.check(bound.key, f"the table of {bound.name}")
        return masks

    def _recording(self) -> list[Recorder]:
        from ..sinks.recordings import Recorder

        return [Recorder(self.settings, self.masks)]

    def _router_of(self, route: str) -> Router | None:
        """Return a router of one route ("" for all); None if it is not registered."""
        if not route:
            return self.router
        chosen = [bound.route for bound in self.router.bound if bound.name == route]
        return Router(chosen, self.router.names, self.router.targets) if chosen else None

    def loader_of(self, routes: Sequence[BoundRoute], reread: bool = False) -> Dispatcher:
        """Return a dispatcher for some of the routes; with `reread` it re-reads every record.

        It ignores Reindex, because every document is loaded.
        """
        router = Router([bound.route for bound in routes], self.router.names, targets=())
        return self._dispatcher(router, replace(self.rereads, always=reread))

    def into(self, index: str, other: str, letters: DeadLetterStore) -> App:
        """Return an App with the same context that writes to the index `other` in place of `index`.

        If `index` belongs to a pattern, documents of the other indices of the pattern are skipped. `letters`
        stores its dead letters. The index `other` must exist. It does not get the routes' aliases, because
        searches must not find it while it is being filled.
        """
        inside = App(
            replace(self.settings, create_indices=False),
            [bound.route for bound in self.router.bound],
            self.context,
            letters=letters,
            names=self.router.names.filling(index, other),
        )
        declared = self.router.declaration(index)
        assert declared is not None
        inside.router.indices[other] = replace(declared, name=other, aliases=())
        return inside

    def dead_letters_of(self, queue: str) -> Source:
        """Return the source of a queue's dead-letter queue. It ends when that queue is empty.

        Raises Halt, and SettingsError for the task queue.
        """
        from ..sources.sqs.queue_source import QueueSource, dead_letter_queue

        actual = self.router.names.existing("queue", queue)
        if actual == self.queues.tasks:
            raise SettingsError(
                f"{queue} is the task queue. Its messages are tasks, not records. Move them back with SQS"
                " (aws sqs start-message-move-task), or run the backfill again"
            )
        return QueueSource(self.context, dead_letter_queue(self.context, actual), Event(), drains=True)

    @cached_property
    def invocation(self) -> Callable[[], AbstractContextManager[None]]:
        """The context manager of each Lambda invocation. It writes the metrics at the end, if enabled."""
        settings = self.settings
        if settings.metrics == "none" or (settings.metrics == "auto" and not settings.lambda_function):
            return nullcontext
        function = settings.lambda_function or settings.group
        return EmbeddedMetrics(self.metrics, settings.metrics_namespace, function).reporting

    def _dispatcher(self, router: Router, rereads: Rereads, outputs: Outputs | None = None) -> Dispatcher:
        overflow = ReindexQueue(self.context, self.queues.tasks) if self.queues.tasks and not outputs else None
        outputs = outputs or self._outputs()
        return Dispatcher(
            router,
            sinks=outputs.sinks,
            letters=outputs.letters,
            observer=outputs.observer,
            rereads=rereads,
            context=self.context,
            overflow=overflow,
        )

    def _outputs(self) -> Outputs:
        sinks = Sinks(
            documents=self.search_sink,
            items=ItemSink(self.context, self.observer),
            rows=RowSink(self.context, self.observer),
        )
        return Outputs(sinks, self._keeps, self.observer)

    def sources(self, stopping: Event) -> list[Source]:
        """Return the streams of the routes' tables and the queues of the settings.

        Raises SettingsError if a route has an index and SEARCH_URL is not set.
        """
        from ..sources.dynamodb_streams import StreamSource
        from ..sources.sqs.queue_source import QueueSource

        if any(bound.index for bound in self.router.bound):
            _ = self.context.search  # raises now, not with the first record, if SEARCH_URL is not set
        unread = [bucket for bucket in self.buckets() if not self.queues.carrying("bucket", bucket)]
        if unread:
            logger.warning(
                "no queue in READ_QUEUE carries notifications of these buckets", extra={"buckets": unread}
            )
        queues: list[Source] = [
            QueueSource(self.context, queue, stopping, observer=self.observer, carried=self.queues.carried(queue))
            for queue in self.queues.read
        ]
        tables = self.tables() if self.settings.read_streams else []
        if tables:
            from ..checkpoints.stores import make_checkpoints

            with reaching("checkpoints"):
                self._checkpoints = make_checkpoints(self.context, self.settings.group)
        streams: list[Source] = [
            StreamSource(
                self.context,
                table,
                self._checkpoints,
                stopping,
                observer=self.observer,
                absences=partial(self.absences, table),
            )
            for table in tables
            if self._checkpoints is not None
        ]
        return [*streams, *queues]

    def tables(self) -> list[str]:
        """Return the actual names of the routes' tables."""
        return tables_of(self.router.bound, self.router.names, self.context)

    def absences(self, table: str) -> Mapping[str, int]:
        """Return how often each index of a table's routes was missing in this process. Create the missing indices.

        Raises Halt, and Retry if the search server cannot be reached.
        """
        return self.search_sink.absences(
            {bound.index for bound in self.router.listening_to("table", table) if bound.index}
        )

    def buckets(self) -> list[str]:
        """Return the actual names of the routes' buckets, without patterns."""
        routes = [b.route for b in self.router.bound if isinstance(b.route, BucketRoute)]
        names = self.router.names
        return sorted({names.actual("bucket", r.bucket) for r in routes if is_plain(r.bucket)})

    def close(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.close()
        for recorder in self._recorders:
            recorder.close()
        self.context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _tracing(settings: Settings) -> list[Observer]:
    """Return the tracing observer if `trace` is set; otherwise the SDK is not imported. Raises SettingsError."""
    if not settings.trace:
        return []
    from ..telemetry.traces import TracingObserver, make_recorder

    return [TracingObserver(make_recorder(settings))]
