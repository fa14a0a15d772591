"""`make sbom`: the CycloneDX list of everything that ships, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

TOOLS = {"pytest", "moto", "osmem-server", "mypy", "ruff", "playwright", "awslambdaric"}


def made() -> bytes:
    done = subprocess.run(
        ["make", "--no-print-directory", "sbom"], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path("dist/streamdex.cdx.json").read_bytes()


@pytest.mark.long
def test_the_list_holds_what_ships_with_its_hashes_and_no_tool_and_is_the_same_twice():
    text = made()
    content = json.loads(text)
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    listed = {component["name"]: component["version"] for component in content["components"]}
    locked = dict(re.findall(r"^(\S+)==(\S+)", Path("requirements.lock").read_text(), re.MULTILINE))
    assert {"boto3", "opensearch-py", "flask", "pillow"} <= set(listed)
    assert all(locked[name] == version for name, version in listed.items())
    assert not TOOLS & set(listed)
    assert all(component["purl"].startswith("pkg:pypi/") for component in content["components"])
    assert content["metadata"]["component"]["name"] == "streamdex"
    assert made() == text
