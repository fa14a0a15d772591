"""`make deploy`: the variables of a target, derived from routes, settings and other targets, and its own state."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from infra.deploy.__main__ import main

TERRAFORM = r"""#!/usr/bin/env python3
import json, os, pathlib, sys
words = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps(words), file=calls)
target = pathlib.Path(words[0].removeprefix("-chdir=")).name
if words[1] == "apply":
    state = [word.removeprefix("-state=") for word in words if word.startswith("-state=")]
    for file in state:
        pathlib.Path(file).write_text("{}")
if words[1] == "output":
    outputs = json.loads(os.environ["OUTPUTS"]).get(target, {})
    print(json.dumps({name: {"value": value} for name, value in outputs.items()}))
sys.exit(int(os.environ.get("FAILS", "0")) if words[1] == "apply" else 0)
"""

OUTPUTS: dict[str, Any] = {
    "data": {
        "tables": {"images": {"name": "t-lab", "arn": "arn:t", "stream_arn": "arn:t/stream/1"}},
        "buckets": {
            "images-in": {"name": "in-lab", "arn": "arn:aws:s3:::in-lab"},
            "raw-data": {"name": "raw-lab", "arn": "arn:aws:s3:::raw-lab"},
        },
        "letters": {"name": "letters-lab", "arn": "arn:aws:s3:::letters-lab"},
        "names": {"table/images": "t-lab", "bucket/images-in": "in-lab", "bucket/raw-data": "raw-lab"},
        "owner": {"partition": "aws", "region": "eu-west-1", "account": "111122223333"},
        "prefix": "streamdex-lab",
    },
    "layer": {"layer": {"arn": "arn:layer:1", "architecture": "arm64", "runtime": "python3.14"}},
    "queue": {
        "queues": {
            "pending-images": {"name": "q-lab", "arn": "arn:q", "url": "https://q", "dead_arn": "arn:d"},
            "pending-worker": {"name": "w-lab", "arn": "arn:w", "url": "https://w", "dead_arn": "arn:e"},
        },
        "names": {"queue/pending-images": "q-lab", "queue/pending-worker": "w-lab"},
    },
}


class Deploying:
    """A checkout with a fake Terraform that records its calls and returns outputs."""

    def __init__(self, root: Path):
        self.root = root
        (root / "config").mkdir()
        program = root / "terraform"
        program.write_text(TERRAFORM)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.calls_file = root / "calls"
        self.environment = {
            "PATH": os.environ["PATH"],
            "STREAMDEX_ROUTES": os.environ["STREAMDEX_ROUTES"],
            "TERRAFORM": str(program),
            "CALLS": str(self.calls_file),
            "OUTPUTS": json.dumps(OUTPUTS),
        }

    def deployed(self, *targets: str, env: str = "lab") -> None:
        for target in targets:
            state = self.root / ".terraform-state" / env / target
            state.mkdir(parents=True)
            (state / "terraform.tfstate").write_text("{}")

    def run(self, *words: str, **environment: str) -> int:
        return main([*words[:2], "--arch=arm64", *words[2:]], {**self.environment, **environment}, self.root)

    def calls(self) -> list[list[str]]:
        """Return the arguments of the calls of Terraform, without its folder and without `output` calls."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        words = [json.loads(line) for line in lines]
        return [call[1:] for call in words if call[1] != "output"]

    def derived(self, name: str, env: str = "lab") -> dict[str, Any]:
        file = self.root / ".terraform-state" / env / name / "generated.tfvars.json"
        found: dict[str, Any] = json.loads(file.read_text())
        return found


@pytest.fixture
def deploying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploying:
    monkeypatch.chdir(tmp_path)  # a folder without the configuration of this checkout
    return Deploying(tmp_path)


