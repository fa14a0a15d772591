"""Fixtures: an X-Ray daemon, and services that trace every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes import Items
from search_model import SearchModel
from xray import Daemon

from service.bootstrap.application import App
from service.context import Context
from service.settings import Settings


@pytest.fixture(scope="session")
def closed() -> Iterator[None]:
    """Close the SDK's only socket after the last test. All modules that trace share it."""
    yield
    from aws_xray_sdk.core import xray_recorder

    xray_recorder.emitter._socket.close()


@pytest.fixture
def daemon(monkeypatch) -> Iterator[Daemon]:
    made = Daemon()
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", made.address)
    yield made
    made.close()


@pytest.fixture
def app(tmp_path, closed) -> Iterator[Callable[..., App]]:
    """Yield a factory of services that trace every batch and write to models."""
    made = []

    def make(*routes: Any, search: Any = None, dynamodb: Any = None, sqs: Any = None, **options: Any) -> App:
        chosen = {
            "trace": True,
            "trace_rate": 1.0,
            "group": "shop",
            "retry_time": 0.0,
            "hint_after": 1e12,
            **options,
        }
        settings = Settings(search_url="http://search.test", dead_letters=str(tmp_path / "letters"), **chosen)
        context = Context(settings, search=search or SearchModel(), dynamodb=dynamodb, sqs=sqs)
        made.append(App(settings, routes or [Items()], context))
        return made[-1]

    yield make
    for built in made:
        built.close()
