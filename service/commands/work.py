"""Process a source in several threads until it has no more batches."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from ..pipeline import Delivery, Report, Source


def work_off(source: Source, work: Callable[[Delivery], Report], stopping: Event) -> None:
    """Process each delivery with `work` and settle its batch, in `source.workers` threads.

    An exception in one thread sets `stopping`. The other threads finish their current batch, then the exception is
    raised. `stopping` is always set when this returns.
    """
    errors: list[BaseException] = []

    def read() -> None:
        try:
            for batch in source:
                batch.settle(work(batch.delivery))
        except BaseException as error:
            errors.append(error)
            stopping.set()

    threads = [Thread(target=read, name=f"{source.name} {n}", daemon=True) for n in range(source.workers)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.5)  # a timeout, because not every platform interrupts an endless join
    finally:
        stopping.set()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