def test_a_target_is_applied_with_its_files_of_variables_and_a_state_of_its_own(deploying):
    for name in ("lab.tfvars", "lab.data.tfvars", "prod.tfvars"):
        (deploying.root / "config" / name).touch()
    assert deploying.run("deploy", "data", "--env=lab", "--", "-auto-approve") == 0
    init, apply = deploying.calls()
    state = deploying.root / ".terraform-state/lab/data"
    assert init == ["init", "-input=false"]
    assert apply == [
        "apply",
        "-auto-approve",
        f"-state={state}/terraform.tfstate",
        f"-var-file={deploying.root}/config/lab.tfvars",
        f"-var-file={deploying.root}/config/lab.data.tfvars",
        f"-var-file={state}/generated.tfvars.json",
    ]
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert deploying.derived("data")["buckets"] == ["images-in", "raw-data"]


def test_a_function_gets_what_its_routes_need_and_nothing_else(deploying):
    deploying.deployed("data", "layer", "queue")
    assert deploying.run("deploy", "lambda", "--env=lab", "--func=images") == 0
    derived = deploying.derived("lambda-images")
    assert derived["function"] == "images"
    assert derived["package"] == str(deploying.root / "dist/streamdex-lambda-images.zip")
    assert (derived["runtime"], derived["architecture"], derived["layers"]) == (
        "python3.14", "arm64", ["arn:layer:1"],
    )  # fmt: skip
    assert derived["queues"] == {"pending-images": "arn:q"}
    assert derived["streams"] == {"images": {"arn": "arn:t/stream/1", "filters": []}}
    assert derived["settings"] == {
        "FUNC": "images",
        "STREAMDEX_DEAD_LETTERS": "s3://letters-lab/dead-letters",
        "STREAMDEX_NAMES": "table/images=t-lab,bucket/images-in=in-lab",
        "STREAMDEX_ROUTES": "sample_routes",  # set for all tests
    }
    resources = {
        resource
        for statement in json.loads(derived["policy"])["Statement"]
        for resource in [statement["Resource"]]
        if statement["Sid"] != "ListStreams"
    }
    assert resources == {
        "arn:aws:dynamodb:eu-west-1:111122223333:table/t-lab",
        "arn:aws:dynamodb:eu-west-1:111122223333:table/t-lab/stream/*",
        "arn:aws:s3:::in-lab",
        "arn:aws:s3:::in-lab/*",
        "arn:aws:s3:::letters-lab/dead-letters/*",
        "arn:aws:sqs:eu-west-1:111122223333:q-lab",
    }


def test_settings_of_a_deployment_reach_the_function_and_secrets_do_not(deploying, monkeypatch):
    kept = {}
    monkeypatch.setattr("infra.deploy.__main__.keep_secrets", lambda deployment, secrets: kept.update(secrets))
    (deploying.root / "config/lab.yml").write_text(
        "search: {url: 'https://s', auth: basic, user: u}\nimage-bytes: 5\n"
    )
    (deploying.root / "config/secrets-lab.env").write_text("SEARCH_PASSWORD=hunter2\nAWS_PROFILE=lab\n")
    deploying.deployed("data", "layer")
    assert deploying.run("deploy", "lambda", "--env=lab", SEARCH_PASSWORD="hunter3", AWS_REGION="x") == 0
    derived = deploying.derived("lambda")
    settings = derived["settings"]
    assert (settings["SEARCH_URL"], settings["SEARCH_AUTH"], settings["IMAGE_BYTES"]) == (
        "https://s",
        "basic",
        "5",
    )
    assert settings["STREAMDEX_SECRETS"] == derived["secrets_path"] == "/streamdex-lab"
    assert kept == {"SEARCH_PASSWORD": "hunter2"}
    everything = deploying.calls_file.read_text() + json.dumps(derived)
    assert "hunter" not in everything
    assert not [name for name in settings if name.startswith("AWS_")]


def test_a_container_reads_the_queues_and_keeps_positions_in_a_table(deploying):
    deploying.deployed("data", "queue")
    assert deploying.run("deploy", "container", "--env=lab") == 0
    derived = deploying.derived("container")
    assert derived["settings"]["READ_QUEUE"] == "pending-images,pending-worker"
    assert derived["settings"]["STREAMDEX_CHECKPOINTS"] == "dynamodb://streamdex-lab-positions"
    assert "queue/pending-images=q-lab" in derived["settings"]["STREAMDEX_NAMES"]
    assert derived["queues"] == {
        "pending-images": {"name": "q-lab", "arn": "arn:q"},
        "pending-worker": {"name": "w-lab", "arn": "arn:w"},
    }
    assert "table/streamdex-lab-positions" in derived["policy"]


