"""The length of tests. `make test` is quick; in the gate, STREAMDEX_LENGTH multiplies examples of properties."""

from __future__ import annotations

import os
from typing import Final

LENGTH: Final = float(os.environ.get("STREAMDEX_LENGTH", "1"))


def examples(quick: int) -> int:
    """Return the number of examples of a property that has `quick` of them in `make test`."""
    return max(1, round(quick * LENGTH))
