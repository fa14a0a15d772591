"""The options of a verification."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import SettingsError
from ...settings import setting


@dataclass(frozen=True)
class VerifyPatience:
    """The time allowed for changes that are still in the stream."""

    patience: float = setting(
        30.0,
        "seconds that a document may differ while its item does not change: the most that the service is behind",
        env="STREAMDEX_PATIENCE",
        least=0,
    )


@dataclass(frozen=True)
class VerifyOptions:
    """The options of `verify` apart from the selection of tables."""

    repair: bool = setting(False, "mend what is found, and verify that", env="STREAMDEX_REPAIR")
    sample: str = setting("100%", "how much of table and index is looked at, such as 1%", env="STREAMDEX_SAMPLE")

    @property
    def share(self) -> float:
        """Return the sample as a fraction: above 0, at most 1. Raises SettingsError if it is invalid."""
        try:
            share = float(self.sample.removesuffix("%")) / (100 if self.sample.endswith("%") else 1)
        except ValueError:
            share = math.nan
        if not 0 < share <= 1:
            raise SettingsError(f"sample must be a share such as 1%, not {self.sample!r}")
        return share
