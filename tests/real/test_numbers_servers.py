"""Numbers at the real OpenSearch and at Elasticsearch."""

from __future__ import annotations

import pytest
from test_numbers import *  # noqa: F403  # the very tests that the embedded server passes


@pytest.fixture(params=["opensearch", "elasticsearch"])
def search_url(request) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))
