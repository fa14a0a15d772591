"""The first screen: what is running, where, and what to try."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from service.app import App
from service.clients import STAND_IN_KEY, STAND_IN_REGION, endpoint_of
from service.routing import BoundRoute, BucketRoute, TableRoute
from service.routing.patterns import is_plain
from service.settings.options import hide_password

from .world import World

SAMPLES = {"S": "'sunset'", "N": "1", "B": "b'sunset'"}


def first_screen(app: App, world: World, notes: Iterable[str]) -> str:
    """The text to show before the first batch."""
    routes = [_route(bound) for bound in app.router.bound]
    parts = [
        "",
        "streamdex is running",
        "",
        f"  AWS     {world.aws}",
        f"  search  {world.search}",
        *(f"  {'routes' if position == 0 else '':6}  {route}" for position, route in enumerate(routes)),
        f"  kept    dead letters in {app.settings.dead_letters}, positions in {app.settings.checkpoints}",
        *(f"  note: {note}" for note in notes),
        "",
        *_try(app),
        "",
        "Ctrl-C stops it all.",
        "",
    ]
    return "\n".join(parts)


def _route(bound: BoundRoute) -> str:
    route = bound.route
    source = f"table {route.table}" if isinstance(route, TableRoute) else f"bucket {getattr(route, 'bucket', '')}"
    targets = [f"index {bound.index}"] if bound.index else []
    targets += [f"table {bound.table}"] if bound.table else []
    return f"{bound.name:24} {source} -> {', '.join(targets)}"


def _try(app: App) -> list[str]:
    """Commands for a second terminal, from the routes that are registered."""
    names = app.router.names
    tables = [
        b for b in app.router.bound if isinstance(b.route, TableRoute) and b.index and is_plain(b.route.table)
    ]
    buckets = [b.route for b in app.router.bound if isinstance(b.route, BucketRoute) and is_plain(b.route.bucket)]
    lines = ["Try it in a second terminal:"]
    if tables:
        bound = tables[0]
        assert isinstance(bound.route, TableRoute)
        table = names.actual("table", bound.route.table)
        key = ", ".join(f"'{name}': {SAMPLES[kind]}" for name, kind in bound.route.key.items())
        put = f".Table('{table}').put_item(Item={{{key}, 'title': 'Sunset over Lisbon'}})"
        lines += ["", _python(app, "resource", "dynamodb", put), _search(app, bound.index)]
    if buckets:
        bucket = names.actual("bucket", buckets[0].bucket)
        put = f".upload_file('tests/data/lisbon.jpg', '{bucket}', 'lisbon at dusk.jpg')"
        lines += ["", _python(app, "client", "s3", put)]
        lines += [_search(app, tables[0].index)] if tables else []
    if tables and buckets:
        lines += ["", _python(app, "client", "s3", f".delete_object(Bucket='{bucket}', Key='lisbon at dusk.jpg')")]
    return [f"  {line}" if line and position else line for position, line in enumerate(lines)]


def _python(app: App, kind: str, service: str, call: str) -> str:
    settings = app.settings
    arguments = [f"'{service}'", f"endpoint_url='{endpoint_of(settings, service)}'"]
    arguments += [] if settings.region else [f"region_name='{STAND_IN_REGION}'"]
    if not settings.aws_access_key_id:
        arguments += [f"aws_access_key_id='{STAND_IN_KEY}'", f"aws_secret_access_key='{STAND_IN_KEY}'"]
    return f'{_interpreter()} -c "import boto3; boto3.{kind}({", ".join(arguments)}){call}"'


def _interpreter() -> str:
    return ".venv/bin/python" if sys.prefix.endswith(".venv") else sys.executable


def _search(app: App, index: str) -> str:
    return f"sleep 2; curl '{hide_password(app.settings.search_url)}/{index}/_search?pretty'"
