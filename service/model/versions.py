"""The external version of a document: a pure function of the record, so that a stale write never wins.

The version of a stream record is its time in whole seconds followed by the finest order that the record offers.
The version of an object record is its sequencer. Both fit the 63 bits of OpenSearch: a negative version, or one
of 2^63 or more, fails the whole bulk request (tested with 3.6.0). FORMAT is the number of this layout.
"""

from __future__ import annotations

from typing import Final

FORMAT: Final = 1

MARGIN: Final = 120.0
"""Seconds subtracted from the time of a scan: more than the clocks of DynamoDB and its streams can differ."""

RUNS_BACK: Final = 5
"""Seconds by which the time of a change can precede that of the item's previous change in the shard.

AWS calls these times approximate and names no bound. In its sample stream they go back by one second.
"""

EPOCH: Final = 1_325_376_000  # 2012-01-01T00:00:00Z in Unix seconds, the month of DynamoDB's release
_FIRST: Final = float(EPOCH)
_LAST: Final = float(EPOCH + 2**31 - 1)  # the last second that fits, in 2080
_LOW: Final = 2**32 - 1
_TWENTY_DIGITS: Final = 10**20
LARGEST: Final = 2**63 - 1
"""The largest version that OpenSearch accepts."""

_OBJECT_DIGITS: Final = 15  # hexadecimal; 60 bits
_SEQUENCER_FRACTION: Final = 28  # bits of a version after the first eight digits

NO_VERSION: Final = 0
"""The version of a record without a usable time or sequencer. It wins only if the document has no version yet."""


def stream_version(created: float | None, sequence: int | None) -> int:
    """Return the version of a stream record, or NO_VERSION without a time between 2012 and 2080.

    `created` is ApproximateCreationDateTime in Unix seconds, `sequence` the SequenceNumber. In AWS's numbers, the
    digits above the low twenty grow with each write to an item. DynamoDB Local and LocalStack count in the low
    digits. moto's numbers have no usable order, but its times have a fraction, which the times of AWS never have.
    """
    if created is None or not _FIRST <= created <= _LAST:
        return NO_VERSION
    seconds = int(created)
    low = int((created - seconds) * 1_000_000)
    if not low and sequence is not None:
        high = sequence // _TWENTY_DIGITS
        low = high if 0 < high <= _LOW else abs(sequence) % _TWENTY_DIGITS & _LOW
    return (seconds - EPOCH) << 32 | low


def is_ranked(created: float | None, sequence: int | None) -> bool:
    """True if versions made from these values order the changes within one second.

    AWS guarantees that sequence numbers follow the order of a stream, but not which of their digits do. Only known
    formats are trusted.
    """
    fraction = created is not None and created % 1 != 0
    return fraction or 0 < (sequence or 0) // _TWENTY_DIGITS <= _LOW


def second_of(version: int) -> int:
    """Return the second of a stream record's version, counted from EPOCH."""
    return version >> 32


def time_of(version: int) -> float:
    """Return the time of a stream record's version in Unix seconds."""
    return float(EPOCH + second_of(version))


def normal_sequencer(sequencer: str) -> str:
    """Return a sequencer in a form that sorts as text: upper case, without leading `00` pairs.

    To compare two sequencers of one key, AWS pads the shorter one with zeros on the right and compares them as
    text ("Event message structure", S3 User Guide). EventBridge omits the leading zeros of the same sequencer.
    Return "" if the text is not a hexadecimal number.
    """
    text = sequencer.strip().upper()
    if not text or not set(text) <= set("0123456789ABCDEF"):
        return ""
    while text.startswith("00"):
        text = text[2:]
    return text


def object_version(sequencer: str) -> int:
    """Return the version of an object record: the first 15 digits of its sequencer; NO_VERSION without one."""
    return int(normal_sequencer(sequencer)[:_OBJECT_DIGITS].ljust(_OBJECT_DIGITS, "0"), 16)


def sequencer_time(version: int) -> float:
    """Return the Unix seconds at the start of an object record's version.

    AWS does not document the format of a sequencer. In all samples the first eight digits of the normalized
    form are the time in Unix seconds (`617F0829…` is 2021-10-31). A sequencer in another format gives an
    unrelated number, so use the result only to reject a sequencer.
    """
    return float(version >> _SEQUENCER_FRACTION)