def with_more_queues(deploying) -> None:
    """Deploy the queue of a pipe and a task queue, and name the task queue in the settings."""
    more = {
        "changes-images": {"name": "c-lab", "arn": "arn:c", "url": "https://c", "dead_arn": "arn:f"},
        "tasks": {"name": "tasks-lab", "arn": "arn:tasks", "url": "https://t", "dead_arn": "arn:g"},
    }
    queue = OUTPUTS["queue"]
    names = {**queue["names"], **{f"queue/{name}": made["name"] for name, made in more.items()}}
    outputs = {**OUTPUTS, "queue": {"queues": {**queue["queues"], **more}, "names": names}}
    deploying.environment["OUTPUTS"] = json.dumps(outputs)
    (deploying.root / "config/lab.yml").write_text("task-queue: tasks\n")
    deploying.deployed("data", "layer", "queue")


def test_a_container_declares_the_queue_of_a_pipe_and_reads_the_task_queue(deploying):
    with_more_queues(deploying)
    assert deploying.run("deploy", "container", "--env=lab") == 0
    derived = deploying.derived("container")
    assert derived["settings"]["READ_QUEUE"] == "pending-images,pending-worker,changes-images=table/images"
    assert derived["settings"]["STREAMDEX_TASK_QUEUE"] == "tasks"
    assert derived["queues"]["changes-images"] == {"name": "c-lab", "arn": "arn:c"}
    assert derived["queues"]["tasks"] == {"name": "tasks-lab", "arn": "arn:tasks"}
    statements = {one["Sid"]: one["Resource"] for one in json.loads(derived["policy"])["Statement"]}
    assert statements["EnqueueOnTasksLab"] == "arn:aws:sqs:eu-west-1:111122223333:tasks-lab"
    assert statements["ReadQueueCLab"] == "arn:aws:sqs:eu-west-1:111122223333:c-lab"


def test_a_function_is_called_by_the_task_queue_of_its_settings(deploying):
    with_more_queues(deploying)
    assert deploying.run("deploy", "lambda", "--env=lab", "--func=images") == 0
    derived = deploying.derived("lambda-images")
    assert derived["settings"]["STREAMDEX_TASK_QUEUE"] == "tasks-lab"
    assert derived["queues"] == {"pending-images": "arn:q", "tasks": "arn:tasks"}
    sids = {one["Sid"] for one in json.loads(derived["policy"])["Statement"]}
    assert {"ReadQueueTasksLab", "EnqueueOnTasksLab", "ScanTLab"} <= sids


def test_the_names_of_a_deployment_are_a_file_of_settings(deploying):
    deploying.deployed("queue")
    assert deploying.run("deploy", "data", "--env=lab") == 0
    file = deploying.root / "config/lab.names.yml"
    assert file.read_text() == (
        "names:\n  bucket/images-in: in-lab\n  bucket/raw-data: raw-lab\n"
        "  queue/pending-images: q-lab\n  queue/pending-worker: w-lab\n  table/images: t-lab\n"
    )
    deploying.environment["OUTPUTS"] = "{}"
    assert deploying.run("destroy", "data", "--env=lab") == 0
    assert not file.exists()


@pytest.mark.parametrize(("target", "first"), [("queue", "data"), ("lambda", "data"), ("container", "data")])
def test_what_has_to_be_deployed_first_is_said(deploying, capsys, target, first):
    assert deploying.run("deploy", target, "--env=lab") == 2
    assert f"make deploy TARGET={first} ENV=lab first" in capsys.readouterr().err


def test_nothing_is_destroyed_that_something_else_uses(deploying, capsys):
    deploying.deployed("data", "queue")
    assert deploying.run("destroy", "data", "--env=lab") == 2
    assert "cannot destroy data of lab while it is used by queue. Run make destroy" in capsys.readouterr().err
    assert deploying.calls() == []


