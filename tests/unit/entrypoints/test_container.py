"""The container's loop: it ends when told to, with the exit code of what went wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from threading import Event, Timer
from types import SimpleNamespace
from typing import Any

import pytest

from service.dispatch import Report
from service.entrypoints.container import run
from service.errors import Halt, SettingsError
from service.settings import Settings


class Source:
    """Gives batches of one record until it is told to stop; `error` is raised after the first."""

    def __init__(self, name: str = "table t", error: BaseException | None = None, slow: float = 0):
        self.name = name
        self.settled = 0
        self.stopping = Event()
        self._error = error
        self.slow = slow

    def __iter__(self) -> Iterator[Any]:
        while not self.stopping.is_set():
            yield SimpleNamespace(source=self.name, records=["record"], settle=self.settle)
            self.stopping.wait(0.05)
            if self._error:
                raise self._error

    def settle(self, report: Report) -> None:
        self.settled += 1


def app(*sources: Source, stop_timeout: float = 3.0) -> Any:
    def open_sources(stopping: Event) -> list[Source]:
        for source in sources:
            source.stopping = stopping
        return list(sources)

    def dispatch(records: Any, name: str) -> Report:
        time.sleep(max(source.slow for source in sources))
        return Report([])

    return SimpleNamespace(
        sources=open_sources,
        dispatcher=SimpleNamespace(dispatch=dispatch),
        settings=Settings(stop_timeout=stop_timeout),
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_after_the_batch_in_hand(number):
    source = Source()
    Timer(0.1, os.kill, (os.getpid(), number)).start()
    assert run(app(source)) == 0
    assert source.settled > 0


def test_the_handlers_of_signals_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    stopping = Event()
    stopping.set()
    run(app(Source()), stopping)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_halt_ends_it_with_3_and_stops_the_other_sources():
    other = Source("queue q")
    assert run(app(Source(error=Halt("no table")), other)) == 3
    assert other.settled > 0


def test_an_unexpected_error_ends_it_with_1_and_is_told(caplog):
    assert run(app(Source(error=RuntimeError("surprise")))) == 1
    assert "surprise" in caplog.text


def test_a_batch_that_takes_too_long_is_abandoned_and_told(caplog):
    source = Source(slow=1.0)
    stopping = Event()
    Timer(0.1, stopping.set).start()
    began = time.monotonic()
    assert run(app(source, stop_timeout=0.1), stopping) == 0
    assert time.monotonic() - began < 3
    assert source.settled == 0
    assert "abandoned" in caplog.text


def test_nothing_to_read_is_an_error_in_settings():
    with pytest.raises(SettingsError, match="READ_QUEUE"):
        run(app())
