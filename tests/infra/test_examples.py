"""The three ways to wire the events of a bucket: deployed to an emulator, used, and removed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from checkouts import Checkout, eventually, found

BUCKET, LETTERS = "examples-in", "examples-letters"


class Wiring:
    """Terraform in the folder of the examples."""

    def __init__(self, checkout: Checkout, variables: dict[str, Any]):
        self._folder = checkout.folder / "examples/s3_events/infra"
        self._environment = checkout.environment
        (self._folder / "terraform.tfvars.json").write_text(json.dumps(variables))
        self.terraform("get")

    def terraform(self, *words: str) -> None:
        done = subprocess.run(
            ["terraform", *words],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def variables(checkout: Checkout, aws: Callable[..., Any], search_url: str) -> Iterator[dict[str, Any]]:
    """Create the resources that the examples need: a layer, a source bucket and a dead-letter bucket."""
    for target in ("layer", "examples"):
        checkout.make("build", f"TARGET={target}")
    (layer,) = (checkout.folder / "dist").glob("streamdex-layer-*.zip")
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    functions, s3 = aws("lambda"), aws("s3")
    version = functions.publish_layer_version(LayerName="examples", Content={"ZipFile": layer.read_bytes()})
    for name in (BUCKET, LETTERS):
        s3.create_bucket(Bucket=name)
    yield {
        "environment": "local",
        "emulator": True,
        "package": str(checkout.folder / "dist/streamdex-examples.zip"),
        "layers": [version["LayerVersionArn"]],
        "runtime": runtime,
        "architecture": layer.stem.removeprefix("streamdex-layer-"),
        "search_url": search_url,
        "bucket": {"name": BUCKET, "arn": f"arn:aws:s3:::{BUCKET}"},
        "letters": {"name": LETTERS, "arn": f"arn:aws:s3:::{LETTERS}"},
    }
    for name in (BUCKET, LETTERS):
        for stored in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=stored["Key"])
        s3.delete_bucket(Bucket=name)
    functions.delete_layer_version(LayerName="examples", VersionNumber=version["Version"])


def test_each_way_follows_the_objects_of_the_bucket(
    checkout: Checkout,
    variables: dict[str, Any],
    aws: Callable[..., Any],
    search_url: str,
):
    """Deploy them one after the other in one deployment, because a change of `wiring` is also a deployment."""
    wiring = Wiring(checkout, variables)
    for way, functions in (("two_modules", 2), ("two_handlers", 2), ("one_handler", 1)):
        wiring.terraform("apply", "-auto-approve", f"-var=wiring={way}")
        assert len(aws("lambda").list_functions()["Functions"]) == functions
        aws("s3").put_object(Bucket=BUCKET, Key=f"{way} a.txt", Body=b"any")
        eventually(lambda: found(search_url, "extracted"), [f"{way} a.txt"])
        aws("s3").delete_object(Bucket=BUCKET, Key=f"{way} a.txt")
        eventually(lambda: found(search_url, "extracted"), [])
    wiring.terraform("destroy", "-auto-approve")
    assert aws("lambda").list_functions()["Functions"] == []
