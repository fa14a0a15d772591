"""The rules for re-reads: when the current state is read, because a version does not prove which state is newer.

`decide` takes what is known about a record on one of its routes, and returns what happens to it. RULES is the
whole table. The first rule of the moment whose condition holds decides.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from ..model.versions import RUNS_BACK


class Moment(Enum):
    """The moment of a decision."""

    BEFORE = "before the write"
    CONFLICT = "after a conflict: the target has a newer version"
    WRITTEN = "after a successful write"


class Decision(Enum):
    """The treatment of a record."""

    TRUST = "the delivered state is written"
    READ = "the current state is read, and written"
    STALE = "nothing is written: the target is newer"
    SETTLED = "nothing is left to do"
    CHECK = "the current state is read, and written if it differs from what was written"
    MAKE_AGAIN = "the document is made again from the current state, and written if it differs"
    CHECK_DELETED = "the current state is read, and the document deleted if the item does not exist"


class Facts(NamedTuple):
    """The facts about a record on one of its routes. The defaults describe the most common record.

    The record:
    - `moment` of the decision.
    - `item` is False for an object record.
    - `ordered` is True from a shard: later changes of the item follow. Queues, and S3, SNS and EventBridge, which
      call the Lambda directly, keep no order.
    - `dated` is True if it has a usable time or sequencer, from which its version is made.
    - `ranked` is True if its sequence number has the format of AWS, which orders the changes within a second. AWS
      does not guarantee the format.
    - `complete` is False if the record lacks an image that the route needs.
    - `identified` is True if the record names the content of the object (its version or ETag).
    - `one_version` is True if only one version of the object was deleted. Others may exist.
    - `old` is True if the change is older than the setting `hint_after`. OpenSearch may have forgotten the version
      of a deleted document by then (after `index.gc_deletes`, and at once if a shard moves).
    - `by_hand` is True for what an operator delivers again, such as dead letters.
    - `trusting` is True for a recording, which is replayed as it is.

    The route:
    - `fetch` is True if it declares `fetch` or `versions = None`.
    - `composite` is True if its documents are made of several items. The version of one item's record does not
      order them.
    - `versioned` is True if its index keeps versions.
    - `indexed`, `items` and `rows` are True if it writes documents, DynamoDB items and SQL rows. DeleteItem leaves
      no version behind that could stop an older write.

    What has happened to the record in this delivery:
    - `reopened` is True if only a re-read settles its order: it met a conflict before, or it is unordered and not
      ranked.
    - `current` is True if the current state was written, not the delivered one.
    - `ahead` is the number of seconds by which the version that it met is newer; 0 in the same second.
    - `equal` is True if it met its own version. Another change of the object may have the same one, because a
      version has only the first digits of a sequencer.
    - `created` is True if the write created the document, although the record is unordered and older than PROMPT.
    """

    moment: Moment
    item: bool = True
    ordered: bool = True
    dated: bool = True
    ranked: bool = True
    complete: bool = True
    identified: bool = True
    one_version: bool = False
    old: bool = False
    by_hand: bool = False
    trusting: bool = False
    fetch: bool = False
    composite: bool = False
    versioned: bool = True
    indexed: bool = True
    items: bool = False
    rows: bool = False
    reopened: bool = False
    current: bool = False
    ahead: int = 0
    equal: bool = False
    created: bool = False


class Rule(NamedTuple):
    """A row of the table. `why` is the reason of a re-read before the write, for `routes explain`."""

    decision: Decision
    condition: Callable[[Facts], object]
    why: str = ""


TRUST, READ, STALE = Decision.TRUST, Decision.READ, Decision.STALE
SETTLED, CHECK, CHECK_DELETED = Decision.SETTLED, Decision.CHECK, Decision.CHECK_DELETED
MAKE_AGAIN: Final = Decision.MAKE_AGAIN

RULES: Final = {
    Moment.BEFORE: (
        Rule(READ, lambda f: f.by_hand, "an operator redelivers it"),
        Rule(READ, lambda f: f.composite, "the document is made of several items"),
        Rule(READ, lambda f: f.fetch, "the route declares fetch or versions = None"),
        Rule(READ, lambda f: f.rows and not f.identified, "it names no version or ETag of the object"),
        Rule(READ, lambda f: not f.complete, "it lacks an image that the route needs"),
        Rule(READ, lambda f: f.reopened, "its version does not determine its order"),
        Rule(TRUST, lambda f: f.trusting or not (f.indexed or f.items)),
        Rule(READ, lambda f: not f.dated, "it has no usable time or sequencer"),
        Rule(TRUST, lambda f: f.ordered),
        Rule(READ, lambda f: f.items, "it is unordered, and the route writes items"),
        Rule(READ, lambda f: f.one_version, "one version of the object was deleted, and others may exist"),
        Rule(
            READ,
            lambda f: not f.ranked,
            "it is unordered, and its sequence number does not order changes within a second",
        ),
        Rule(READ, lambda f: f.old, "it is unordered and older than hint_after ({hint_after:g} s)"),
        Rule(TRUST, lambda f: True),
    ),
    Moment.CONFLICT: (
        Rule(READ, lambda f: f.composite),
        Rule(STALE, lambda f: f.trusting),
        Rule(READ, lambda f: not f.dated),
        Rule(READ, lambda f: not f.item and f.equal),
        Rule(STALE, lambda f: not f.item),
        # An item can be written for records of several items and tables, whose versions do not order each other.
        Rule(READ, lambda f: f.items),
        # Within a shard the sequence number orders the changes of an item, and their times may go back.
        Rule(READ, lambda f: f.ordered and f.ahead <= RUNS_BACK),
        # What is trusted when its write succeeds is trusted in a conflict, too.
        Rule(READ, lambda f: not f.ordered and f.ahead == 0 and (f.current or not f.ranked)),
        Rule(STALE, lambda f: True),
    ),
    Moment.WRITTEN: (
        # Versions do not order these writes. Of two processes that read and write at the same time, the later one
        # sees what the earlier one missed.
        Rule(MAKE_AGAIN, lambda f: f.composite),
        Rule(SETTLED, lambda f: f.trusting),
        Rule(CHECK, lambda f: f.reopened or not f.versioned or (f.indexed and not f.dated)),
        Rule(CHECK, lambda f: f.items and not (f.item and f.ordered)),
        # The index may have forgotten that the document was deleted.
        Rule(CHECK, lambda f: f.created and not f.item),
        Rule(CHECK_DELETED, lambda f: f.created),
        Rule(SETTLED, lambda f: True),
    ),
}


def decide(facts: Facts) -> Decision:
    """Return the decision of the first rule that applies."""
    return rule_of(facts).decision


def rule_of(facts: Facts) -> Rule:
    """Return the first rule that applies."""
    return next(rule for rule in RULES[facts.moment] if rule.condition(facts))
