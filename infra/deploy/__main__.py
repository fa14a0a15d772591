"""`python -m infra.deploy deploy TARGET --env=ENV -- [options of Terraform]`: deploy a target of a deployment."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from infra.build.__main__ import ARCHITECTURES, here
from service.errors import SettingsError, StreamdexError

from .deployment import OF_FUNC, ROOT, TARGETS, Deployment
from .secrets import ParameterStore
from .variables import DERIVED

NAMING: Final = ("data", "queue")
"""Targets whose resources have names in routes."""

COMMANDS: Final = ("prepare", "plan", "deploy", "destroy", "variables")


def main(
    words: Sequence[str] | None = None, environment: Mapping[str, str] | None = None, root: Path = ROOT
) -> int:
    """Run one command, and return its exit code. An error is one line on standard error."""
    ours, terraforms = parted(sys.argv[1:] if words is None else words)
    options = parser().parse_args(ours)
    process = dict(os.environ if environment is None else environment)
    func = tuple(name for name in options.func.split(",") if name)
    try:
        deployment = Deployment(options.env, func, options.arch, options.python, root, process)
        run(options.command, options.target, deployment, terraforms)
    except StreamdexError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the arguments at `--` into our own and those of Terraform."""
    at = [*words, "--"].index("--")
    return list(words[:at]), list(words[at + 1 :])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("python -m infra.deploy", description=__doc__, allow_abbrev=False)
    made.add_argument(
        "command", choices=COMMANDS, help="`variables` prints the derived variables and changes nothing"
    )
    made.add_argument("target", choices=TARGETS)
    made.add_argument("--env", required=True, help="the deployment; reads config/ENV.tfvars and config/ENV.yml")
    made.add_argument("--func", default="", help="only these route modules, separated by commas")
    made.add_argument("--arch", default=here(), choices=ARCHITECTURES, help="the processor of the layer or image")
    made.add_argument(
        "--python", default="", help="the Python version of the layer, or `here` for this interpreter"
    )
    return made


def run(command: str, target: str, deployment: Deployment, options: Sequence[str]) -> None:
    """Run one command. Raises SettingsError if something is missing, and TerraformFailed."""
    terraform = deployment.terraform(target)
    if command == "prepare":
        terraform.prepare()
        return
    if command == "destroy":
        destroy(target, deployment, options)
        return
    derived = DERIVED[target](deployment)
    if command == "variables":
        print(json.dumps(derived, indent=2, sort_keys=True))
        return
    deployment.keep(target, derived)
    terraform.prepare()
    files = [*deployment.variables(target), deployment.generated(target)]
    if command == "plan":
        terraform.plan(files, options)
        return
    if target in OF_FUNC and deployment.service_secrets:
        keep_secrets(deployment, deployment.service_secrets)
    terraform.apply(files, options)
    write_names(target, deployment)


def destroy(target: str, deployment: Deployment, options: Sequence[str]) -> None:
    """Destroy a target with the variables of its last deploy. Raises SettingsError while it is in use."""
    using = list(deployment.users_of(target))
    if using:
        raise SettingsError(
            f"cannot destroy {target} of {deployment.env} while it is used by {', '.join(using)}."
            " Run make destroy for these targets first."
        )
    terraform = deployment.terraform(target)
    if not deployment.generated(target).is_file():
        deployment.keep(target, DERIVED[target](deployment))
    if target == "data" and deployment.service_secrets:
        keep_secrets(deployment, {})
    terraform.prepare()
    terraform.destroy([*deployment.variables(target), deployment.generated(target)], options)
    write_names(target, deployment)


def keep_secrets(deployment: Deployment, secrets: Mapping[str, str]) -> None:
    """Update the Parameter Store, and print the names of changed secrets, never their values."""
    data = deployment.needed_outputs("data")
    ssm = client("ssm", deployment, data["owner"]["region"])
    store = ParameterStore(ssm, f"/{data['prefix']}")
    for name in store.keep(secrets):
        print(f"secret {name}: {'stored' if name in secrets else 'removed'}")


def client(service: str, deployment: Deployment, region: str) -> Any:
    """Create an AWS client with the credentials of Terraform."""
    import boto3

    given = deployment.environment
    return boto3.Session(profile_name=given.get("AWS_PROFILE") or None, region_name=region).client(
        service,
        endpoint_url=given.get("AWS_ENDPOINT_URL") or None,
        aws_access_key_id=given.get("AWS_ACCESS_KEY_ID") or None,
        aws_secret_access_key=given.get("AWS_SECRET_ACCESS_KEY") or None,
        aws_session_token=given.get("AWS_SESSION_TOKEN") or None,
    )


def write_names(target: str, deployment: Deployment) -> None:
    """After a target in NAMING: write the deployed resource for each name in routes to ENV.names.yml."""
    if target not in NAMING:
        return
    names: dict[str, str] = {}
    for naming in NAMING:
        names |= deployment.outputs(naming).get("names", {})
    file = deployment.root / "config" / f"{deployment.env}.names.yml"
    if names:
        file.write_text(yaml.safe_dump({"names": names}, allow_unicode=True), encoding="utf-8")
    else:
        file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
