"""The command with which users start this program, for messages and help."""

from typing import Final

PROGRAM: Final = f"python -m {__package__}"
"""`python -m service` in the repository, `python -m streamdex` if the package is installed."""
