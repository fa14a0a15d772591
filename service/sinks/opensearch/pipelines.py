"""Read, create and change the pipelines that routes declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...clients.search.response_reader import part
from ...context import Context
from ...errors import Halt
from ...routing.pipeline_declarations import INGEST, PipelineDeclaration

ADDED: Final = frozenset({"created_date", "created_date_millis", "modified_date", "modified_date_millis"})
"""Members that Elasticsearch adds since 9.2 and does not accept (github.com/elastic/elasticsearch/pull/130847)."""


def existing_pipeline(context: Context, declared: PipelineDeclaration) -> Mapping[str, Any] | None:
    """Return the body of a pipeline on the server; None if it does not exist.

    Raises UnexpectedAnswer, and what opensearch-py raises.
    """
    from opensearchpy.exceptions import NotFoundError

    search = context.search
    try:
        if declared.kind == INGEST:
            answer = search.ingest.get_pipeline(id=declared.name)
        else:
            answer = search.search_pipeline.get(id=declared.name)
    except NotFoundError:
        return None
    return body_of(answer, declared)


def body_of(answer: Any, declared: PipelineDeclaration) -> Mapping[str, Any]:
    """Return the body of a pipeline from the server's answer. Raises UnexpectedAnswer."""
    body = part(part(answer, dict).get(declared.name), dict)
    return {name: value for name, value in body.items() if name not in ADDED}


def put_pipeline(context: Context, declared: PipelineDeclaration) -> None:
    """Create or replace a pipeline.

    Raises Halt if the server has no search pipelines, and what opensearch-py raises.
    """
    from opensearchpy.exceptions import RequestError

    search = context.search
    if declared.kind == INGEST:
        search.ingest.put_pipeline(id=declared.name, body=declared.body)
        return
    try:
        search.search_pipeline.put(id=declared.name, body=declared.body)
    except RequestError as error:
        if error.error != "invalid_index_name_exception":  # Elasticsearch takes _search for an index
            raise
        raise Halt(
            f"the {declared} cannot be created: Elasticsearch has no search pipelines. Remove it from"
            " the route's search_pipelines"
        ) from error


def create_missing_pipelines(context: Context, declared: Iterable[PipelineDeclaration]) -> None:
    """Create the pipelines that do not exist. An existing one is kept, even if it differs.

    Raises as existing_pipeline and put_pipeline do.
    """
    for one in declared:
        if existing_pipeline(context, one) is None:
            put_pipeline(context, one)
