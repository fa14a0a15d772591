"""Fixtures: a healthy deployment in moto."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws
from planted import Clients, Clinic


@pytest.fixture(scope="session")
def clients() -> Clients:
    return Clients()


@pytest.fixture
def clinic(clients: Clients, tmp_path: Path) -> Iterator[Clinic]:
    with mock_aws():
        yield Clinic(tmp_path, clients)
