"""Indices of a pattern and routing values on the real OpenSearch, whose shards are real."""

from __future__ import annotations

from test_placement import *  # noqa: F403  # the same tests run on the embedded servers
