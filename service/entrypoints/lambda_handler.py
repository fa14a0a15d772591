"""The Lambda function: `service.entrypoints.lambda_handler.handler`."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

from ..bootstrap.application import App
from ..bootstrap.selection import choose
from ..bootstrap.time_settings import FOR_STREAMS, check_times
from ..pipeline import Dispatches
from ..routing import Route, TableRoute
from ..sources.lambda_event import LambdaBatch, entries_of
from ..telemetry.logs import request
from .request_ids import Repeats

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Any, Any], Any]


def handler_for(*routes: type[Route], events: Collection[str] = ()) -> Handler:
    """A handler for these routes, or for those that FUNC chooses where none are given.

    With `events` (such as {"ObjectCreated"}) it takes only these and leaves the others alone. Settings are
    read, and clients made, on the first call.
    """

    @cache
    def app() -> App:
        chosen = choose(routes=routes or None)
        if any(isinstance(route, TableRoute) for route in chosen.routes):
            check_times(chosen.settings, FOR_STREAMS)
        return App(chosen.settings, chosen.routes)

    @cache
    def tasks() -> Dispatches:
        from ..commands.backfill.tasks import TaskWorker

        return TaskWorker(app(), app().dispatcher)

    repeats = Repeats()

    def handle(event: Any, lambda_context: Any) -> Any:
        """Dispatches an event and answers what its source reads.

        `{"batchItemFailures": […]}` for streams and queues. S3, SNS and EventBridge read no answer and deliver
        nothing again: what is still undone is kept as a dead letter, and the answer is None. With `drop_repeats`
        one of these whose request id was seen before is answered so at once. Raises UnknownEvent for an event with
        nothing known in it, and Halt when every record would fail.
        """
        service = app()
        request_id = getattr(lambda_context, "aws_request_id", "")
        with uncollected(), service.invocation(), request(request_id):
            with service.observer.step("decode", "event", entries_of(event)):
                batch = LambdaBatch(event, events, service.queues)
            # What a stream or a queue delivers again comes under another id, and never may be dropped.
            if service.settings.drop_repeats and not batch.answers and repeats.has_seen(request_id):
                logger.warning("repeat dropped", extra={"records": len(batch.records)})
                return None
            service.metrics.arrived(batch.source, batch.lag(time.time()))
            context = service.context.during(lambda_context)
            dispatcher = tasks() if batch.has_tasks else service.dispatcher
            report = dispatcher.dispatch(batch.records, batch.source, context, redelivers=batch.answers)
        return batch.answer(report) if batch.answers else None

    return handle


@contextmanager
def uncollected() -> Iterator[None]:
    """Within the block Python does not look for cycles: it would go through all of a large event again and again,
    and find nothing. What is in no cycle is freed as ever."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


handler = handler_for()
