"""Run every test, and every process that a test starts, on the sample application, whatever routes a user adds."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["STREAMDEX_ROUTES"] = "sample_routes"
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
)
