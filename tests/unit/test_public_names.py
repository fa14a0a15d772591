"""What `import service` offers, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import service

HEAVY = ("boto3", "botocore", "opensearchpy", "configargparse", "yaml", "orjson", "PIL")


def test_every_public_name_is_there():
    assert all(hasattr(service, name) for name in service.__all__)
    assert list(service.__all__) == sorted(service.__all__)


def test_importing_the_service_loads_nothing_heavy():
    code = f"import service, service.testing, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
