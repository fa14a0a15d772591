"""The names of events, in every spelling that AWS and its emulators use.

Sources: "Event notification types and destinations" and "Using EventBridge" in the S3 User Guide;
"GetRecords" in the DynamoDB Streams API Reference.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

INSERT: Final = "INSERT"
MODIFY: Final = "MODIFY"
REMOVE: Final = "REMOVE"
CREATED: Final = "ObjectCreated"
DELETED: Final = "ObjectDeleted"

TABLE_EVENTS: Final = frozenset({INSERT, MODIFY, REMOVE})
OBJECT_FAMILIES: Final = frozenset(
    {
        CREATED,
        DELETED,
        "IntelligentTiering",
        "LifecycleTransition",
        "ObjectAcl",
        "ObjectRestore",
        "ObjectTagging",
        "ReducedRedundancyLostObject",
        "Replication",
    }
)
"""What bucket routes can be told of; all but the first two have no method, and can be ignored."""

_SPELLINGS: Final = {
    "objectcreated": CREATED,
    "objectremoved": DELETED,
    "objectdeleted": DELETED,
    "lifecycleexpiration": DELETED,
}


@lru_cache(maxsize=256)
def object_event(name: str) -> str:
    """`CREATED`, `DELETED`, or the family of any other event of a bucket, such as `ObjectTagging`.

    Understands `ObjectCreated:Put`, `s3:ObjectRemoved:DeleteMarkerCreated`, `ObjectDeleted`,
    `Object Deleted` (EventBridge) and `LifecycleExpiration:Delete`.
    """
    family = name.removeprefix("s3:").partition(":")[0].replace(" ", "")
    return _SPELLINGS.get(family.lower(), family)
