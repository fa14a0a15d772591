"""Rebuilds at the real OpenSearch, of tables of DynamoDB Local."""

from __future__ import annotations

from test_rebuild import *  # noqa: F403  # the very tests that the embedded servers pass
