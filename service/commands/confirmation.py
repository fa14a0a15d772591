"""The confirmation before a command deletes something."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..errors import SettingsError
from ..settings import setting


@dataclass(frozen=True)
class Consent:
    """The operator's consent, given with --yes or typed on the terminal."""

    yes: bool = setting(
        False, "delete without a question; needed where no terminal can answer", env="STREAMDEX_YES"
    )

    def given(self, deletes: str, answer: str = "yes") -> bool:
        """True if the operator agrees to delete `deletes`, a text that names things and numbers.

        Without --yes, the operator must type `answer`. Raises SettingsError if standard input is not a terminal.
        """
        if self.yes:
            return True
        if not sys.stdin.isatty():
            raise SettingsError(f"this deletes {deletes}: add --yes to do so where no terminal can be asked")
        try:
            return input(f"This deletes {deletes}. Type {answer} to go on: ").strip() == answer
        except EOFError:  # Ctrl-D
            return False
