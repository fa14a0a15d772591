"""The Lambda zip and the layer on an interpreter without other packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from builds import Archives, make, unpack
from deployments import PICTURE, Deployment

LAMBDA = Path(__file__).with_name("as_lambda.py")


@pytest.fixture
def deployed(aws_url, search_url, tmp_path):
    made = Deployment(aws_url, search_url, tmp_path)
    yield made
    made.app.close()


def serve(here: Archives, deployed: Deployment, root: Path, folder: Path, event: Any) -> dict[str, Any]:
    """Build the code with the names of a deployment, run it with the layer on one event, and return its report."""
    (root / "config").mkdir(exist_ok=True)
    (root / "config/lab.names.yml").write_text(yaml.safe_dump({"names": dict(deployed.settings.names)}))
    make(root, folder, "lambda", "--env=lab")
    function, layer = unpack(Archives(folder).function, folder / "task"), unpack(here.layer, folder / "opt")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "AWS_ENDPOINT_URL": deployed.aws_url,
        "SEARCH_URL": deployed.search_url,
        "STREAMDEX_DEAD_LETTERS": str(deployed.letters),
    }
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(LAMBDA), str(function), str(layer)],
        cwd=function,
        env=environment,
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_recorded_stream_event_is_served_and_nothing_comes_from_elsewhere(here, deployed, mine, tmp_path):
    event = json.loads(Path("tests/data/insert.json").read_text())
    for record in event["Records"]:
        record["eventSourceARN"] = record["eventSourceARN"].replace("table/images/", f"table/{deployed.table}/")
    told = serve(here, deployed, mine, tmp_path, event)
    assert told["answer"] == {"batchItemFailures": []}
    assert told["from_elsewhere"] == []
    assert deployed.documents()["ALEX18"]["title"] == "Alex"
    print(f"importing the handler: {told['import_seconds']:.3f} s; the first event: {told['first_seconds']:.3f} s")


def test_an_upload_is_read_with_the_extra_that_its_route_needs(here, deployed, mine, tmp_path):
    deployed.upload("lisbon.jpg")
    place = {
        "bucket": {"name": deployed.bucket},
        "object": {"key": "lisbon.jpg", "sequencer": "0055AED6DCD90281E5"},
    }
    event = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": place}]}
    told = serve(here, deployed, mine, tmp_path, event)
    assert told["from_elsewhere"] == []
    item = deployed.items.get_item(Key={"id": "lisbon.jpg"})["Item"]
    assert item["metadata"]["format"] == "JPEG"
    assert item["metadata"]["size"] == PICTURE.stat().st_size
    assert deployed.rejected() == []
