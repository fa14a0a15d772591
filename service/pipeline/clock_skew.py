"""Times from the future: a clock that is wrong, or a forged record. They never become versions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..model import ObjectRecord, Record, TableRecord

logger = logging.getLogger(__name__)


def drop_future_times(batch: Sequence[Record], source: str, latest: float) -> None:
    """Take the time from each record that claims one after `latest` (Unix seconds), with the version made of it.

    Such a record is then one without a usable time or sequencer: its item or object is read again, and nothing is
    written at a version that later changes cannot reach. `raw` stays as it came.
    """
    dropped = 0
    for record in batch:
        if type(record) is TableRecord:  # nearly all are, and have a time: they cost no call
            if record.created is not None and record.created > latest:
                dropped += record.drop_times_after(latest)
        elif isinstance(record, ObjectRecord):
            dropped += record.drop_times_after(latest)
    if dropped:
        logger.warning(
            "ignoring times in the future: check this machine's clock, and who may send to the source",
            extra={"source": source, "records": dropped},
        )
