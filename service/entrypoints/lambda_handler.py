"""The Lambda function: `service.entrypoints.lambda_handler.handler`."""

from __future__ import annotations

import gc
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, TypeAlias

from ..bootstrap.application import App
from ..bootstrap.selection import choose
from ..bootstrap.time_settings import FOR_STREAMS, check_times
from ..pipeline import Dispatches
from ..routing import Route, TableRoute
from ..sources.lambda_event import LambdaBatch
from ..telemetry.logs import request

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Any, Any], Any]

MOST: Final = 1000
"""Remembered ids, at most. Retries follow within minutes ("Asynchronous invocation", Lambda Developer Guide)."""


def handler_for(*routes: type[Route], events: Collection[str] = ()) -> Handler:
    """Return a handler for these routes, or for the routes that FUNC selects if none are given.

    With `events` (such as {"ObjectCreated"}) it processes only these events and ignores others. Settings are read,
    and clients created, on the first call.
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
        """Dispatch an event and return the response that its source reads.

        Streams and queues get `{"batchItemFailures": […]}`. S3, SNS and EventBridge read no response and redeliver
        nothing: their unfinished records become dead letters, and None is returned. With `drop_repeats`, None is
        returned at once for such an event if its request id was seen before. Raises UnknownEvent for an event
        without a known record, and Halt if every record would fail.
        """
        service = app()
        request_id = getattr(lambda_context, "aws_request_id", "")
        with uncollected(), service.invocation(), request(request_id):
            batch = LambdaBatch(event, lambda_context, events, service.queues, service.observer)
            # Streams and queues redeliver under a new request id. Their records must never be dropped.
            if service.settings.drop_repeats and not batch.answers and repeats.has_seen(request_id):
                logger.warning("retried event dropped (drop_repeats)", extra={"records": len(batch.records)})
                return None
            service.metrics.arrived(batch.source, batch.lag(time.time()))
            dispatcher = tasks() if batch.has_tasks else service.dispatcher
            batch.settle(dispatcher.run(batch.delivery))
        return batch.answer

    return handle


class Repeats:
    """The latest `most` request ids that this Lambda sandbox has seen, for the setting `drop_repeats`."""

    def __init__(self, most: int = MOST):
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def has_seen(self, request_id: str) -> bool:
        """True if this method was called with the id before. An empty id is never a repeat."""
        if not request_id or request_id in self._seen:
            return bool(request_id)
        self._seen[request_id] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return False


@contextmanager
def uncollected() -> Iterator[None]:
    """Disable the cyclic garbage collector within the block.

    It would traverse a large event again and again and find no cycles. Objects without cycles are freed as usual.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


handler = handler_for()
