"""Prepare the next item while a server processes the current request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from itertools import islice
from threading import Thread
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Prefetch: TypeAlias = Callable[[], object]


class Prefetched(Generic[T]):
    """An iterator that can compute its next item in advance."""

    def __init__(self, source: Iterator[T]):
        self._source = source
        self._made: list[T] = []
        self._error: Exception | None = None

    def prepare(self) -> None:
        """Compute the next item now. An exception is kept and raised by the following next()."""
        if not self._made and self._error is None:
            try:
                self._made += islice(self._source, 1)
            except Exception as error:
                self._error = error

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        self.prepare()
        if self._error is not None:
            raise self._error
        if not self._made:
            raise StopIteration
        return self._made.pop()


class Sent(Thread, Generic[T]):
    """A request in a separate thread. The calling thread, in which routes run, does other work meanwhile."""

    def __init__(self, request: Callable[[], T], prefetch: Prefetch):
        super().__init__(name="request", daemon=True)
        self._request = request
        self._meanwhile = prefetch
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._surroundings = copy_context()  # includes the deadline

    def run(self) -> None:
        try:
            self._answer.append(self._surroundings.run(self._request))
        except BaseException as error:
            self._error = error

    def answer(self) -> T:
        """Send the request, do the other work, and return the response. Raises the errors of the request."""
        self.start()
        try:
            self._meanwhile()
        finally:
            self.join()
        if self._error is not None:
            raise self._error
        return self._answer[0]
