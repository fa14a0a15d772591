"""The settings that a deployment runs with: config/ENV.yml, the environment, and what is deployed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from service.bootstrap.selection import Chosen, choose
from service.commands.policy import Owner, policy_of
from service.routing import Names, Route, Router
from service.settings import Settings
from service.settings.reading import Configuration

from .deployment import Deployment
from .wiring import names_for

OF_THE_DEPLOYER: Final = ("AWS_",)
"""Variables that are about who deploys: a Lambda or container has its own."""


@dataclass(frozen=True)
class Deployed:
    """What runs, for the routes of a deployment."""

    configuration: Configuration
    routes: Sequence[Route]
    owner: Owner

    @property
    def settings(self) -> Settings:
        return self.configuration.build(Settings)

    @property
    def router(self) -> Router:
        return Router(self.routes, Names(self.settings.names))

    def given(self, **values: Any) -> Deployed:
        """The same with settings that follow from what is deployed."""
        return replace(self, configuration=self.configuration.replaced(**values))

    def variables(self) -> dict[str, str]:
        """The settings that differ from their defaults, as environment variables; no secrets."""
        read = self.configuration.environment(secrets=False)
        return {name: value for name, value in read.items() if not name.startswith(OF_THE_DEPLOYER)}

    def policy(self, read_queue: Sequence[str], function: bool = False) -> str:
        """What `doctor --policy` prints for these queues, of a function or of a container."""
        settings = replace(self.settings, read_queue=tuple(read_queue))
        return json.dumps(policy_of(self.router, settings, self.owner, function=function), sort_keys=True)


def deployed(deployment: Deployment, *parts: Mapping[str, Any]) -> Deployed:
    """What runs once `parts` are deployed, of which these are the outputs: of the data target, and of others."""
    data = parts[0]
    chosen = read_settings(deployment)
    made = {name: actual for part in parts for name, actual in part.get("names", {}).items()}
    names = {**chosen.settings.names, **names_for(chosen.routes, made)}
    running = Deployed(chosen.configuration, chosen.routes, Owner(**data["owner"])).given(names=names)
    if "://" not in chosen.settings.dead_letters:  # a folder would be gone with the function
        running = running.given(dead_letters=f"s3://{data['letters']['name']}/dead-letters")
    search = deployment.outputs("search").get("settings", {})
    return running.given(**{name.lower(): value for name, value in search.items()})


def read_settings(deployment: Deployment) -> Chosen:
    """The settings and routes by config/ENV.yml and the environment. Raises SettingsError."""
    file = deployment.root / "config" / f"{deployment.env}.yml"
    arguments = [f"--config={file}"] if file.is_file() else []
    if deployment.func:
        arguments.append(f"--func={','.join(deployment.func)}")
    return choose(arguments=arguments, environment=deployment.process)
