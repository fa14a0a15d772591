"""Fixtures: the embedded servers, started once for each test process, and one deployment for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from book_shelf import shelf  # noqa: F401  # a fixture
from dead_letter_stores import make_box  # noqa: F401  # a fixture
from deployments import Deployment, Running
from enforced_policies import account  # noqa: F401  # a fixture
from index_server import server  # noqa: F401  # a fixture
from rebuilds import impatient_rebuilds, released  # noqa: F401  # fixtures

from infra.shim.embedded_servers import embedded_aws, embedded_search
from infra.shim.probes import free_port

pytest.importorskip("osmem_server", reason="there is no embedded search server for this platform")


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    with embedded_aws(free_port()) as url:
        yield url


@pytest.fixture
def streams_url(aws_url: str) -> str:
    return aws_url


@pytest.fixture(scope="session")
def search_url() -> Iterator[str]:
    with embedded_search(free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def pipelines_url() -> Iterator[str]:
    with embedded_search(free_port(), pipelines=True) as url:
        yield url


@pytest.fixture
def deployment(aws_url: str, search_url: str, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(aws_url, search_url, tmp_path)
    yield made
    made.app.close()


@pytest.fixture
def running(deployment: Deployment) -> Iterator[Deployment]:
    workers = Running(deployment.app)
    yield deployment
    workers.stop()
