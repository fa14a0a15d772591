"""Fixtures of the real servers, each started once, under the names that the tests of the embedded tier use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from book_shelf import shelf  # noqa: F401  # a fixture
from databases import mariadb, postgresql
from deployments import Deployment, Running
from index_server import server  # noqa: F401  # a fixture
from rebuilds import impatient_rebuilds, released  # noqa: F401  # fixtures
from servers import ELASTICSEARCH, OPENSEARCH, dynamodb_local, search_server

from infra.shim.embedded_servers import embedded_aws
from infra.shim.probes import free_port


@pytest.fixture(scope="session")
def opensearch_url() -> Iterator[str]:
    with search_server(OPENSEARCH) as url:
        yield url


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    with search_server(ELASTICSEARCH) as url:
        yield url


@pytest.fixture(scope="session")
def dynamodb_url() -> Iterator[str]:
    with dynamodb_local() as url:
        yield url


@pytest.fixture(scope="session")
def short_shards_url() -> Iterator[str]:
    with dynamodb_local(rollover=3.0) as url:
        yield url


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    """Yield an embedded server for S3 and SQS, which DynamoDB Local does not have."""
    with embedded_aws(free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    with mariadb() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
def search_url(opensearch_url: str) -> str:
    return opensearch_url


@pytest.fixture
def pipelines_url(opensearch_url: str) -> str:
    return opensearch_url


@pytest.fixture
def deployment(aws_url: str, dynamodb_url: str, search_url: str, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(
        aws_url,
        search_url,
        tmp_path,
        aws_endpoint_url_dynamodb=dynamodb_url,
        aws_endpoint_url_dynamodb_streams=dynamodb_url,
    )
    yield made
    made.app.close()


@pytest.fixture
def running(deployment: Deployment) -> Iterator[Deployment]:
    workers = Running(deployment.app)
    yield deployment
    workers.stop()
