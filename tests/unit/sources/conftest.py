"""Fixtures of the tests of sources: checkpoints in a file."""

from __future__ import annotations

import pytest

from service.checkpoints.stores import SqliteCheckpoints


@pytest.fixture
def checkpoints(tmp_path):
    store = SqliteCheckpoints(tmp_path / "c.sqlite", "group")
    yield store
    store.close()
