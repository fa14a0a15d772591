"""Dead-letter stores of each kind, and dead letters for them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders import stream_record
from deployments import Deployment, aws_client

from service.context import Context
from service.pipeline import DeadLetter, Outcome, Result
from service.sinks.dead_letters import ReadableDeadLetterStore, make_dead_letter_store
from service.sources.envelopes import unwrap


@pytest.fixture
def make_box(deployment: Deployment, tmp_path) -> Callable[..., tuple[str, ReadableDeadLetterStore]]:
    """Return a function that creates a store of a kind and returns its setting and the store."""
    numbers = itertools.count()

    def make(kind: str, large: bool = True) -> tuple[str, ReadableDeadLetterStore]:
        name = f"{deployment.queue}-dead-{next(numbers)}"
        where = str(tmp_path / name)
        if kind == "s3":
            deployment.s3.create_bucket(Bucket=name)
            where = f"s3://{name}/letters"
        if kind.startswith("sqs"):
            fifo = {"FifoQueue": "true"} if kind == "sqs.fifo" else {}
            name += ".fifo" if fifo else ""
            aws_client(deployment.aws_url, "sqs").create_queue(QueueName=name, Attributes=fifo)
            where = f"sqs://{name}"
        beside = f"{deployment.bucket}-large"
        deployment.s3.create_bucket(Bucket=beside)
        settings = replace(
            deployment.settings, dead_letters=where, dead_letters_large=f"s3://{beside}/x" if large else ""
        )
        return where, make_dead_letter_store(Context(settings))

    return make


def letter(name: str, route: str = "images:Images", reason: str = "bad", **more: Any) -> DeadLetter:
    (record,) = unwrap(stream_record(new={"id": name, "title": name, **more}, sequence=str(abs(hash(name)))))
    return DeadLetter(record, route, Result(Outcome.REJECTED, reason))
