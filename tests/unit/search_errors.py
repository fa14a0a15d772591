"""Errors of search servers, by what identifies them, and the outcome of each.

They are recorded from OpenSearch 3.6.0 and Elasticsearch 7.10.2, if these servers return them (`tests/real`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

REJECTED, RETRY, STALE, HALT, RACE = "REJECTED", "RETRY", "STALE", "HALT", "RACE"


@dataclass(frozen=True)
class Sample:
    """An error of one action, and the expected outcome of its record."""

    status: int
    type: str
    reason: str
    ends: str
    cause: str = ""

    @property
    def answer(self) -> dict[str, Any]:
        """Return the item of a bulk response for this action."""
        error: dict[str, Any] = {"type": self.type, "reason": self.reason}
        if self.cause:
            error["caused_by"] = {"type": "illegal_argument_exception", "reason": self.cause}
        return {"_index": "images", "_id": "a", "status": self.status, "error": error}


ARGUMENT: Final = "illegal_argument_exception"

ITEMS: Final = {
    "conflict": Sample(
        409,
        "version_conflict_engine_exception",
        "[c]: version conflict, current version [5] is higher than the one provided [4]",
        STALE,
    ),
    "value": Sample(
        400,
        "mapper_parsing_exception",
        "failed to parse field [n] of type [long] in document with id 'a'. Preview of field's value: 'x'",
        REJECTED,
        'For input string: "x"',
    ),
    "value, Elasticsearch 8": Sample(
        400,
        "document_parsing_exception",
        "[1:6] failed to parse field [n] of type [long] in document with id 'a'. Preview of field's value: 'x'",
        REJECTED,
        'For input string: "x"',
    ),
    "object": Sample(
        400,
        "mapper_parsing_exception",
        "object mapping for [o] tried to parse field [o] as object, but found a concrete value",
        REJECTED,
    ),
    "metadata field": Sample(
        400,
        "mapper_parsing_exception",
        "failed to parse field [_id] of type [_id] in document with id 'a'. Preview of field's value: 'x'",
        REJECTED,
        "Field [_id] is a metadata field and cannot be added inside a document.",
    ),
    "empty name": Sample(
        400, "mapper_parsing_exception", "failed to parse", REJECTED, "field name cannot be an empty string"
    ),
    "nested documents": Sample(
        400,
        "mapper_parsing_exception",
        "The number of nested documents has exceeded the allowed limit of [2].",
        REJECTED,
    ),
    "strict": Sample(
        400,
        "strict_dynamic_mapping_exception",
        "mapping set to strict, dynamic introduction of [x] within [_doc] is not allowed",
        REJECTED,
    ),
    "immense term": Sample(
        400,
        ARGUMENT,
        'Document contains at least one immense term in field="k" (whose UTF8 encoding is longer than the max'
        " length 32766), all of which were skipped.",
        REJECTED,
    ),
    "field limit": Sample(400, ARGUMENT, "Limit of total fields [3] has been exceeded", REJECTED),
    "depth limit": Sample(
        400, ARGUMENT, "Limit of mapping depth [20] has been exceeded due to object field [q.a]", REJECTED
    ),
    "field name length": Sample(
        400, ARGUMENT, "Field name [qqqqqqqqqqqq] is longer than the limit of [10] characters", REJECTED
    ),
    "empty id": Sample(400, ARGUMENT, "if _id is specified it must not be empty", REJECTED),
    "race of two types": Sample(
        400, ARGUMENT, "mapper [price] cannot be changed from type [long] to [float]", RACE
    ),
    "race of object and value": Sample(
        400, ARGUMENT, "can't merge a non object mapping [m] with an object mapping", RACE
    ),
    "processor: value": Sample(400, ARGUMENT, "unable to convert [abc] to integer", REJECTED),
    "processor: missing field": Sample(400, ARGUMENT, "field [zz] not present as part of path [zz]", REJECTED),
    "processor: no field": Sample(400, ARGUMENT, "field [zz] doesn't exist", REJECTED),
    "processor: field exists": Sample(400, ARGUMENT, "field [zz] already exists", REJECTED),
    "processor: null": Sample(400, ARGUMENT, "field [zz] is null, cannot process it.", REJECTED),
    "processor: type": Sample(
        400,
        ARGUMENT,
        "field [n] of type [java.lang.Integer] cannot be cast to [java.lang.String]",
        REJECTED,
    ),
    "processor: type in a list": Sample(
        400,
        ARGUMENT,
        "value [2] of type [java.lang.Integer] in list field [l] cannot be cast to [java.lang.String]",
        REJECTED,
    ),
    "processor: no object": Sample(
        400,
        ARGUMENT,
        "cannot set [b] with parent object of type [java.lang.Integer] as part of path [n.b]",
        REJECTED,
    ),
    "processor: fail": Sample(500, "fail_processor_exception", "no way", REJECTED),
    "processor: script": Sample(400, "script_exception", "runtime error", RETRY),
    "remote model throttled": Sample(
        400, "status_exception", 'Error from remote service: {"message":null}', RETRY
    ),
    "remote model forbidden": Sample(403, "status_exception", "Error from remote service", RETRY),
    "remote model missing": Sample(404, "status_exception", "Failed to find model", RETRY),
    "remote model conflict": Sample(409, "status_exception", "Error from remote service", RETRY),
    "missing pipeline": Sample(400, ARGUMENT, "pipeline with id [nope] does not exist", HALT),
    "no write index": Sample(
        400,
        ARGUMENT,
        "no write index is defined for alias [p-al]. The write index may be explicitly disabled using"
        " is_write_index=false or the alias points to multiple indices without one being designated as a write"
        " index",
        HALT,
    ),
    "data stream": Sample(
        400, ARGUMENT, "only write ops with an op_type of create are allowed in data streams", HALT
    ),
    "serverless without ids": Sample(
        400, ARGUMENT, "Document ID is not supported in create/index operation request", HALT
    ),
    "too many shards": Sample(
        400,
        "validation_exception",
        "Validation Failed: 1: this action would add [2] total shards, but this cluster currently has [24]/[1]"
        " maximum shards open;",
        HALT,
    ),
    "too many shards, OpenSearch 3": Sample(
        400,
        "validation_exception",
        "Validation Failed: 1: this action would add [2] total LOCAL_ONLY shards, but this cluster currently has"
        " [24]/[1] maximum LOCAL_ONLY shards open;",
        HALT,
    ),
    "routing": Sample(400, "routing_missing_exception", "routing is required for [p-rout]/[secret-id]", HALT),
    "closed": Sample(400, "index_closed_exception", "closed", HALT),
    "index name": Sample(
        400, "invalid_index_name_exception", "Invalid index name [P-UPPER], must be lowercase", HALT
    ),
    "missing index": Sample(404, "index_not_found_exception", "no such index [p-nac]", HALT),
    "no permission": Sample(
        403, "security_exception", "no permissions for [indices:data/write/bulk[s]] and User [name=x]", HALT
    ),
    "forbidden by something else": Sample(403, "some_exception", "no", HALT),
    "unauthorized": Sample(401, "some_exception", "who?", HALT),
    "write block": Sample(
        403,
        "cluster_block_exception",
        "index [p-block] blocked by: [FORBIDDEN/8/index write (api)];",
        RETRY,
    ),
    "full disk": Sample(
        429,
        "cluster_block_exception",
        "index [p-block] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark];",
        RETRY,
    ),
    "no new indices": Sample(
        403,
        "index_create_block_exception",
        "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];",
        RETRY,
    ),
    "busy": Sample(429, "rejected_execution_exception", "rejected execution of primary operation", RETRY),
    "shard": Sample(503, "unavailable_shards_exception", "primary shard is not active", RETRY),
    "bug": Sample(500, "null_pointer_exception", "Cannot invoke", RETRY),
    "argument that nobody knows": Sample(400, ARGUMENT, "the moon is full", RETRY),
    "type that nobody knows": Sample(400, "lunar_exception", "the moon is full", RETRY),
    "missing thing that nobody knows": Sample(404, "alias_not_found", "what?", RETRY),
    "conflict that nobody knows": Sample(409, "lunar_exception", "the moon is full", RETRY),
    "failed dependency": Sample(424, "lunar_exception", "the moon is full", RETRY),
}

WHOLE: Final = {
    "id": Sample(
        400,
        "action_request_validation_exception",
        "Validation Failed: 1: id [xxxx] is too long, must be no longer than 512 bytes but was: 600;",
        REJECTED,
    ),
    "version": Sample(
        400,
        "action_request_validation_exception",
        "Validation Failed: 1: illegal version value [-3] for version type [EXTERNAL_GTE];",
        REJECTED,
    ),
    "version of 63 bits": Sample(
        400,
        "input_coercion_exception",
        "Numeric value (9223372036854775808) out of range of long (-9223372036854775808 - 9223372036854775807)",
        REJECTED,
    ),
    "version of 63 bits, Elasticsearch": Sample(
        500,
        "input_coercion_exception",
        "Numeric value (9223372036854775808) out of range of long (-9223372036854775808 - 9223372036854775807)",
        REJECTED,
    ),
    "no index in an action": Sample(400, ARGUMENT, "explicit index in bulk is not allowed", HALT),
    "read-only cluster": Sample(
        403, "cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)];", RETRY
    ),
    "no new indices": ITEMS["no new indices"],
    "too many shards": ITEMS["too many shards"],
    "no permission": ITEMS["no permission"],
    "argument that nobody knows": ITEMS["argument that nobody knows"],
    "type that nobody knows": ITEMS["type that nobody knows"],
}
"""Errors of a whole request."""
