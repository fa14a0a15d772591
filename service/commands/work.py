"""Works a source off: several threads, until it has no more."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from ..pipeline import Batch, Report, Source


def work_off(source: Source, work: Callable[[Batch], Report], stopping: Event) -> None:
    """Does the work on each batch that a source gives, in as many threads as it has workers, and settles it.

    What fails in one thread stops them all after their batch in hand, and is raised.
    """
    errors: list[BaseException] = []

    def read() -> None:
        try:
            for batch in source:
                batch.settle(work(batch))
        except BaseException as error:
            errors.append(error)
            stopping.set()

    threads = [Thread(target=read, name=f"{source.name} {n}", daemon=True) for n in range(source.workers)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.5)  # in steps, so that an interrupt is noticed on every platform
    finally:
        stopping.set()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
