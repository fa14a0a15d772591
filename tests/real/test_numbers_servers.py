"""Numbers on the real OpenSearch and on Elasticsearch."""

from __future__ import annotations

import pytest
from test_numbers import *  # noqa: F403  # the same tests run on the embedded server


@pytest.fixture(params=["opensearch", "elasticsearch"])
def search_url(request) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))
