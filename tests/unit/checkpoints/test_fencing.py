"""Fencing of checkpoints: two processes of a group, each paused for any time before and after its requests.

The positions that a process reads when it takes over stay in the table until this process changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Semaphore, Thread
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lengths import examples
from positions_model import Key, PositionsModel

from service.checkpoints import table_store
from service.checkpoints.lease import LEASE, TableLease
from service.checkpoints.stores import TRIM_HORIZON, Checkpoint
from service.checkpoints.table_store import TableCheckpoints, token_of
from service.context import Context
from service.errors import LeaseLost
from service.settings import Settings
from service.timing import Timing

SECONDS = 30.0
SHARDS = ("a", "b", "c")
MANY = 100
WHO = st.integers(0, 1)
STOPS = st.sampled_from([0, 1, 2, 3, MANY, MANY])
REQUESTS = ("get_item", "paginate", "put_item", "update_item", "delete_item")


@pytest.fixture(autouse=True, scope="module")
def one_at_a_time():
    """Claim rows one after the other, so that the state machine controls the interleaving."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_store, "AT_ONCE", 1)
        yield


class Watched(PositionsModel):
    """A table that asserts that no row is overwritten with a lower token."""

    @contextmanager
    def _writing(self, key: Key, condition: Mapping[str, Any]) -> Iterator[None]:
        before = token_of(self.rows.get(key, {}))
        with super()._writing(key, condition):
            yield
        assert key not in self.rows or token_of(self.rows[key]) >= before


class Lane:
    """A thread of a process. It stops before and after each of its requests, until `advance` continues it."""

    def __init__(self, model: PositionsModel):
        self.busy = False
        self.error: BaseException | None = None
        self._model = model
        self._go = Semaphore(0)
        self._stopped = Semaphore(0)

    def advance(self, work: Callable[[], None], stops: int) -> None:
        """Continue the current work past `stops` stops, or start `work` if the lane is idle. Raise its error."""
        if not self.busy:
            self.busy = True
            Thread(target=self._run, args=(work,), daemon=True).start()
            self._stopped.acquire()
        for _ in range(stops):
            if not self.busy:
                break
            self._go.release()
            self._stopped.acquire()
        if self.error is not None:
            raise self.error

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except LeaseLost:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.busy = False
            self._stopped.release()

    def _stop(self) -> None:
        self._stopped.release()
        self._go.acquire()

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the client. Its requests stop the thread before and after the call."""
        if name == "get_paginator":
            return lambda _: self
        found = getattr(self._model, name)
        if name not in REQUESTS:
            return found

        def request(**arguments: Any) -> Any:
            self._stop()
            try:
                answer = found(**arguments)
                return list(answer) if name == "paginate" else answer
            finally:
                self._stop()

        return request


class Process:
    """A process that can read the streams of a group. Since its claim, it relies on the positions in `known`."""

    def __init__(self, name: str, model: PositionsModel, clock: Callable[[], float]):
        self.beats, self.work = Lane(model), Lane(model)
        self.known: dict[str, str] = {}
        self.token = 0
        self.writing = ""
        where = Context(Settings(), dynamodb=model)
        self.store = TableCheckpoints(where, "positions", "g", SECONDS, competes=False)
        self.store._dynamodb = self.work
        self.store.lease = TableLease(
            self.beats, "positions", "g", SECONDS, Timing(clock, lambda: 1.0), owner=name
        )

    def claim(self, token: int) -> None:
        known = self.store.claim("stream", token)
        self.token, self.known = token, {shard: at.position for shard, at in known.items()}

    def write(self, shard: str, position: str) -> None:
        self.writing = shard
        assert self.store.write("stream", shard, Checkpoint(position, 1.0), self.token)
        self.known[shard], self.writing = position, ""

    def remove(self, shard: str) -> None:
        self.writing = shard
        self.store.remove("stream", shard, self.token)
        del self.known[shard]
        self.writing = ""


class Fencing(RuleBasedStateMachine):
    """A state machine of two processes.

    The latest claimer relies on its positions: no other process moves, removes or creates any of them.
    """

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.positions = 0
        self.model = Watched()
        self.processes = [Process(name, self.model, lambda: self.now) for name in ("one", "other")]
        self.take_over(0, MANY)

    @rule(seconds=st.sampled_from([1.0, 10.0, 29.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(which=WHO, stops=STOPS)
    def beat(self, which: int, stops: int) -> None:
        process = self.processes[which]
        process.beats.advance(process.store.lease.beat, stops)

    @rule(which=WHO, stops=STOPS)
    def take_over(self, which: int, stops: int) -> None:
        """Keep the other process silent for longer than the lease time, then claim the positions."""
        for _ in range(3):
            self.beat(which, MANY)
            self.beat(which, MANY)
            self.now += SECONDS / 2
        self.claim(which, stops)

    @rule(which=WHO, stops=STOPS)
    def claim(self, which: int, stops: int) -> None:
        process = self.processes[which]
        token = process.store.lease.token()
        if process.work.busy or (token and token != process.token):
            process.work.advance(lambda: process.claim(token), stops)

    @rule(which=WHO, shard=st.sampled_from(SHARDS), stops=STOPS)
    def move(self, which: int, shard: str, stops: int) -> None:
        """Move the position of a known shard after a page, or record a new shard."""
        process = self.processes[which]
        self.positions += 1
        position = str(self.positions) if shard in process.known else TRIM_HORIZON
        process.work.advance(lambda: process.write(shard, position), stops)

    @rule(which=WHO, shard=st.sampled_from(SHARDS), stops=STOPS)
    def forget(self, which: int, shard: str, stops: int) -> None:
        process = self.processes[which]
        if shard in process.known or process.work.busy:
            process.work.advance(lambda: process.remove(shard), stops)

    @rule(shard=st.sampled_from(SHARDS), forgets=st.booleans(), order=st.lists(st.booleans(), max_size=16))
    def overtake(self, shard: str, forgets: bool, order: list[bool]) -> None:
        """Pause the lease holder before its next write, let the other process take over, then continue both."""
        for which, process in enumerate(self.processes):
            if process.store.lease.token():
                other = self.processes[1 - which]
                self.claim(which, MANY)
                (self.forget if forgets else self.move)(which, shard, 0)
                self.take_over(1 - which, 0)
                for first in order:
                    (process if first else other).work.advance(lambda: None, 1)
                break

    @invariant()
    @precondition(lambda self: hasattr(self, "processes"))
    def the_newest_knows_what_the_table_has(self) -> None:
        newest = max(self.processes, key=lambda process: process.token)
        rows = {shard: row["position"]["S"] for (_, shard), row in self.model.rows.items() if shard != LEASE}
        for shard, position in newest.known.items():
            assert shard == newest.writing or rows.get(shard) == position

    @invariant()
    @precondition(lambda self: hasattr(self, "processes"))
    def one_holds_the_lease(self) -> None:
        assert sum(process.store.lease.token() > 0 for process in self.processes) <= 1

    def teardown(self) -> None:
        for process in getattr(self, "processes", []):
            for lane in (process.beats, process.work):
                lane.advance(lambda: None, MANY)


Fencing.TestCase.settings = settings(max_examples=examples(40), stateful_step_count=30, deadline=None)
TestFencing = Fencing.TestCase
