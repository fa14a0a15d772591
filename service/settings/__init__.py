"""All settings of the service, each declared once.

One declaration gives a key of the configuration file, an environment variable, a command line option
(with ``-`` or ``_``), the help text and the default. The order is file < environment < command line.
Route classes declare theirs with the same `setting`.
"""

from __future__ import annotations

from .declaration import setting
from .service import Settings

__all__ = ["Settings", "setting"]
