"""Several documents of one item on the real OpenSearch, whose searches see nothing before a refresh."""

from __future__ import annotations

from test_sub_documents import *  # noqa: F403  # the same tests run on the embedded servers
