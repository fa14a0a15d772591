"""Traces with AWS X-Ray: a segment for each batch, with subsegments for decoding, each route and each request.

In a Lambda the batch is a subsegment of the invocation's segment, in the trace that AWS chose. Elsewhere, if all
messages of a batch have the same trace, the batch continues it. If they have several, the batch starts its own
trace and lists theirs in the annotation `traces`, as in a Lambda. Traces contain no values of items and no error
messages, which may quote values.

If a route is called during a request, its subsegment is inside the request's, which ends when both have ended.

The SDK sends by UDP and does not wait for a response. By default it asks the daemon which batches to sample. Here
the setting `trace_rate` decides, unless the sampling of a message's trace is already decided.

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
from ..pipeline import Dispatched, Observer, Request, Task
from ..pipeline.observers import NOTHING
from ..settings import Settings
from .origins import NOWHERE, Origin, origin_of

logger = logging.getLogger(__name__)

DAEMON: Final = "127.0.0.1:2000"
"""The default address of the daemon. AWS_XRAY_DAEMON_ADDRESS overrides it."""

NAMESPACE: Final = "streamdex"
"""The namespace of metadata."""

MOST: Final = 20
"""Tables, routes and traces listed per batch. X-Ray limits a segment to 64 kB, an annotation to 1,000 chars."""

_NOT_IN_NAMES: Final = re.compile(r"[^\w .:/%&#=+\-@]")


def make_recorder(settings: Settings) -> AWSXRayRecorder:
    """Configure and return the SDK's global recorder, so that a route's own subsegments are part of its batch.

    Raises SettingsError if AWS_XRAY_DAEMON_ADDRESS is invalid.
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
    """The decoding of a batch, before the batch began: its start and end in Unix seconds, and its origin."""

    began: float
    ended: float
    origin: Origin


class TracingObserver(Observer):
    """Trace batches. Each thread has its own current batch."""

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
        """Remember the times of the decoding. The segment of its batch does not exist yet."""
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
        """Begin the segment of a batch, and add the decoding that preceded it."""
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
        """Trace a call of a route. Count the outcomes of records without a write; the batch counts all records."""
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
        """Begin and end a subsegment. Yield None if it fails, because a route has changed the trace."""
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
    """A filter that logs only the first failure to send traces, as a line of the service."""

    reported = False

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        if not self.reported:
            self.reported = True
            reason = str(record.exc_info[1]) if record.exc_info else record.getMessage()
            logger.warning("could not send traces; later failures are not logged", extra={"reason": reason})
        return False


def names_in(records: Sequence[Record]) -> dict[str, str]:
    """Return the tables and buckets of records, as annotations."""
    tables = {record.table for record in records if isinstance(record, TableRecord)}
    buckets = {record.bucket for record in records if isinstance(record, ObjectRecord)}
    found = {"table": tables, "bucket": buckets}
    return {kind: ",".join(sorted(names)[:MOST]) for kind, names in found.items() if names}


def counts_of(tasks: Sequence[Task]) -> dict[str, Counter[str]]:
    """Return the number of records by route and outcome, for at most MOST routes."""
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
    """Mark the segment as a fault, with the error's class, if the block raises."""
    try:
        yield
    except BaseException as error:
        with harmless():
            entity.add_fault_flag()
            annotate(entity, exception=type(error).__name__)
        raise


@contextmanager
def harmless() -> Iterator[None]:
    """Suppress errors of tracing within the block, because a route can change the trace and work must go on."""
    try:
        yield
    except Exception as error:
        logger.debug("trace incomplete", extra={"reason": str(error)})


def name_from(text: str) -> str:
    """Return a valid segment name: at most 200 characters, invalid ones replaced by "_"."""
    return _NOT_IN_NAMES.sub("_", text)[:200] or NAMESPACE
