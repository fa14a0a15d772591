"""How a person calls this program: under the name that it is imported by."""

from typing import Final

PROGRAM: Final = f"python -m {__package__}"
"""`python -m service` in its own repository, `python -m streamdex` where the package is installed."""
