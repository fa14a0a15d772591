"""Ingest processors on the real OpenSearch."""

from __future__ import annotations

from test_processors import *  # noqa: F403  # the same tests run on the embedded server
