"""The layer: built for the platform of Lambda, small, and with run-time dependencies only."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from builds import make, names_in, start

ELF_MACHINES = {"x86_64": 62, "arm64": 183}
OTHERS = r"flask|rich|moto|pytest|mypy|osmem|grpc|google|opensearch/|coverage|hypothesis|_pytest|pip"
FIFTEEN_MB = 15_000_000


@pytest.mark.parametrize("arch", sorted(ELF_MACHINES))
def test_a_layer_for_lambda_has_binaries_for_its_processor_and_python_alone(elsewhere, tmp_path, arch):
    make(elsewhere, tmp_path, "layer", f"--arch={arch}", "--python=3.14")
    with zipfile.ZipFile(tmp_path / f"streamdex-layer-{arch}.zip") as layer:
        binaries = [name for name in layer.namelist() if re.search(r"\.so(\.|$)", name)]
        heads = [layer.read(name)[:20] for name in binaries]
    assert any("orjson" in name for name in binaries)
    assert any("PIL" in name for name in binaries)
    assert {int.from_bytes(head[18:20], "little") for head in heads} == {ELF_MACHINES[arch]}
    assert {tag for name in binaries for tag in re.findall(r"cpython-(\d+)", name)} == {"314"}


def test_without_the_optional_extras_the_layer_stays_under_15_mb(mine, tmp_path):
    plain_routes(mine)
    make(mine, tmp_path, "layer", "--func=plain", "--python=3.14", "--arch=x86_64")
    layer = tmp_path / "streamdex-layer-x86_64.zip"
    assert not [name for name in names_in(layer) if "PIL" in name]
    assert layer.stat().st_size < FIFTEEN_MB


def test_everything_in_the_layer_is_a_run_time_dependency(here):
    names = names_in(here.layer)
    assert all(name.startswith("python/") for name in names)
    assert not [name for name in names if re.match(rf"python/({OTHERS})", name)]
    assert not [name for name in names if re.search(r"/tests?/|\.py[ci]$|/RECORD$|/INSTALLER$|^python/bin/", name)]


def test_the_layer_says_what_it_is_made_of_for_scanners_and_with_its_licences(here):
    names = names_in(here.layer)
    about = {name.split("/")[1] for name in names if ".dist-info/METADATA" in name}
    assert {re.match(r"[a-zA-Z0-9_]+", one)[0] for one in about} >= {"boto3", "orjson", "opensearch_py", "pillow"}
    for one in about:
        assert [name for name in names if re.match(rf"python/{re.escape(one)}/.*(LICEN[CS]E|COPYING)", name)]


def test_a_wheel_that_is_not_as_locked_is_refused(mine, tmp_path):
    lock = mine / "requirements.lock"
    head, events, rest = lock.read_text().partition("\nevents==")
    lock.write_text(head + events + re.sub(r"sha256:\w{8}", "sha256:00000000", rest, count=1))
    done = start(mine, tmp_path / "dist", "layer", "--python=here")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "dist").exists()


def plain_routes(root: Path) -> None:
    """Add a module of routes that needs no extra."""
    (root / "routes/plain.py").write_text(
        "from service import TableRoute\n\n\n"
        "class Plain(TableRoute):\n    table = 'plain'\n    key = {'id': 'S'}\n    index = 'plain'\n\n"
        "    def document(self, item):\n        return item\n"
    )
    (root / "routes/__init__.py").write_text('ROUTES = ["images:Images", "images:ImageUploads", "plain:Plain"]\n')
