"""How a verification goes about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import SettingsError
from ...settings import setting


@dataclass(frozen=True)
class Patience:
    """How long what differs may be on its way."""

    patience: float = setting(
        30.0,
        "seconds that a document may differ while its item does not change: the most that the service is behind",
        env="STREAMDEX_PATIENCE",
        least=0,
    )


@dataclass(frozen=True)
class Manner:
    """How a verification goes about it."""

    repair: bool = setting(False, "mend what is found, and verify that", env="STREAMDEX_REPAIR")
    sample: str = setting("100%", "how much of table and index is looked at, such as 1%", env="STREAMDEX_SAMPLE")

    @property
    def share(self) -> float:
        """The sample as a number over 0, and 1 at the most. Raises SettingsError."""
        try:
            share = float(self.sample.removesuffix("%")) / (100 if self.sample.endswith("%") else 1)
        except ValueError:
            share = math.nan
        if not 0 < share <= 1:
            raise SettingsError(f"sample must be a share such as 1%, not {self.sample!r}")
        return share
