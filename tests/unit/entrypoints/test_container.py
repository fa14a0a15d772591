"""The container's loop: its shutdown on a signal, and its exit code for each error."""

from __future__ import annotations

import os
import signal
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Event, Thread, Timer
from types import SimpleNamespace
from typing import Any

import pytest

from service.context import Context
from service.entrypoints.container import run
from service.errors import Halt, LeaseLost, SettingsError, Unreachable
from service.pipeline import Delivery, Report
from service.settings import Settings


class Batch(SimpleNamespace):
    """A batch that supports weak references."""


class Source:
    """A source of numbered batches of one record. Each read raises the next of `errors` after its first batch."""

    def __init__(self, name: str = "table t", errors: Sequence[BaseException] = (), slow: float = 0):
        self.name = name
        self.workers = 1
        self.trouble = ""
        self.given: list[int] = []
        self.settled: list[int] = []
        self.kept: list[int] = []
        self.stopping = Event()
        self._errors = list(errors)
        self.slow = slow

    def __iter__(self) -> Iterator[Any]:
        while not self.stopping.is_set():
            number = len(self.given)
            self.given.append(number)
            batch = Batch(
                delivery=Delivery([number], self.name),
                settle=lambda report, number=number: self.settled.append(number),
            )
            held = weakref.ref(batch)
            yield batch
            del batch
            self.kept += [number] if held() else []
            self.stopping.wait(0.02)
            if self._errors:
                raise self._errors.pop(0)


def app(*sources: Source, stop_timeout: float = 3.0, on_halt: str = "retry", halts: Sequence[Any] = ()) -> Any:
    """Return an app for the container. Dispatching for the first source raises the `halts`, one per batch."""
    waiting = list(halts)

    def open_sources(stopping: Event) -> list[Source]:
        for source in sources:
            source.stopping = stopping
        return list(sources)

    def run(delivery: Delivery) -> Report:
        time.sleep(max(source.slow for source in sources))
        if waiting and delivery.source == sources[0].name:
            raise waiting.pop(0)
        return Report([])

    return SimpleNamespace(
        sources=open_sources,
        dispatcher=SimpleNamespace(run=run),
        context=Context(),
        settings=Settings(stop_timeout=stop_timeout, on_halt=on_halt, page_port=0),
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_after_the_batch_in_hand(number):
    source = Source()
    Timer(0.1, os.kill, (os.getpid(), number)).start()
    assert run(app(source)) == 0
    assert source.settled


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"search_timeout": 100.0}, "STREAMDEX_STALL_AFTER above 320"),
        ({"stall_after": 40.0}, "STREAMDEX_STALL_AFTER above 50"),
        ({"retry_for": 86_400.0}, "STREAMDEX_RETRY_FOR"),
    ],
)
def test_times_with_which_no_record_could_be_given_up_are_refused(settings, words):
    built = app(Source())
    built.settings = replace(built.settings, **settings)
    with pytest.raises(SettingsError, match=words):
        run(built)


def test_the_handlers_of_signals_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    stopping = Event()
    stopping.set()
    run(app(Source()), stopping)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def quick(monkeypatch):
    """Limit the delays between retries to 0.01 s."""
    monkeypatch.setattr("service.pipeline.workers.LONGEST", 0.01)
    monkeypatch.setattr("service.pipeline.workers.FIRST_PAUSE", 0.001)


def running(built: Any, until: Callable[[], Any]) -> int:
    """Run the container until the condition is true, for at most 10 s, and check the condition."""
    stopping = Event()

    def watch() -> None:
        deadline = time.monotonic() + 10
        while not until() and time.monotonic() < deadline:
            time.sleep(0.005)
        stopping.set()

    watching = Thread(target=watch)
    watching.start()
    code = run(built, stopping)
    watching.join()
    assert until()
    return code


def test_a_halt_stops_only_its_source_which_goes_on_with_the_same_batch(quick, caplog):
    halted, other = Source("queue halted"), Source("table other")
    built = app(halted, other, halts=[Halt("create the index")] * 20)
    assert running(built, lambda: len(halted.settled) > 2) == 0
    assert halted.settled[:3] == [0, 1, 2]
    assert len(other.settled) > 2
    told = [record for record in caplog.records if record.message == "halted"]
    assert {(r.levelname, r.source, r.reason) for r in told} == {("ERROR", "queue halted", "create the index")}


