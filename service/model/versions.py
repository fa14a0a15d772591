"""The external version of a document: a pure function of the record, so that nothing stale can win.

A stream record's version is its time in whole seconds, then the finest order the record offers; an
object record's is its sequencer. Both fit the 63 bits that OpenSearch allows (a version of 2^63 or more, or
a negative one, sinks the whole bulk request; tried on 3.6.0). FORMAT numbers the layout.
"""

from __future__ import annotations

from typing import Final

FORMAT: Final = 1

MARGIN: Final = 120.0
"""Seconds that a scan is dated back: more than the clocks of DynamoDB and of its streams can differ."""

RUNS_BACK: Final = 5
"""Seconds by which the times of one item's changes can run back within a shard. AWS calls these times approximate
and names no bound. Its own sample stream runs back by one second."""

EPOCH: Final = 1_325_376_000  # 2012-01-01T00:00:00Z in Unix seconds, the month DynamoDB came out
_FIRST: Final = float(EPOCH)
_LAST: Final = float(EPOCH + 2**31 - 1)  # the last second that fits; in 2080
_LOW: Final = 2**32 - 1
_TWENTY_DIGITS: Final = 10**20
LARGEST: Final = 2**63 - 1
"""The largest version that OpenSearch takes."""

_OBJECT_DIGITS: Final = 15  # hexadecimal; 60 bits
_SEQUENCER_FRACTION: Final = 28  # bits of a version behind the first eight digits

UNORDERED: Final = 0
"""What a record without a usable time or sequencer gets: it wins only where nothing is known yet."""


def stream_version(created: float | None, sequence: int | None) -> int:
    """The version of a stream record.

    `created` is ApproximateCreationDateTime in Unix seconds, `sequence` the SequenceNumber. Numbers that AWS
    gives grow above their low twenty digits with each write to an item; DynamoDB Local and LocalStack count in
    the low ones; moto's do not tell, but its times have a fraction (which AWS's never have). A record without
    a time after 2012 gets UNORDERED.
    """
    if created is None or not _FIRST <= created <= _LAST:
        return UNORDERED
    seconds = int(created)
    low = int((created - seconds) * 1_000_000) if created % 1.0 else 0
    if not low and sequence is not None:
        high = sequence // _TWENTY_DIGITS
        low = high if 0 < high <= _LOW else abs(sequence) % _TWENTY_DIGITS & _LOW
    return (seconds - EPOCH) << 32 | low


def is_ranked(created: float | None, sequence: int | None) -> bool:
    """Whether versions of this form order the changes of one second.

    AWS promises only that sequence numbers reflect the order of a stream, not which of their digits do: a form
    that was never seen is not relied on.
    """
    fraction = created is not None and created % 1 != 0
    return fraction or 0 < (sequence or 0) // _TWENTY_DIGITS <= _LOW


def second_of(version: int) -> int:
    """The second that the version of a stream record is of."""
    return version >> 32


def time_of(version: int) -> float:
    """The Unix time in whole seconds that the version of a stream record is of."""
    return float(EPOCH + second_of(version))


def normal_sequencer(sequencer: str) -> str:
    """A sequencer in the one form that compares as text: upper case, no leading `00` pairs.

    Of two sequencers of one key the shorter is padded with zeros on the right, then both are compared as
    text ("Event message structure", S3 User Guide). EventBridge leaves out the leading zeros of the same
    sequencer. Text that is no hexadecimal number gives "".
    """
    text = sequencer.strip().upper()
    if not text or not set(text) <= set("0123456789ABCDEF"):
        return ""
    while text.startswith("00"):
        text = text[2:]
    return text


def object_version(sequencer: str) -> int:
    """The version of an object record: the first 15 digits of its sequencer; UNORDERED without one."""
    text = normal_sequencer(sequencer)
    return int(text[:_OBJECT_DIGITS].ljust(_OBJECT_DIGITS, "0"), 16) if text else UNORDERED


def sequencer_time(version: int) -> float:
    """Return the Unix seconds that the version of an object record begins with, if its sequencer is of AWS's form.

    AWS documents no form. In all samples the first eight digits of the normal form are the time in Unix seconds
    (`617F0829…` is 2021-10-31). A sequencer of another form gives another number: use it only to distrust one.
    """
    return float(version >> _SEQUENCER_FRACTION)
