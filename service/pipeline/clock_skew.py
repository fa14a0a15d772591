"""Discard times in the future, from a wrong clock or a forged record, so that they never become versions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..model import ObjectRecord, Record, TableRecord

logger = logging.getLogger(__name__)


def drop_future_times(batch: Sequence[Record], source: str, latest: float) -> None:
    """Clear each time after `latest` (Unix seconds), and the version made from it.

    The record then has no usable time or sequencer, so its item or object is re-read. Otherwise its write would
    get a version that later changes cannot exceed. `raw` is not changed.
    """
    dropped = 0
    for record in batch:
        if type(record) is TableRecord:  # the common case: a record with a valid time costs no call
            if record.created is not None and record.created > latest:
                dropped += record.drop_times_after(latest)
        elif isinstance(record, ObjectRecord):
            dropped += record.drop_times_after(latest)
    if dropped:
        logger.warning(
            "ignoring times in the future: check this machine's clock and the permissions to send to the source",
            extra={"source": source, "records": dropped},
        )
