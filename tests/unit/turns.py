"""Threads that run one at a time. At each pause, the next one is chosen at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from threading import Semaphore, Thread, current_thread

PAUSES = 100_000
"""Number of pauses after which a run fails as endless."""


class Abandoned(BaseException):
    """A signal that ends a thread after another has failed."""


class Turns:
    """A scheduler of threads. The work of a thread between two pauses is atomic for the others."""

    def __init__(self, chance: random.Random):
        self.failure: BaseException | None = None
        self.back = Semaphore(0)
        self._chance = chance

    def pause(self) -> None:
        """Let other threads run first. Outside of `run`, do nothing."""
        thread = current_thread()
        if isinstance(thread, Turn):
            thread.rest()

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Run all works, each in its own thread. Raises the first exception of a thread."""
        going = [Turn(self, work) for work in works]
        for thread in going:
            thread.start()
        for _ in range(PAUSES):
            if not going:
                break
            chosen = self._chance.choice(going)
            chosen.go.release()
            self.back.acquire()
            if chosen.over:
                chosen.join()
                going.remove(chosen)
        else:
            self.failure = self.failure or AssertionError("no end")
        if self.failure is not None:
            raise self.failure


class Turn(Thread):
    """A thread that waits for its turn."""

    def __init__(self, turns: Turns, work: Callable[[], None]):
        super().__init__(daemon=True)
        self.go = Semaphore(0)
        self.over = False
        self._turns = turns
        self._work = work

    def run(self) -> None:
        try:
            self._wait()
            self._work()
        except Abandoned:
            pass
        except BaseException as error:
            self._turns.failure = self._turns.failure or error
        finally:
            self.over = True
            self._turns.back.release()

    def rest(self) -> None:
        self._turns.back.release()
        self._wait()

    def _wait(self) -> None:
        self.go.acquire()
        if self._turns.failure is not None:
            raise Abandoned
