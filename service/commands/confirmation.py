"""The confirmation before a command deletes something."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..errors import SettingsError
from ..settings import setting


@dataclass(frozen=True)
class Consent:
    """The operator's consent, given with --yes or typed on the terminal."""

    yes: bool = setting(False, "delete without asking; required if there is no terminal")

    def given(self, deletes: str, answer: str = "yes") -> bool:
        """True if the operator agrees to delete `deletes`, a text that names things and numbers.

        Without --yes, the operator must type `answer`. Raises SettingsError if standard input is not a terminal.
        """
        if self.yes:
            return True
        if not sys.stdin.isatty():
            raise SettingsError(f"this deletes {deletes}, and there is no terminal to confirm it: add --yes")
        try:
            return input(f"This deletes {deletes}. Type {answer} to continue: ").strip() == answer
        except EOFError:  # Ctrl-D
            return False
