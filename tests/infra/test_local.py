"""`make build` and `make deploy` as a user types them: into an emulator, twice, used, and removed again."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from deployments import ask

from infra.deploy.deployment import ROOT

SECONDS = 120.0
"""Only ever waited for in full by a test that fails."""

NOBODYS = shutil.ignore_patterns("__pycache__", "secrets-*.env", "*.names.yml", "*.tfbackend", ".terraform*")
"""Left out of a copy."""

ORDER = ("data", "layer", "queue", "lambda")

LISTS: dict[str, tuple[str, str]] = {
    "list_tables": ("dynamodb", "TableNames"),
    "list_buckets": ("s3", "Buckets"),
    "list_queues": ("sqs", "QueueUrls"),
    "list_topics": ("sns", "Topics"),
    "list_subscriptions": ("sns", "Subscriptions"),
    "list_functions": ("lambda", "Functions"),
    "list_layers": ("lambda", "Layers"),
    "list_event_source_mappings": ("lambda", "EventSourceMappings"),
    "list_roles": ("iam", "Roles"),
    "list_policies": ("iam", "Policies"),
    "describe_log_groups": ("logs", "logGroups"),
    "describe_alarms": ("cloudwatch", "MetricAlarms"),
    "describe_parameters": ("ssm", "Parameters"),
}


class Checkout:
    """A copy of this repository, so that nobody's own deployment `local` is touched."""

    def __init__(self, folder: Path, environment: dict[str, str], url: str):
        self.folder = folder / "streamdex"
        self.folder.mkdir()
        for part in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy2(ROOT / part, self.folder)  # with their times: else make would build .venv anew
        for part in ("config", "infra", "routes", "service", "tests/data"):
            shutil.copytree(ROOT / part, self.folder / part, ignore=NOBODYS, symlinks=True)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")
        unset = ("AWS_", "SEARCH_", "STREAMDEX_", "MAKE", "FUNC", "ENV", "TARGET", "ARCH")
        own = {name: value for name, value in environment.items() if not name.startswith(unset)}
        kept = {name: environment[name] for name in ("AWS_CA_BUNDLE",) if name in environment}
        self.environment = {
            **own,
            **kept,
            "AWS_ENDPOINT_URL": url,
            "STANDIN_AWS_ENDPOINT": url,
            "TF_CLI_ARGS": "-no-color",
        }

    def make(self, *words: str) -> str:
        done = subprocess.run(
            ["make", "--no-print-directory", *words, "ENV=local", "FUNC=images"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"make {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def build_and_deploy(self) -> dict[str, str]:
        """What the deployment of each target said."""
        for target in ("layer", "queue", "lambda"):
            self.make("build", f"TARGET={target}")
        return {target: self.make("deploy", f"TARGET={target}", "AUTO_APPROVE=-auto-approve") for target in ORDER}


@pytest.fixture
def checkout(tmp_path: Path, terraform_environment: dict[str, str], emulator_url: str) -> Checkout:
    return Checkout(tmp_path, terraform_environment, emulator_url)


@pytest.fixture
def aws(emulator_url: str) -> Callable[..., Any]:
    """Plain boto3, as any other program would use it."""
    given = {"endpoint_url": emulator_url, "region_name": "us-east-1"}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return lambda service, kind="client": getattr(boto3, kind)(service, **given, **keys)


def everything(aws: Callable[..., Any]) -> dict[str, list[Any]]:
    """What there is in the account, as its lists tell."""
    return {verb: getattr(aws(service), verb)().get(key) or [] for verb, (service, key) in LISTS.items()}


def test_the_sample_is_built_deployed_twice_used_and_removed(checkout, aws, search_url):
    before = everything(aws)
    # The function can know where search is from the Parameter Store alone.
    (checkout.folder / "config/local.yml").unlink()
    (checkout.folder / "config/secrets-local.env").write_text(f"SEARCH_URL={search_url}\n")

    checkout.build_and_deploy()
    again = checkout.build_and_deploy()
    assert {target: "No changes." in said for target, said in again.items()} == dict.fromkeys(ORDER, True)

    names = dict(re.findall(r"^  (\S+): (\S+)$", (checkout.folder / "config/local.names.yml").read_text(), re.M))
    aws("dynamodb", "resource").Table(names["table/images"]).put_item(Item={"id": "a", "title": "Sunset"})
    picture = (checkout.folder / "tests/data/lisbon.jpg").read_bytes()
    aws("s3").put_object(Bucket=names["bucket/images-in"], Key="my lisbon.jpg", Body=picture)
    aws("s3").put_object(Bucket=names["bucket/images-in"], Key="no.jpg", Body=b"no image")
    eventually(lambda: found(search_url, "images"), ["a", "my lisbon.jpg"])
    letters = next(
        bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"] if "-letters-" in bucket["Name"]
    )
    eventually(lambda: aws("s3").list_objects_v2(Bucket=letters).get("KeyCount"), 1)
    aws("s3").delete_object(Bucket=names["bucket/images-in"], Key="my lisbon.jpg")
    eventually(lambda: found(search_url, "images"), ["a"])

    (function,) = aws("lambda").list_functions()["Functions"]
    assert function["Environment"]["Variables"]["STREAMDEX_SECRETS"] == "/streamdex-local"
    written = [path for path in (checkout.folder / ".terraform-state").rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if search_url.encode() in path.read_bytes()] == [], "a secret is in the state"

    for target in reversed(ORDER):
        checkout.make("destroy", f"TARGET={target}", "AUTO_APPROVE=-auto-approve")
    assert everything(aws) == before
    assert not (checkout.folder / "config/local.names.yml").exists()


def found(search_url: str, index: str) -> list[str]:
    answer = ask("GET", f"{search_url}/{index}/_search")
    return sorted(hit["_id"] for hit in answer["hits"]["hits"]) if answer else []


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    assert look() == wanted
