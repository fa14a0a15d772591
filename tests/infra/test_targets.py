"""The Terraform targets: formatted, valid, with passing tests, and with described variables and outputs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from infra.deploy.deployment import ROOT, TARGETS
from infra.deploy.terraform import has_overrides

FOLDERS = [*(f"infra/{target}" for target in TARGETS), "examples/s3_events/infra"]
FILES = sorted(file for folder in ("infra", "examples") for file in (ROOT / folder).glob("**/*.tf"))


def terraform(folder: str, environment: dict[str, str], data: Path, *words: str) -> str:
    """Return the output of Terraform. Fail with that output if Terraform fails."""
    program = os.environ.get("TERRAFORM", "terraform")
    done = subprocess.run(
        [program, f"-chdir={ROOT / folder}", *words],
        env={**environment, "TF_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_is_formatted(terraform_environment, tmp_path):
    for folder in ("infra", "examples"):
        terraform(folder, terraform_environment, tmp_path, "fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_target_is_valid_and_wired_as_its_tests_say(terraform_environment, tmp_path, folder):
    fetch = ["get"] if has_overrides(terraform_environment) else ["init", "-input=false", "-backend=false"]
    terraform(folder, terraform_environment, tmp_path, *fetch)
    terraform(folder, terraform_environment, tmp_path, "validate", "-no-color")
    said = terraform(folder, terraform_environment, tmp_path, "test", "-no-color")
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", said), said


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_variable_has_a_type_and_every_one_and_every_output_is_described(file):
    for kind, name, body in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', file.read_text(), re.M | re.S):
        assert re.search(r"^  description +=", body, re.M), f"{kind} {name}"
        assert kind == "output" or re.search(r"^  type +=", body, re.M), f"{kind} {name}"


def test_nothing_answers_to_everybody():
    """Every policy for all principals denies, and no address or access is public."""
    for file in FILES:
        text = file.read_text()
        for found in re.finditer(r'Principal += "\*"', text):
            before = text[: found.start()].rpartition("Effect")[2]
            assert "Deny" in before, f"{file}: somebody who is not named is allowed something"
        assert not re.search(
            r"assign_public_ip += true|AllowFromPublic += true|block_public_\w+ += false", text
        ), file
