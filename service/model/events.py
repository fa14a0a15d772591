"""The names of events, as AWS, its emulators and other object stores with the API of S3 write them.

Sources: "Event notification types and destinations" and "Using EventBridge" in the S3 User Guide; "GetRecords"
in the DynamoDB Streams API Reference; "S3 Bucket Notifications Compatibility" (Ceph); "Bucket Notifications"
(MinIO).
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
        "ObjectAccessed",
        "ObjectAcl",
        "ObjectAnnotation",
        "ObjectRestore",
        "ObjectRetention",
        "ObjectTagging",
        "ReducedRedundancyLostObject",
        "Replication",
    }
)
"""The event families of a bucket. Only the first two have a method in a route; a route can ignore the others."""

_FAMILY_OF: Final = {
    "objectcreated": CREATED,
    "objectremoved": DELETED,
    "objectdeleted": DELETED,
    "lifecycleexpiration": DELETED,
    # EventBridge has a detail type of its own for each event.
    "objecttagsadded": "ObjectTagging",
    "objecttagsdeleted": "ObjectTagging",
    "objectaclupdated": "ObjectAcl",
    "objectrestoreinitiated": "ObjectRestore",
    "objectrestorecompleted": "ObjectRestore",
    "objectrestoreexpired": "ObjectRestore",
    "objectaccesstierchanged": "IntelligentTiering",
    "objectstorageclasschanged": "LifecycleTransition",
    # Ceph
    "objectlifecycle:expiration": DELETED,
    "objectlifecycle:transition": "LifecycleTransition",
    "objectsynced:create": CREATED,
    "objectsynced:delete": DELETED,
    "objectsynced:deletionmarkercreated": DELETED,
    # MinIO
    "objecttransition": "LifecycleTransition",
}


@lru_cache(maxsize=256)
def object_event(name: str) -> str:
    """Return `CREATED`, `DELETED`, or the family of any other event of a bucket, such as `ObjectTagging`.

    Understands `ObjectCreated:Put`, `s3:ObjectRemoved:DeleteMarkerCreated`, `ObjectDeleted`,
    `LifecycleExpiration:Delete`, and the detail types of EventBridge, such as `Object Tags Added`.
    """
    family, _, action = name.removeprefix("s3:").replace(" ", "").partition(":")
    first = action.partition(":")[0]
    known = _FAMILY_OF.get(f"{family}:{first}".lower()) or _FAMILY_OF.get(family.lower())
    return known or family
