"""What comes next is made while one waits for the server."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

from .body import Chunk


def ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks. While whoever iterates is busy with one, which is not the last, the next is made by a thread.

    Raises what making them raises.
    """
    chunk = next(chunks, None)
    while chunk is not None:
        if not chunk.more:
            yield chunk
            chunk = next(chunks, None)
            continue
        maker = Maker(chunks)
        maker.start()
        try:
            yield chunk
        finally:
            maker.join()
        chunk = maker.result()


class Maker(Thread):
    """Makes one chunk."""

    def __init__(self, chunks: Iterator[Chunk]):
        super().__init__(name="bulk request", daemon=True)
        self._chunks = chunks
        self._made: Chunk | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._made = next(self._chunks, None)
        except BaseException as error:
            self._error = error

    def result(self) -> Chunk | None:
        """The chunk, None after the last, once the thread has ended."""
        if self._error is not None:
            raise self._error
        return self._made
