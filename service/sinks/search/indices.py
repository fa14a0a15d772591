"""Indices that the service creates before their first write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...context import Context


def create_missing(context: Context, index: str, mapping: Mapping[str, Any]) -> bool:
    """Creates an index that does not exist yet; whether it did.

    It remembers the versions of deleted documents for longer than OpenSearch's default of a minute
    (`index.gc_deletes`), and takes text that looks like a date for text unless the mapping says otherwise.
    Raises LeaseLost, and what opensearch-py raises.
    """
    from opensearchpy.exceptions import RequestError

    context.check()
    if context.search.indices.exists(index=index):
        return False
    body = {
        "settings": {"index": {"gc_deletes": context.settings.gc_deletes}},
        "mappings": {"date_detection": False, **mapping},
    }
    context.check()
    try:
        context.search.indices.create(index=index, body=body)
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        return False  # another process was faster
    return True
