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
        "seconds that a document may differ from an unchanged item; more than the lag of the service",
        least=0,
    )


@dataclass(frozen=True)
class VerifyOptions:
    """The options of `verify` apart from the selection of tables."""

    repair: bool = setting(False, "repair the documents that differ, and compare them again")
    sample: str = setting("100%", "share of the items and documents to check, such as 1%")

    @property
    def share(self) -> float:
        """Return the sample as a fraction: above 0, at most 1. Raises SettingsError if it is invalid."""
        try:
            share = float(self.sample.removesuffix("%")) / (100 if self.sample.endswith("%") else 1)
        except ValueError:
            share = math.nan
        if not 0 < share <= 1:
            raise SettingsError(f"--sample must be above 0% and at most 100%, such as 1%, not {self.sample!r}")
        return share
