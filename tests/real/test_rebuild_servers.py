"""Rebuilds on the real OpenSearch, of tables in DynamoDB Local."""

from __future__ import annotations

from test_rebuild import *  # noqa: F403  # the same tests run on the embedded servers
from test_rebuild_old_index import *  # noqa: F403
from test_rebuild_unfinished import *  # noqa: F403
