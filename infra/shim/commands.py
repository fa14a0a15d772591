"""The commands behind `make run`, `make shim` and `make invoke`."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import FrameType, SimpleNamespace
from typing import Any

from service.bootstrap.application import App
from service.bootstrap.selection import Chosen, choose
from service.entrypoints.container import run
from service.entrypoints.lambda_handler import handler_for
from service.errors import SettingsError, StreamdexError
from service.routing import BucketRoute
from service.settings import Settings
from service.settings.options import hide_password
from service.settings.reading import Usage

from .probes import free_port, is_taken
from .provision import provision, queue_of
from .screen import first_screen
from .world import World, find_or_start

STOP_TIMEOUT = 2.2
"""Seconds that a stop waits for the current batch: slightly more than one poll of a queue (`poll_wait`)."""

INVOKE_MILLISECONDS = 900_000  # the maximum timeout of a Lambda


def run_service(chosen: Chosen) -> int:
    """Find or start the servers, create the resources that the routes need, and run the container."""
    with (
        find_or_start(chosen.settings, **needs(chosen)) as world,
        App(at_a_desk(wired(chosen, world)), chosen.routes, recording=True) as app,
    ):
        notes = provision_if_emulated(app, world)
        return run(app, started=lambda sources: print(first_screen(app, world, notes), flush=True))


def only_surroundings(chosen: Chosen) -> int:
    """Start embedded servers, create the resources that the routes need, and wait for Ctrl-C."""
    with find_or_start(chosen.settings, fresh=True, **needs(chosen)) as world:
        with App(wired(chosen, world), chosen.routes) as app:
            for note in provision_if_emulated(app, world):
                print(f"note: {note}")
            settings = app.settings
        print(f"\n  AWS     {world.aws}\n  search  {world.search}\n\nTo run the service with these servers:\n")
        search = f" SEARCH_URL={hide_password(settings.search_url)}" if settings.search_url else ""
        print(f"  make run AWS_ENDPOINT_URL={settings.aws_endpoint_url}{search}\n")
        print("Ctrl-C stops these servers.", flush=True)
        wait_for_stop()
    return 0


def invoke(chosen: Chosen) -> int:
    """Call the Lambda handler once with the event in a file, and print its response."""
    (file,) = chosen.configuration.operands
    event = read_event(file)
    settings = replace(chosen.settings, aws_port=free_port(), search_port=free_port())
    with find_or_start(settings, **needs(chosen)) as world:
        with App(wired(chosen, world), chosen.routes) as app:
            provision_if_emulated(app, world)
        # A Lambda reads its settings only from the environment.
        os.environ.update(chosen.configuration.environment())
        os.environ["AWS_ENDPOINT_URL"] = world.settings.aws_endpoint_url
        os.environ["SEARCH_URL"] = world.settings.search_url
        parent = SimpleNamespace(
            aws_request_id=str(uuid.uuid4()), get_remaining_time_in_millis=lambda: INVOKE_MILLISECONDS
        )
        print(json.dumps(handler_for()(event, parent), indent=2))
        if not chosen.settings.search_url:
            print(
                "note: documents went to an embedded server that stops now. To keep them, set SEARCH_URL=http://…",
                file=sys.stderr,
            )
    return 0


def read_event(file: str) -> Any:
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the event file {file}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the event file {file} is not JSON: {error}") from error


def wired(chosen: Chosen, world: World) -> Any:
    """Return the settings with the servers' addresses, and with queues for the buckets of the routes."""
    queues = dict.fromkeys(queue_of(route) for route in chosen.routes if isinstance(route, BucketRoute))
    return replace(world.settings, read_queue=world.settings.read_queue or tuple(queues))


def needs(chosen: Chosen) -> dict[str, bool]:
    """Return if any route writes to an index, and if any uses pipelines: the arguments of `find_or_start`."""
    piped = any(route.pipeline or route.pipelines or route.search_pipelines for route in chosen.routes)
    return {"searches": any(route.index for route in chosen.routes), "pipelines": piped}


def at_a_desk(settings: Settings) -> Settings:
    """Return settings that suit an interactive run, where the user has not set them.

    If the default port of the page is in use, another one is chosen. A stop waits less for the current batch,
    because the user who pressed Ctrl-C waits too. The batch is redelivered.
    """
    default = Settings()
    if settings.page_port == default.page_port and is_taken(settings.page_port):
        settings = replace(settings, page_port=free_port())
    return (
        replace(settings, stop_timeout=STOP_TIMEOUT) if settings.stop_timeout == default.stop_timeout else settings
    )


def provision_if_emulated(app: App, world: World) -> list[str]:
    """Create the resources that the routes need, but only in an emulator, never in an AWS account."""
    if world.emulated:
        return provision(app)
    return ["AWS_ENDPOINT_URL is not an AWS emulator, so tables, buckets and queues are not created there"]


def wait_for_stop() -> None:
    stopping = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while not stopping.wait(1.0):
        pass


COMMANDS: Mapping[str, tuple[Callable[[Chosen], int], Sequence[str]]] = {
    "run": (run_service, ()),
    "up": (only_surroundings, ()),
    "invoke": (invoke, ("EVENT",)),
}


def run_command(name: str, words: Sequence[str]) -> int:
    """Run one command, and return its exit code. An error is one line on standard error."""
    try:
        if name not in COMMANDS:
            raise SettingsError(f"python -m infra.shim needs a command: one of {', '.join(COMMANDS)}")
        command, operands = COMMANDS[name]
        return command(choose(arguments=words, operands=operands, usage=Usage(f"python -m infra.shim {name}")))
    except StreamdexError as error:
        print(f"streamdex: {error}", file=sys.stderr)
        return error.exit_code
