"""The packages of the lock file that a build installs."""

from __future__ import annotations

from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.build.declared import declared
from infra.build.lock import closure, pins
from infra.build.platforms import platform_of
from service.errors import SettingsError

LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via streamdex (pyproject.toml)
beta==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:bb
    # via alpha
delta==4.0 ; platform_machine == 'aarch64' and python_version < '3.14' \\
    --hash=sha256:dd
    # via
    #   alpha
    #   gamma
epsilon==5.0 \\
    --hash=sha256:ee
    # via gamma
gamma==3.0 \\
    --hash=sha256:cc
    # via
    #   streamdex (pyproject.toml:dev)
    #   alpha
zeta==6.0 \\
    --hash=sha256:ff
    # via streamdex (pyproject.toml:dev)
"""


def names(roots: list[str], arch: str = "x86_64", python: str = "3.14", leave_out: tuple[str, ...] = ()) -> str:
    return " ".join(p.name for p in closure(pins(LOCK), roots, platform_of(arch, python).environment, leave_out))


def test_a_package_comes_with_all_that_it_needs_and_nothing_else():
    assert names(["gamma"]) == "epsilon gamma"
    assert names(["alpha", "zeta"]) == "alpha epsilon gamma zeta"


def test_markers_are_held_against_lambda_not_against_this_machine():
    assert names(["alpha"], "arm64", "3.13") == "alpha delta epsilon gamma"
    assert names(["alpha"], "x86_64", "3.13") == names(["alpha"], "arm64", "3.14") == "alpha epsilon gamma"


def test_what_is_left_out_goes_with_what_only_it_needs():
    assert names(["alpha"], "arm64", "3.13", leave_out=("gamma",)) == "alpha delta"


def test_a_line_has_the_version_and_every_digest_and_no_marker():
    locked = pins(LOCK)
    assert locked["alpha"].line() == "alpha==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab"
    assert locked["beta"].line() == "beta==2.0 \\\n    --hash=sha256:bb"


def test_a_package_that_is_not_locked_is_named_with_the_remedy():
    with pytest.raises(SettingsError, match=r"omega is not in requirements.lock.*make lock"):
        names(["omega"])


@pytest.mark.parametrize("python", ["3", "2.7", "3.14.1", "python3.14", ""])
def test_what_is_no_version_of_python_is_told(python):
    with pytest.raises(SettingsError, match="is not a Python version"):
        platform_of("x86_64", python)


def test_an_older_runtime_has_an_older_glibc():
    newest = [next(iter(platform_of("arm64", python).options)) for python in ("3.11", "3.12")]
    assert newest == ["--platform=manylinux_2_26_aarch64", "--platform=manylinux_2_34_aarch64"]


def test_the_lock_file_leads_to_what_the_packages_themselves_say_that_they_need():
    roots = declared().needed_by(["images"])
    found = {pin.name for pin in closure(pins(Path("requirements.lock").read_text()), roots, {})}
    said, waiting = set(), list(roots)
    while waiting:
        name = waiting.pop()
        if name not in said:
            said.add(name)
            needed = [Requirement(line) for line in requires(name) or ()]
            waiting += [
                canonicalize_name(r.name) for r in needed if not r.marker or r.marker.evaluate({"extra": ""})
            ]
    assert found == said
