"""What `make run`, `make shim` and `make invoke` do."""

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
"""Seconds that a stop waits for the batch in hand: a little more than a queue is asked for (`poll_wait`)."""

INVOKE_MILLISECONDS = 900_000  # the longest that a Lambda may run


def run_service(chosen: Chosen) -> int:
    """Finds or starts the surroundings, creates what the routes need, and runs the container."""
    with (
        find_or_start(chosen.settings, searches=searches(chosen)) as world,
        App(at_a_desk(wired(chosen, world)), chosen.routes, recording=True) as app,
    ):
        notes = provision_if_emulated(app, world)
        return run(app, started=lambda sources: print(first_screen(app, world, notes), flush=True))


def only_surroundings(chosen: Chosen) -> int:
    """Starts stand-ins of our own with what the routes need in them, and waits for Ctrl-C."""
    with find_or_start(chosen.settings, fresh=True, searches=searches(chosen)) as world:
        with App(wired(chosen, world), chosen.routes) as app:
            for note in provision_if_emulated(app, world):
                print(f"note: {note}")
            settings = app.settings
        print(f"\n  AWS     {world.aws}\n  search  {world.search}\n\nRun the service against them with\n")
        search = f" SEARCH_URL={hide_password(settings.search_url)}" if settings.search_url else ""
        print(f"  make run AWS_ENDPOINT_URL={settings.aws_endpoint_url}{search}\n")
        print("Ctrl-C stops them.", flush=True)
        wait_for_stop()
    return 0


def invoke(chosen: Chosen) -> int:
    """Calls the Lambda handler once on the event in a file and prints its answer."""
    (file,) = chosen.configuration.operands
    event = read_event(file)
    settings = replace(chosen.settings, aws_port=free_port(), search_port=free_port())
    with find_or_start(settings, searches=searches(chosen)) as world:
        with App(wired(chosen, world), chosen.routes) as app:
            provision_if_emulated(app, world)
        # A Lambda reads its settings from the environment and from nowhere else.
        os.environ.update(chosen.configuration.environment())
        os.environ["AWS_ENDPOINT_URL"] = world.settings.aws_endpoint_url
        os.environ["SEARCH_URL"] = world.settings.search_url
        parent = SimpleNamespace(
            aws_request_id=str(uuid.uuid4()), get_remaining_time_in_millis=lambda: INVOKE_MILLISECONDS
        )
        print(json.dumps(handler_for()(event, parent), indent=2))
        if not chosen.settings.search_url:
            print(
                "written to stand-ins that end now; SEARCH_URL=http://… names a server to keep it", file=sys.stderr
            )
    return 0


def read_event(file: str) -> Any:
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the event {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the event {file} is not JSON: {error}") from error


def wired(chosen: Chosen, world: World) -> Any:
    """The settings with the world's addresses, and queues for the buckets of the routes."""
    queues = dict.fromkeys(queue_of(route) for route in chosen.routes if isinstance(route, BucketRoute))
    return replace(world.settings, read_queue=world.settings.read_queue or tuple(queues))


def searches(chosen: Chosen) -> bool:
    """Whether any route writes an index."""
    return any(route.index for route in chosen.routes)


def at_a_desk(settings: Settings) -> Settings:
    """The same, with another port for the service's own pages where the default is somebody else's, and less time
    for the batch in hand, where nobody set that: somebody pressed Ctrl-C and waits, and it comes again."""
    default = Settings()
    if settings.page_port == default.page_port and is_taken(settings.page_port):
        settings = replace(settings, page_port=free_port())
    return (
        replace(settings, stop_timeout=STOP_TIMEOUT) if settings.stop_timeout == default.stop_timeout else settings
    )


def provision_if_emulated(app: App, world: World) -> list[str]:
    """Creates what the routes need, but never in an account of AWS."""
    if world.emulated:
        return provision(app)
    return ["AWS_ENDPOINT_URL leads to no emulator: nothing is created there"]


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
    """Runs one command and returns its exit code; errors are one line on standard error."""
    try:
        if name not in COMMANDS:
            raise SettingsError(f"python -m infra.shim takes one of {', '.join(COMMANDS)}")
        command, operands = COMMANDS[name]
        return command(choose(arguments=words, operands=operands, usage=Usage(f"python -m infra.shim {name}")))
    except StreamdexError as error:
        print(f"streamdex: {error}", file=sys.stderr)
        return error.exit_code
