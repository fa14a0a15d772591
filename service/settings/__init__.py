"""All settings of the service, each declared once.

One declaration defines a key of the configuration file, an environment variable, a command line option (with ``-``
or ``_``), the help text and the default. The precedence is file < environment < command line. Route classes use
the same function `setting`.
"""

from __future__ import annotations

from .declaration import setting
from .service import Settings

__all__ = ["Settings", "setting"]
