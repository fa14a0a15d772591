"""The known errors of search servers: the meaning of each, its remedy and its source.

A document is to blame only if a row of this table says so. An error without a row is retried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ...program import PROGRAM


class Meaning(Enum):
    """The meaning of an error for its document."""

    STALE = "the index has a newer version"
    DOCUMENT = "the document is at fault: it becomes a dead letter"
    RACE = "another document changed the mapping at the same time: retried, then a dead letter"
    PASSING = "retried"
    EVERYBODY = "every document would fail: the source halts"


@dataclass(frozen=True, slots=True)
class KnownError:
    """An error type. If one type covers several errors, `reason` is a regular expression for the reason.

    `remedy` is the advice to the operator; `{0}`, `{1}` … in it are the groups of the expression.
    """

    type: str
    meaning: Meaning
    source: str
    reason: str = ""
    remedy: str = ""

    def fits(self, kind: str, reason: str) -> bool:
        """True if this row describes an error with this type and reason."""
        return kind == self.type and re.search(self.reason, reason) is not None

    def advice(self, reason: str) -> str:
        """Return the remedy for an error that fits this row."""
        found = re.search(self.reason, reason)
        return self.remedy.format(*found.groups()) if found else self.remedy


TRIED: Final = "tried on OpenSearch 3.6.0 and Elasticsearch 7.10.2"
TRIED_ON_OPENSEARCH: Final = "tried on OpenSearch 3.6.0"
ARGUMENT: Final = "illegal_argument_exception"
PIPELINES: Final = f"{TRIED_ON_OPENSEARCH}; 'Ingest processors', OpenSearch documentation"
FIELDS: Final = "raise {0} of the index, or map the object as flat_object or with dynamic: false"

KNOWN: Final = (
    KnownError("version_conflict_engine_exception", Meaning.STALE, TRIED),
    KnownError("mapper_parsing_exception", Meaning.DOCUMENT, TRIED),
    KnownError(
        "document_parsing_exception",
        Meaning.DOCUMENT,
        "DocumentParsingException.java, Elasticsearch 8.9 and later: what was mapper_parsing_exception",
    ),
    KnownError(
        "strict_dynamic_mapping_exception",
        Meaning.DOCUMENT,
        TRIED,
        remedy="declare the field in the route's mapping, or leave it out of the document",
    ),
    KnownError(
        ARGUMENT,
        Meaning.RACE,
        f"{TRIED}: two documents of one request, on two shards, introduce a field;"
        " github.com/elastic/elasticsearch/issues/40409 and 114228",
        r"cannot be changed from type|can't merge a non.object mapping|can't merge a non.nested mapping"
        r"|from (non-)?nested to (non-)?nested",
        "map the field explicitly",
    ),
    KnownError(ARGUMENT, Meaning.DOCUMENT, TRIED, "immense term"),
    KnownError(
        ARGUMENT,
        Meaning.DOCUMENT,
        TRIED,
        "^Limit of total fields",
        FIELDS.format("index.mapping.total_fields.limit"),
    ),
    KnownError(
        ARGUMENT,
        Meaning.DOCUMENT,
        "tried on Elasticsearch 7.10.2 (OpenSearch 3.6.0 answers mapper_parsing_exception)",
        "^Limit of mapping depth",
        FIELDS.format("index.mapping.depth.limit"),
    ),
    KnownError(ARGUMENT, Meaning.DOCUMENT, TRIED, r"^Field name \[.*\] is longer than the limit"),
    KnownError(ARGUMENT, Meaning.DOCUMENT, TRIED, "^if _id is specified it must not be empty"),
    KnownError(
        ARGUMENT,
        Meaning.DOCUMENT,
        PIPELINES,
        r"^unable to convert \[| as part of path \[|^(field|value) \[.*\] .*cannot be cast to \["
        r"|^field \[.*\] (doesn't exist|already exists|is null, cannot process it)",
    ),
    KnownError("fail_processor_exception", Meaning.DOCUMENT, PIPELINES),
    KnownError(
        ARGUMENT,
        Meaning.EVERYBODY,
        TRIED,
        r"pipeline with id \[([^\]]*)\] does not exist",
        "the ingest pipeline {0} does not exist: if a route declares it in `pipelines`, run"
        f" `{PROGRAM} indices apply`; else create it, or remove it from the route's `pipeline` or the settings of"
        " the index (default_pipeline, final_pipeline)",
    ),
    KnownError(
        ARGUMENT,
        Meaning.EVERYBODY,
        TRIED,
        r"no write index is defined for alias \[([^\]]*)\]",
        "the alias {0} has no write index: keep only one index behind it, or mark one with is_write_index",
    ),
    KnownError(
        ARGUMENT,
        Meaning.EVERYBODY,
        TRIED_ON_OPENSEARCH,
        "only write ops with an op_type of create are allowed in data streams",
        "this name is a data stream, which stores no documents by id: use another index name in the route",
    ),
    KnownError(
        ARGUMENT,
        Meaning.EVERYBODY,
        "'Choosing a collection type', Amazon OpenSearch Serverless Developer Guide;"
        " github.com/langchain-ai/langchainjs/issues/4346",
        "Document ID is not supported",
        "the collection does not accept document ids: use a collection of type search",
    ),
    KnownError(
        ARGUMENT,
        Meaning.EVERYBODY,
        "'URL-based access control', Elasticsearch 7.10 reference; BulkRequestParser.java",
        "explicit index in bulk is not allowed",
        "the server does not allow an index in bulk actions: set rest.action.multi.allow_explicit_index to true",
    ),
    KnownError(
        "validation_exception",
        Meaning.EVERYBODY,
        TRIED,
        "maximum .*shards open",
        "the cluster has reached its maximum number of shards: delete indices that are not needed, add a node,"
        " or raise cluster.max_shards_per_node",
    ),
    KnownError(
        "routing_missing_exception",
        Meaning.EVERYBODY,
        TRIED,
        remedy="the mapping of the index requires a routing value: implement routing_of() in the route, or create"
        " the index without _routing.required",
    ),
    KnownError(
        "index_closed_exception",
        Meaning.EVERYBODY,
        TRIED,
        remedy="the index is closed: open it (POST /INDEX/_open)",
    ),
    KnownError(
        "invalid_index_name_exception",
        Meaning.EVERYBODY,
        TRIED,
        remedy="the server does not accept this index name: correct the route's index, or map it with the setting"
        " names",
    ),
    KnownError(
        "index_not_found_exception",
        Meaning.EVERYBODY,
        TRIED,
        remedy="the index does not exist: create it, or set STREAMDEX_CREATE_INDICES=true",
    ),
    KnownError(
        "security_exception",
        Meaning.EVERYBODY,
        "'Permissions', OpenSearch Security documentation",
        "(.*)",
        "the service's user may not write to this index: {0}",
    ),
    KnownError("cluster_block_exception", Meaning.PASSING, TRIED),
    KnownError("index_create_block_exception", Meaning.PASSING, TRIED_ON_OPENSEARCH),
    KnownError(
        "status_exception",
        Meaning.PASSING,
        "github.com/opensearch-project/ml-commons/issues/2249: the status of a remote model, 400 if it throttles",
    ),
    KnownError(
        "action_request_validation_exception", Meaning.DOCUMENT, f"{TRIED}: an id or version out of bounds"
    ),
    KnownError(
        "input_coercion_exception",
        Meaning.DOCUMENT,
        f"{TRIED}: a version out of bounds; Elasticsearch answers 500",
    ),
)
"""The table of known errors. The first row that fits applies."""


def known_error(kind: str, reason: str) -> KnownError | None:
    """Return the row of an error; None if it is unknown."""
    return next((row for row in KNOWN if row.fits(kind, reason)), None)
