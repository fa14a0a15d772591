"""Derive the variables of each target from routes, settings and the outputs of other targets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from infra.build.declared import declared
from infra.build.platforms import HERE
from service.routing.queue_declarations import declared_queues

from . import wiring
from .deployment import Deployment
from .settings import deployed, read_settings


def of_data(deployment: Deployment) -> dict[str, Any]:
    """Derive the variables of `data` for all routes, regardless of FUNC: functions share tables and buckets."""
    routes = read_settings(replace(deployment, func=())).routes
    return {"tables": wiring.tables_to_make(routes), "buckets": wiring.buckets_to_make(routes)}


def of_layer(deployment: Deployment) -> dict[str, Any]:
    version = deployment.python or declared().python
    here = ".".join(map(str, sys.version_info[:2]))
    return {
        "package": str(deployment.root / "dist" / f"streamdex-layer-{deployment.arch}.zip"),
        "architecture": deployment.arch,
        "runtime": f"python{here if version == HERE else version}",
    }


def of_queue(deployment: Deployment) -> dict[str, Any]:
    """Derive the variables of `queue` for all routes, regardless of FUNC: each module has its own queue."""
    data = deployment.needed_outputs("data")
    router = deployed(replace(deployment, func=()), data).router
    return {
        "buckets": wiring.notifications_of(router, data["buckets"]),
        "queues": wiring.queues_of(router, data["buckets"]),
        "streams": wiring.streams_of(router, data["tables"]),
    }


def of_lambda(deployment: Deployment) -> dict[str, Any]:
    data, layer = deployment.needed_outputs("data"), deployment.needed_outputs("layer")["layer"]
    running = deployed(deployment, data)
    router = running.router
    wiring.check_made(router, data["tables"], data["buckets"])
    made = deployment.outputs("queue").get("queues", {})
    queues = {name: made[name] for name in wiring.queues_of(router, data["buckets"]) if name in made}
    read, tasks = [queue["name"] for queue in queues.values()], running.settings.task_queue
    if tasks in made:
        queues[tasks] = made[tasks]
        running = running.given(task_queue=made[tasks]["name"])
    path = deployment.secrets_path(data)
    return {
        "function": deployment.function,
        "package": str(deployment.root / "dist" / f"{'-'.join(['streamdex-lambda', *deployment.func])}.zip"),
        "runtime": layer["runtime"],
        "architecture": layer["architecture"],
        "layers": [layer["arn"]],
        "settings": running.given(secrets=path or "").variables(),
        "policy": running.policy(read, function=True),
        "streams": wiring.streams_of(router, data["tables"]),
        "queues": {name: queue["arn"] for name, queue in queues.items()},
        "buckets": wiring.notifications_of(router, data["buckets"]),
        "letters_arn": data["letters"]["arn"],
        "secrets_path": path,
        "trace": running.settings.trace,
        "metrics_namespace": running.settings.metrics_namespace,
    }


def of_container(deployment: Deployment) -> dict[str, Any]:
    """Derive the variables of `container`.

    It reads the queues of its modules and of piped tables, and the task queue of its settings. Its checkpoints are
    kept in a table, so that a standby container can take over.
    """
    data, queue = deployment.needed_outputs("data"), deployment.outputs("queue")
    running = deployed(deployment, data, queue)
    router, made = running.router, queue.get("queues", {})
    wiring.check_made(router, data["tables"], data["buckets"])
    wanted = [
        *wiring.queues_of(router, data["buckets"]),
        *(f"changes-{table}=table/{table}" for table in wiring.streams_of(router, data["tables"])),
    ]
    read = running.settings.read_queue or tuple(entry for entry in wanted if entry.partition("=")[0] in made)
    running = running.given(read_queue=read)
    queues = [*declared_queues(read), running.settings.task_queue]
    if "://" not in running.settings.checkpoints:  # a file would be lost with the container
        running = running.given(checkpoints=f"dynamodb://{data['prefix']}-positions")
    return {
        "function": deployment.function,
        "architecture": deployment.arch,
        "settings": running.variables(),
        "policy": running.policy(read),
        "queues": {
            name: {"name": made[name]["name"], "arn": made[name]["arn"]} for name in queues if name in made
        },
        "secret_names": sorted(deployment.service_secrets),
        "secrets_path": deployment.secrets_path(data),
    }


DERIVED: Final[Mapping[str, Callable[[Deployment], dict[str, Any]]]] = {
    "data": of_data,
    "layer": of_layer,
    "queue": of_queue,
    "search": lambda _: {},
    "lambda": of_lambda,
    "container": of_container,
}
