"""The artifacts, built once for all tests of a run, and the embedded servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from builds import Archives, checkout, make

from infra.shim.embedded_servers import embedded_aws, embedded_search
from infra.shim.probes import free_port

pytest.importorskip("osmem_server", reason="there is no embedded search server for this platform")


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory) -> Path:
    """Return a copy of the checkout in another folder, with other times and modes. No test changes it."""
    return checkout(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def mine(tmp_path) -> Path:
    """Return a copy of the checkout that a test may change."""
    (tmp_path / "mine").mkdir()
    return checkout(tmp_path / "mine")


@pytest.fixture(scope="session")
def here(tmp_path_factory) -> Archives:
    """Build the layer for this interpreter, the Lambda code and the package in the checkout."""
    out = tmp_path_factory.mktemp("dist")
    make(Path.cwd(), out, "layer", "--python=here")
    make(Path.cwd(), out, "lambda")
    make(Path.cwd(), out, "wheel")
    return Archives(out)


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    with embedded_aws(free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def search_url() -> Iterator[str]:
    with embedded_search(free_port()) as url:
        yield url
