"""The question that a command asks before it deletes something."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..errors import SettingsError
from ..settings import setting


@dataclass(frozen=True)
class Consent:
    """The operator's answer, given on the command line."""

    yes: bool = setting(
        False, "delete without a question; needed where no terminal can answer", env="STREAMDEX_YES"
    )

    def given(self, deletes: str, answer: str = "yes") -> bool:
        """True if the operator agrees that `deletes` (the things and their number, in words) are deleted.

        On a terminal the operator has to type `answer`. Raises SettingsError where there is no terminal.
        """
        if self.yes:
            return True
        if not sys.stdin.isatty():
            raise SettingsError(f"this deletes {deletes}: add --yes to do so where no terminal can be asked")
        try:
            return input(f"This deletes {deletes}. Type {answer} to go on: ").strip() == answer
        except EOFError:  # Ctrl-D
            return False
