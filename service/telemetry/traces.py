"""Traces with AWS X-Ray: a segment for each batch, with subsegments for decoding, each route and each request.

In a Lambda the batch is a subsegment of the segment that AWS makes of the invocation, in the trace that AWS chose.
Elsewhere a batch whose messages all came with one trace goes on with it. One whose messages came with several has
its own, and names theirs in the annotation `traces`, as a Lambda's does. Nothing of an item gets into a trace, nor
do the words of an error, which may quote one.

Routes that are asked while a request is on its way stand within that request's subsegment, which ends when both
are done.

The SDK sends by UDP and waits for no answer. Left to itself it would ask the daemon which batches to trace: the
setting `trace_rate` says it here, unless a message came with a trace that is decided.

Sources: "AWS X-Ray segment documents", "Amazon SQS and AWS X-Ray" (AWS X-Ray Developer Guide).
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import local
from typing import Any, Final

from aws_xray_sdk.core import AWSXRayRecorder, xray_recorder
from aws_xray_sdk.core.exceptions.exceptions import InvalidDaemonAddressException
from aws_xray_sdk.core.lambda_launcher import LambdaContext
from aws_xray_sdk.core.sampling.local.sampler import LocalSampler

from ..errors import SettingsError
from ..model import ObjectRecord, Record, TableRecord
from ..pipeline import Dispatched, Observer, Request
from ..pipeline.observers import NOTHING
from ..pipeline.route_calls import Task
from ..settings import Settings
from .origins import NOWHERE, Origin, origin_of

logger = logging.getLogger(__name__)

DAEMON: Final = "127.0.0.1:2000"
"""Where the daemon is, unless AWS_XRAY_DAEMON_ADDRESS says otherwise."""

NAMESPACE: Final = "streamdex"
"""Of metadata."""

MOST: Final = 20
"""Tables, routes and traces named of one batch: a segment has 64 kB at most, an annotation 1,000 characters."""

_NOT_IN_NAMES: Final = re.compile(r"[^\w .:/%&#=+\-@]")


def make_recorder(settings: Settings) -> AWSXRayRecorder:
    """The SDK's own recorder, so that what a route traces by itself stands within its batch.

    Raises SettingsError for an address of the daemon that is none.
    """
    try:
        xray_recorder.emitter.set_daemon_address(DAEMON)
    except InvalidDaemonAddressException as error:
        raise SettingsError("AWS_XRAY_DAEMON_ADDRESS must be an address such as 127.0.0.1:2000") from error
    rules = {"version": 2, "default": {"fixed_target": 1, "rate": settings.trace_rate}}
    xray_recorder.configure(
        sampler=LocalSampler(rules), service=name_from(settings.group), context_missing="IGNORE_ERROR"
    )
    emitter = logging.getLogger("aws_xray_sdk.core.emitters.udp_emitter")
    if not any(isinstance(known, Once) for known in emitter.filters):
        emitter.addFilter(Once())
    return xray_recorder


@dataclass(frozen=True)
class Decoded:
    """What was decoded before its batch began: from when to when, in Unix seconds, and where it came from."""

    began: float
    ended: float
    origin: Origin


class TracingObserver(Observer):
    """Traces what is done with batches; each thread has a batch of its own."""

    def __init__(self, recorder: AWSXRayRecorder):
        self._recorder = recorder
        self._in_lambda = isinstance(recorder.context, LambdaContext)
        self._here = local()

    def step(self, kind: str, name: str, of: Sequence[Any] = ()) -> AbstractContextManager[None]:
        if kind == "decode":
            return self._decode(of)
        if kind == "batch":
            return self._batch(name, of)
        if self._current("batch") is None:
            return NOTHING
        return self._request(name) if kind == "request" else self._route(name, of)

    def requested(self, request: Request) -> None:
        entity = self._current("request")
        if entity is not None:
            with harmless():
                entity.put_http_meta("status", request.status)
                annotate(entity, actions=request.actions, bytes=request.size)

    def dispatched(self, done: Dispatched) -> None:
        batch = self._current("batch")
        if batch is not None:
            with harmless():
                annotate(batch, **done.report.counts())
                batch.put_metadata("routes", counts_of(done.tasks), NAMESPACE)

    @contextmanager
    def _decode(self, raws: Sequence[Any]) -> Iterator[None]:
        """Takes note of it: there is nothing yet that it could be a part of."""
        began = time.time()
        yield
        self._here.decoded = Decoded(began, time.time(), origin_of(raws))

    @contextmanager
    def _batch(self, source: str, records: Sequence[Record]) -> Iterator[None]:
        with harmless():
            self._here.batch = batch = self._begin(source)
            annotate(batch, source=source, records=len(records), **names_in(records))
        try:
            with marking(self._current("batch")):
                yield
        finally:
            self._here.batch = None
            with harmless():
                self._recorder.end_subsegment() if self._in_lambda else self._recorder.end_segment()

    def _begin(self, source: str) -> Any:
        """Begins a batch, with what was decoded for it."""
        decoded, self._here.decoded = self._current("decoded"), None
        origin = decoded.origin if decoded else NOWHERE
        if self._in_lambda:
            batch = self._recorder.begin_subsegment(name_from(source))
        else:
            batch = self._recorder.begin_segment(None, origin.only, origin.parent, origin.sampled)
        if origin.traces and (self._in_lambda or not origin.only):
            annotate(batch, traces=" ".join(origin.traces[:MOST]))
        if decoded:
            batch.start_time = decoded.began
            self._recorder.begin_subsegment("decode").start_time = decoded.began
            self._recorder.end_subsegment(decoded.ended)
        return batch

    @contextmanager
    def _route(self, route: str, tasks: Sequence[Task]) -> Iterator[None]:
        """Counts what became of the records for which the route asked nothing; the batch counts all."""
        with self._part(route) as entity:
            with harmless():
                annotate(entity, route=route, records=len(tasks))
            with marking(entity):
                yield
            with harmless():
                annotate(entity, **Counter(task.result.outcome.name.lower() for task in tasks if task.results))

    @contextmanager
    def _request(self, sink: str) -> Iterator[None]:
        with self._part(sink, "remote") as entity:
            self._here.request = entity
            try:
                yield
            finally:
                self._here.request = None

    @contextmanager
    def _part(self, name: str, namespace: str = "local") -> Iterator[Any]:
        """A subsegment; None where there is none, as a route may have meddled with the trace."""
        entity = None
        with harmless():
            entity = self._recorder.begin_subsegment(name_from(name), namespace)
        try:
            yield entity
        finally:
            with harmless():
                self._recorder.end_subsegment()

    def _current(self, what: str) -> Any:
        return getattr(self._here, what, None)


class Once(logging.Filter):
    """Tells of traces that cannot be sent the first time alone, in a line of the service's own."""

    reported = False

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        if not self.reported:
            self.reported = True
            reason = str(record.exc_info[1]) if record.exc_info else record.getMessage()
            logger.warning("traces are not sent; this is told once", extra={"reason": reason})
        return False