def test_a_queue_is_not_asked_for_more_while_it_halts(quick):
    halted, other = Source("queue halted"), Source("table other")
    built = app(halted, other, halts=[Halt("create the index")] * 100_000)
    assert running(built, lambda: len(other.settled) > 10) == 0
    assert halted.given == [0]
    assert halted.settled == []


@pytest.mark.parametrize("error", [Halt("no table"), Unreachable("no answer")])
def test_a_source_that_halts_is_read_again(quick, error):
    source = Source(errors=[error] * 5)
    assert running(app(source), lambda: len(source.settled) > 7) == 0


@pytest.mark.parametrize(("error", "code"), [(Halt("no table"), 3), (Unreachable("no answer"), 4)])
def test_a_halt_ends_it_with_its_code_where_the_setting_says_so(error, code):
    other = Source("queue q")
    assert run(app(Source(errors=[error]), other, on_halt="exit")) == code
    assert other.settled
    assert run(app(Source(), halts=[error], on_halt="exit")) == code


SURPRISES = [RuntimeError("surprise"), SystemExit(7), RecursionError("surprise"), ValueError("surprise")]


@pytest.mark.parametrize("surprise", SURPRISES, ids=repr)
def test_a_source_that_raises_what_nobody_foresaw_stands_still_alone_and_is_read_again(quick, caplog, surprise):
    source, other = Source(errors=[surprise] * 5), Source("queue other")
    assert running(app(source, other), lambda: len(source.settled) > 7) == 0
    assert len(other.settled) > 2
    told = [record for record in caplog.records if record.message == "halted"]
    assert {(r.levelname, r.source) for r in told} == {("ERROR", "table t")}
    assert all(f"{type(surprise).__name__} at test_container.py:" in record.reason for record in told)
    assert "surprise" not in "".join(record.reason for record in told)


@pytest.mark.parametrize("surprise", SURPRISES, ids=repr)
def test_a_batch_that_meets_what_nobody_foresaw_is_tried_again_and_holds_up_no_other_source(quick, surprise):
    source, other = Source(), Source("queue other")
    assert running(app(source, other, halts=[surprise] * 20), lambda: len(source.settled) > 2) == 0
    assert source.settled[:3] == [0, 1, 2]
    assert len(other.settled) > 2


@pytest.mark.parametrize("options", [{"errors": True}, {"halts": True}])
def test_what_nobody_foresaw_ends_it_with_1_where_the_setting_says_so(caplog, options):
    errors = [RuntimeError("surprise")]
    source = Source(errors=errors if "errors" in options else ())
    assert run(app(source, on_halt="exit", halts=errors if "halts" in options else ())) == 1
    assert "surprise" in caplog.text


def test_a_source_whose_lease_is_lost_while_it_is_read_is_read_again(quick):
    source = Source(errors=[LeaseLost("taken over")] * 3)
    assert running(app(source), lambda: len(source.settled) > 5) == 0


def test_a_batch_that_takes_too_long_is_abandoned_and_told(caplog):
    source = Source(slow=1.0)
    stopping = Event()
    Timer(0.1, stopping.set).start()
    began = time.monotonic()
    assert run(app(source, stop_timeout=0.1), stopping) == 0
    assert time.monotonic() - began < 3
    assert source.settled == []
    assert "abandoned" in caplog.text


class Waiting(Source):
    """A source that waits longer than the stop timeout, without a batch."""

    def __iter__(self) -> Iterator[Any]:
        time.sleep(1.0)
        yield from ()


def test_a_source_that_waits_with_nothing_in_hand_has_abandoned_nothing(caplog):
    stopping = Event()
    Timer(0.1, stopping.set).start()
    assert run(app(Waiting(), stop_timeout=0.1), stopping) == 0
    assert "abandoned" not in caplog.text


def test_a_batch_that_is_settled_is_let_go_before_the_next_is_asked_for(quick):
    source, halted = Source(), Source("queue halted")
    built = app(halted, source, halts=[Halt("create the index"), LeaseLost("taken over")])
    assert running(built, lambda: min(len(source.given), len(halted.given)) > 3) == 0
    assert source.kept == halted.kept == []


def test_nothing_to_read_is_an_error_in_settings():
    with pytest.raises(SettingsError, match="READ_QUEUE"):
        run(app())


def test_a_batch_of_a_lease_that_was_lost_is_left_to_another_and_the_source_is_read_on(quick, caplog):
    source = Source()
    built = app(source, halts=[LeaseLost("taken over")] * 2)
    assert running(built, lambda: len(source.settled) > 2) == 0
    assert source.settled[0] == 2
    assert "batch dropped: lease lost" in caplog.text
