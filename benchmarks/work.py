"""The work: realistic Lambda events of a stream, the same for the same seed.

60 % are MODIFY, 25 % INSERT and 15 % REMOVE, with both images. One record in ten belongs to a few hot keys. The
image of an item is about 0.5 KB of DynamoDB JSON (small), 2 KB with nested maps, lists and sets (medium) or 50 KB
(large).
"""

from __future__ import annotations

import base64
import random
from typing import Any, Final

TABLE: Final = "bench"
STREAM: Final = f"arn:aws:dynamodb:us-east-1:123456789012:table/{TABLE}/stream/2026-01-01T00:00:00.000"
EVENTS: Final = ("MODIFY", "INSERT", "REMOVE")
SHARES: Final = (60, 25, 15)
HOT: Final = 0.1
"""The share of records with hot keys. There is one hot key for each hundred records."""

BEGAN: Final = 1_780_000_000
"""The Unix second of the first record."""

PER_SECOND: Final = 500
SIZES: Final = ("small", "medium", "large")
WORDS: Final = (
    *("amber", "anchor", "basin", "beacon", "cedar", "cinder", "copper", "delta", "drift", "ember", "fable"),
    *(
        "garnet",
        "harbor",
        "indigo",
        "juniper",
        "kettle",
        "lantern",
        "maple",
        "meadow",
        "nectar",
        "opal",
        "orchard",
    ),
    *("pebble", "quarry", "raven", "saffron", "timber", "umber", "velvet", "willow", "zephyr"),
)

Typed = dict[str, Any]


def event(records: int, size: str, seed: int = 1) -> dict[str, Any]:
    """Create an event of this many records of one size."""
    chance = random.Random(f"{seed} {size}")
    hot = [f"hot-{number}" for number in range(max(records // 100, 1))]
    made = []
    for number in range(records):
        key = chance.choice(hot) if chance.random() < HOT else f"item-{number:06d}"
        (kind,) = chance.choices(EVENTS, SHARES)
        made.append(record(number, kind, key, size, chance))
    return {"Records": made}


def touching(records: int, size: str, seed: int = 1) -> dict[str, Any]:
    """Create an event of changes of as many items. Nine in ten change only the attribute `seen`."""
    chance = random.Random(f"{seed} touching {size}")
    made = []
    for number in range(records):
        changed = record(number, "MODIFY", f"item-{number:06d}", size, chance)
        change = changed["dynamodb"]
        if number % 10:
            change["NewImage"] = dict(change["OldImage"])
        for second, image in enumerate(("OldImage", "NewImage")):
            change[image]["seen"] = {"N": str(BEGAN + second)}
        made.append(changed)
    return {"Records": made}


def record(number: int, kind: str, key: str, size: str, chance: random.Random) -> dict[str, Any]:
    """Create the record of one change in the format of Lambda."""
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": BEGAN + number // PER_SECOND,
        "Keys": {"id": {"S": key}},
        "SequenceNumber": f"{44_215_845 + number}{number * 17:020d}",
        "SizeBytes": 2 * {"small": 350, "medium": 1400, "large": 45_000}[size],
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if kind != "REMOVE":
        change["NewImage"] = item(key, size, chance)
    if kind != "INSERT":
        change["OldImage"] = item(key, size, chance)
    return {
        "eventID": f"{chance.getrandbits(128):032x}",
        "eventName": kind,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
        "eventSourceARN": STREAM,
    }


def item(key: str, size: str, chance: random.Random) -> Typed:
    """Create the image of an item in DynamoDB JSON."""
    made = _small(key, chance)
    if size == "medium":
        made |= _nested(chance)
    if size == "large":
        made |= _nested(chance)
        made["body"] = {"S": _text(chance, 5000)}
        made["parts"] = {"L": [_part(chance) for _ in range(130)]}
    return made


def _small(key: str, chance: random.Random) -> Typed:
    return {
        "id": {"S": key},
        "title": {"S": _text(chance, 5)},
        "owner": {"S": f"user-{chance.randrange(10_000)}"},
        "created": {"S": "2026-11-22T09:41:07.123Z"},
        "count": {"N": str(chance.randrange(100_000))},
        "price": {"N": f"{chance.randrange(10_000) / 100:g}"},
        "active": {"BOOL": chance.random() < 0.5},
        "summary": {"S": _text(chance, 38)},
        "deleted": {"NULL": True},
    }


def _nested(chance: random.Random) -> Typed:
    return {
        "tags": {"SS": chance.sample(WORDS, 4)},
        "sizes": {"NS": [str(number) for number in chance.sample(range(1000), 3)]},
        "thumbnail": {"B": base64.b64encode(chance.randbytes(48)).decode()},
        "address": {
            "M": {
                "street": {"S": _text(chance, 3)},
                "city": {"S": chance.choice(WORDS)},
                "geo": {"M": {"lat": {"N": _degrees(chance, 90)}, "lon": {"N": _degrees(chance, 180)}}},
            }
        },
        "lines": {"L": [_part(chance) for _ in range(7)]},
        "history": {"L": [{"S": _text(chance, 3)} for _ in range(9)]},
    }


def _part(chance: random.Random) -> Typed:
    return {
        "M": {
            "sku": {"S": f"sku-{chance.randrange(1_000_000):06d}"},
            "quantity": {"N": str(chance.randrange(1, 20))},
            "price": {"N": f"{chance.randrange(100_000) / 100:g}"},
            "note": {"S": _text(chance, 4)},
        }
    }


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def _degrees(chance: random.Random, most: int) -> str:
    return f"{chance.uniform(-most, most):.6f}"
