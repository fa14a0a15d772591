"""The setup of all unit tests. Hypothesis has no deadline, because CI machines are sometimes slow."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import settings
from lengths import examples
from moto import mock_aws

settings.register_profile("unit", deadline=None, max_examples=examples(50))
settings.load_profile("unit")


@pytest.fixture
def mocked_dynamodb(monkeypatch) -> Iterator[Any]:
    """Yield a client of moto's DynamoDB in this process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture(autouse=True)
def service_logger() -> Iterator[logging.Logger]:
    """Restore the logger of the package, which an App configures for the whole process."""
    logger = logging.getLogger("service")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield logger
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)