def names_in(records: Sequence[Record]) -> dict[str, str]:
    """The tables and the buckets that records are of."""
    tables = {record.table for record in records if isinstance(record, TableRecord)}
    buckets = {record.bucket for record in records if isinstance(record, ObjectRecord)}
    found = {"table": tables, "bucket": buckets}
    return {kind: ",".join(sorted(names)[:MOST]) for kind, names in found.items() if names}


def counts_of(tasks: Sequence[Task]) -> dict[str, Counter[str]]:
    """How many records of each route had each outcome."""
    routes: dict[str, Counter[str]] = {}
    for task in tasks:
        if task.route in routes or len(routes) < MOST:
            routes.setdefault(task.route, Counter())[task.result.outcome.name.lower()] += 1
    return routes


def annotate(entity: Any, **values: str | int) -> None:
    for name, value in values.items():
        entity.put_annotation(name, value[:1000] if isinstance(value, str) else value)


@contextmanager
def marking(entity: Any) -> Iterator[None]:
    """Marks what an error leaves as a fault, with the error's class."""
    try:
        yield
    except BaseException as error:
        with harmless():
            entity.add_fault_flag()
            annotate(entity, exception=type(error).__name__)
        raise


@contextmanager
def harmless() -> Iterator[None]:
    """What goes wrong with a trace, which a route can meddle with, is no reason for the work to go wrong."""
    try:
        yield
    except Exception as error:
        logger.debug("a trace is not complete", extra={"reason": str(error)})


def name_from(text: str) -> str:
    """The text with the characters alone that a name may have, and no more than 200 of them."""
    return _NOT_IN_NAMES.sub("_", text)[:200] or NAMESPACE
