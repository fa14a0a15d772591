"""The images, built once, and the embedded servers that they use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine import Builder, Image

from infra.shim.embedded_servers import embedded_aws, embedded_search
from infra.shim.probes import free_port


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    made = Builder(tmp_path_factory.mktemp("engine"))
    tag = re.search(r"^ARG PYTHON=(\S+)$", Path("Dockerfile").read_text(), re.MULTILINE)
    assert tag
    made.make_base(tag[1])
    yield made
    made.ask("umount", "--all")
    made.ask("rmi", "--all", "--force")


@pytest.fixture(scope="session")
def container(builder: Builder) -> Image:
    return builder.build("container")


@pytest.fixture(scope="session")
def for_lambda(builder: Builder) -> Image:
    return builder.build("lambda")


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    with embedded_aws(free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def search_url() -> Iterator[str]:
    with embedded_search(free_port()) as url:
        yield url
