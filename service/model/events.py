"""Event names of AWS, its emulators and other S3-compatible object stores.

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
"""The event families of a bucket. Routes have methods for CREATED and DELETED; they can ignore others."""

_FAMILY_OF: Final = {
    "objectcreated": CREATED,
    "objectremoved": DELETED,
    "objectdeleted": DELETED,
    "lifecycleexpiration": DELETED,
    # EventBridge has a separate detail type for each event.
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
    """Return `CREATED`, `DELETED`, or the family of any other bucket event, such as `ObjectTagging`.

    Accepts `ObjectCreated:Put`, `s3:ObjectRemoved:DeleteMarkerCreated`, `ObjectDeleted`,
    `LifecycleExpiration:Delete`, and EventBridge detail types such as `Object Tags Added`.
    """
    family, _, action = name.removeprefix("s3:").replace(" ", "").partition(":")
    first = action.partition(":")[0]
    known = _FAMILY_OF.get(f"{family}:{first}".lower()) or _FAMILY_OF.get(family.lower())
    return known or family
