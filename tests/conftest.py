"""The setup of all tests.

Every test, and every process that a test starts, uses the sample application, regardless of the user's routes.
Tests marked `long` run only if STREAMDEX_LENGTH is above 1, as in the gate.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from lengths import LENGTH

os.environ["STREAMDEX_ROUTES"] = "sample_routes"
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect long tests. Of a parametrised test, keep the first `after` sets of parameters."""
    if LENGTH > 1:
        return
    seen: Counter[str] = Counter()
    kept, left_out = [], []
    for item in items:
        function = item.nodeid.partition("[")[0]
        seen[function] += 1
        mark = item.get_closest_marker("long")
        quick = mark is None or seen[function] <= mark.kwargs.get("after", 0)
        (kept if quick else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept
