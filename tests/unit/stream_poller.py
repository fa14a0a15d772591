"""A process that reads the streams of one table, and builders and checks for its tests.

The streams are models with a virtual clock, which advances when no job is due.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection
from threading import Event
from typing import Any

from stream_model import ModelShard, StreamModel

from service.context import Context
from service.errors import Retry
from service.pipeline import Outcome, Report, Result
from service.settings import Settings
from service.sources.dynamodb_streams import StreamSource
from service.telemetry.logs import LoggingObserver
from service.timing import Timing

DAY = 24 * 3600.0


class Poller:
    """A process that reads the streams of a table. `seen` has the numbers of its delivered records, in order."""

    def __init__(self, model: StreamModel, checkpoints: Any, **options: Any):
        self.model = model
        self.seen: list[int] = []
        self.failing: set[int] = set()
        self.absent = options.pop("absent", {})
        self.unanswered = 0
        self.last: weakref.ref[Any] | None = None
        self._stopping = Event()
        self._until: Callable[[], bool] = lambda: False
        self._patience = 0.0
        context = Context(Settings(**options), dynamodb=model, dynamodb_streams=model)
        self.source = StreamSource(
            context,
            "images",
            checkpoints,
            self._stopping,
            observer=LoggingObserver(),
            timing=Timing(lambda: model.now, lambda: model.now, self._wait, lambda: 0.5),
            absences=self._absences,
        )

    def run(self, until: Callable[[], bool], within: float = 3600.0) -> None:
        """Read until `until()` is true, for at most `within` seconds of the model's clock."""
        self._until, self._patience = until, self.model.now + within
        self._stopping.clear()
        for batch in self.source:
            if batch.delivery.prefetch is not None:
                batch.delivery.prefetch()
            results = []
            for record in batch.records:
                number = int(record.identifier)
                self.seen.append(number)
                results.append(Result(Outcome.RETRY if number in self.failing else Outcome.APPLIED, "busy"))
                self.failing.discard(number)
            batch.settle(Report(results))
            self.last = weakref.ref(batch)
            del batch
            if until():
                return
        assert until(), "stuck"

    def wait_for(self, seconds: float) -> None:
        """Stop the iteration of the source after `seconds` of the model's clock."""
        self._until, self._patience = lambda: False, self.model.now + seconds
        self._stopping.clear()

    def run_for(self, seconds: float) -> None:
        """Read for `seconds` of the model's clock."""
        end = self.model.now + seconds
        self.run(lambda: self.model.now >= end, seconds + 1)

    def has_seen(self, numbers: Collection[int]) -> Callable[[], bool]:
        return lambda: set(numbers) <= set(self.seen)

    def _absences(self) -> dict[str, int]:
        if self.unanswered:
            self.unanswered -= 1
            raise Retry("the search server does not answer")
        return dict(self.absent)

    def _wait(self, condition: Any, seconds: float) -> None:
        self.model.now += max(seconds, 0.001)
        if self._until() or self.model.now > self._patience:
            self._stopping.set()


def root(model: StreamModel) -> ModelShard:
    return next(iter(model.streams[-1].shards.values()))


def position(checkpoints: Any, model: StreamModel, shard: ModelShard) -> str:
    return checkpoints.read(model.streams[-1].arn)[shard.id].position


def family(model: StreamModel) -> tuple[list[ModelShard], list[int]]:
    """Return a shard, its two children and a grandchild, with two records each, and all numbers in order."""
    shards, numbers = [root(model)], model.write(root(model), 2)
    children = model.split(shards[0])
    for child in children:
        numbers += model.write(child, 2)
    (grandchild,) = model.split(children[0], 1)
    return [*shards, *children, grandchild], numbers + model.write(grandchild, 2)


def assert_one_reader_each(poller: Poller) -> None:
    """Assert that each shard and each listing has only one job."""
    due = [turn for _, _, turn in poller.source._schedule._due]
    jobs = [(turn.token, turn.name) for turn in due if turn.stream is None or not turn.stream.retired]
    assert len(jobs) == len(set(jobs))


def lost(caplog: Any) -> list[Any]:
    return [record for record in caplog.records if record.message.startswith("records lost")]