def test_a_destroy_has_the_variables_of_the_last_deploy(deploying):
    assert deploying.run("deploy", "data", "--env=lab") == 0
    file = deploying.root / ".terraform-state/lab/data/generated.tfvars.json"
    file.write_text("{}")
    assert deploying.run("destroy", "data", "--env=lab") == 0
    assert file.read_text() == "{}"
    assert deploying.calls()[-1][0] == "destroy"


def test_the_state_can_be_in_s3(deploying):
    (deploying.root / "infra/data").mkdir(parents=True)
    (deploying.root / "config/lab.tfbackend").write_text('bucket = "states"\n')
    assert deploying.run("plan", "data", "--env=lab") == 0
    init, plan = deploying.calls()
    assert init == [
        "init",
        "-input=false",
        "-reconfigure",
        f"-backend-config={deploying.root}/config/lab.tfbackend",
        "-backend-config=key=streamdex/lab/data.tfstate",
    ]
    assert not [word for word in plan if word.startswith("-state")]
    override = deploying.root / "infra/data/backend_override.tf"
    assert 'backend "s3" {}' in override.read_text()
    (deploying.root / "config/lab.tfbackend").unlink()
    assert deploying.run("plan", "data", "--env=lab") == 0
    assert not override.exists()


def test_a_provider_of_your_own_is_not_looked_for(deploying):
    rc = deploying.root / "terraform.rc"
    rc.write_text("provider_installation { dev_overrides {} }")
    assert deploying.run("prepare", "data", "--env=lab", TF_CLI_CONFIG_FILE=str(rc)) == 0
    assert deploying.calls() == [["get"]]


def test_local_is_the_emulator_and_takes_any_credentials(deploying):
    from infra.deploy.deployment import Deployment

    given = Deployment("local", root=deploying.root, process={}).environment
    assert given["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert (given["AWS_ACCESS_KEY_ID"], given["TF_VAR_emulator"]) == ("test", "true")
    there = Deployment("lab", root=deploying.root, process={}).environment
    assert "AWS_ENDPOINT_URL" not in there
    assert "TF_VAR_emulator" not in there


SHOP = """
from service import CollectionRoute, Reindex, TableRoute

class Orders(CollectionRoute):
    table, key, index = "images", {"id": "S", "n": "S"}, "orders"

    def document(self, items):
        return {}
"""

CUSTOMERS = """
from service import TableRoute
from .shop import Orders

class Customers(TableRoute):
    table, key, reindexes = "images", {"id": "S"}, (Orders,)

    def insert(self, record, context):
        return []
"""


@pytest.mark.parametrize("target", ["lambda", "container"])
def test_a_route_whose_documents_another_makes_again_is_deployed_with_it(deploying, capsys, monkeypatch, target):
    folder = deploying.root / "shop_routes"
    folder.mkdir()
    (folder / "__init__.py").write_text('ROUTES = ["shop:Orders", "customers:Customers"]')
    (folder / "shop.py").write_text(SHOP)
    (folder / "customers.py").write_text(CUSTOMERS)
    monkeypatch.syspath_prepend(deploying.root)
    deploying.deployed("data", "layer", "queue")
    words = ("deploy", target, "--env=lab", "--func=customers")
    assert deploying.run(*words, STREAMDEX_ROUTES="shop_routes") == 2
    assert "which is not among the selected routes" in capsys.readouterr().err
    assert deploying.calls() == []


@pytest.mark.parametrize(
    ("words", "environment", "code", "said"),
    [
        (["deploy", "data", "--env=Lab 1"], {}, 2, "ENV='Lab 1' is not a valid name"),
        (["deploy", "data", "--env=lab"], {"TERRAFORM": "no-such-terraform"}, 2, "cannot find no-such-terraform"),
        (["deploy", "data", "--env=lab"], {"FAILS": "1"}, 1, "terraform apply failed in .*data"),
        (["deploy", "data", "--env=lab", "--func=nothing"], {}, 0, ""),
        (["deploy", "lambda", "--env=lab", "--func=nothing"], {}, 2, "make deploy TARGET=data"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(deploying, capfd, words, environment, code, said):
    import re

    assert deploying.run(*words, **environment) == code
    assert re.search(said, capfd.readouterr().err)
