"""`python -m infra.deploy deploy TARGET --env=ENV -- [options of Terraform]`: one target of one deployment."""

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
"""Targets that make what routes have names for."""

COMMANDS: Final = ("prepare", "plan", "deploy", "destroy", "variables")


def main(
    words: Sequence[str] | None = None, environment: Mapping[str, str] | None = None, root: Path = ROOT
) -> int:
    """Runs one command; errors are one line on standard error."""
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
    """Our words, and those behind `--`, which are Terraform's."""
    at = [*words, "--"].index("--")
    return list(words[:at]), list(words[at + 1 :])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("python -m infra.deploy", description=__doc__, allow_abbrev=False)
    made.add_argument(
        "command", choices=COMMANDS, help="`variables` prints those that are derived, and does nothing"
    )
    made.add_argument("target", choices=TARGETS)
    made.add_argument("--env", required=True, help="the deployment: config/ENV.tfvars, config/ENV.yml")
    made.add_argument("--func", default="", help="only these modules of routes (commas between them)")
    made.add_argument("--arch", default=here(), choices=ARCHITECTURES, help="the layer's or the image's processor")
    made.add_argument("--python", default="", help="the layer's Python, or `here`: this interpreter's")
    return made


def run(command: str, target: str, deployment: Deployment, options: Sequence[str]) -> None:
    """Raises SettingsError for what is missing, and TerraformFailed."""
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
    """With the variables of the last deploy. Raises SettingsError while something else uses the target."""
    using = list(deployment.users_of(target))
    if using:
        raise SettingsError(f"{', '.join(using)} of {deployment.env} still uses {target}: make destroy that first")
    terraform = deployment.terraform(target)
    if not deployment.generated(target).is_file():
        deployment.keep(target, DERIVED[target](deployment))
    if target == "data" and deployment.service_secrets:
        keep_secrets(deployment, {})
    terraform.prepare()
    terraform.destroy([*deployment.variables(target), deployment.generated(target)], options)
    write_names(target, deployment)


def keep_secrets(deployment: Deployment, secrets: Mapping[str, str]) -> None:
    """Brings the Parameter Store in line; names what has changed, and no value."""
    data = deployment.needed_outputs("data")
    ssm = client("ssm", deployment, data["owner"]["region"])
    store = ParameterStore(ssm, f"/{data['prefix']}")
    for name in store.keep(secrets):
        print(f"secret {name}: {'kept' if name in secrets else 'removed'}")


def client(service: str, deployment: Deployment, region: str) -> Any:
    """A client of AWS with the credentials that Terraform has."""
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
    """After a target that names something: what exists under the names of routes, as settings (ENV.names.yml)."""
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
