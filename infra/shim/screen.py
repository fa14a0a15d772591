"""The first screen of `make run`: the servers, their addresses, and commands to try."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

from service.bootstrap.application import App
from service.clients.database import EMBEDDED, address_of, is_embedded, shown
from service.clients.factories import STAND_IN_KEY, STAND_IN_REGION, endpoint_of
from service.errors import StreamdexError
from service.routing import BoundRoute, BucketRoute, TableRoute
from service.routing.patterns import is_plain
from service.settings import Settings
from service.settings.options import hide_password

from .world import World

PAGE = "http://127.0.0.1:{0}/"
PICTURE = "lisbon at dusk.jpg"
LINES = "tests/data/activity.csv"
ROWS = f"sqlite3.connect('{EMBEDDED}').execute('SELECT * FROM activity')"  # noqa: S608  # a file of ours
SAMPLES = {"S": "'sunset'", "N": "1", "B": "b'sunset'"}


def first_screen(app: App, world: World, notes: Iterable[str]) -> str:
    """Return the text to print before the first batch."""
    routes = [_route(bound, app.settings) for bound in app.router.bound]
    parts = [
        "",
        "streamdex is running",
        "",
        f"  AWS     {world.aws}",
        f"  search  {world.search}",
        *(f"  {'routes' if position == 0 else '':6}  {route}" for position, route in enumerate(routes)),
        f"  state   dead letters in {app.settings.dead_letters}, checkpoints in {app.settings.checkpoints}",
        *([f"  page    {PAGE.format(app.settings.page_port)}"] if app.settings.page_port else []),
        *(f"  note: {note}" for note in notes),
        "",
        *_try(app, world),
        "Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(parts)


def _route(bound: BoundRoute, settings: Settings) -> str:
    route = bound.route
    source = f"table {route.table}" if isinstance(route, TableRoute) else f"bucket {getattr(route, 'bucket', '')}"
    targets = [f"index {bound.index}"] if bound.index else []
    targets += [f"table {bound.item_table}"] if bound.item_table else []
    targets += [f"database {_database(settings)}"] if bound.database else []
    targets += [f"documents of {kind.__name__}" for kind in route.reindexes]
    return f"{bound.name:24} {source} -> {', '.join(targets)}"


def _database(settings: Settings) -> str:
    """Return the address of the database without its password, or the reason why it cannot be used."""
    try:
        return shown(address_of(settings))
    except StreamdexError as error:
        return f"({error})"


def _try(app: App, world: World) -> list[str]:
    """Return commands for a second terminal, made from the registered routes; none for a real AWS account."""
    if not world.emulated:
        return []
    tables = [
        (b, b.route) for b in app.router.bound if isinstance(b.route, TableRoute) and is_plain(b.route.table)
    ]
    kinds = Counter(items.table for _, items in tables)
    lines: list[str] = []
    for bound, items in tables:
        if bound.index and kinds[items.table] == 1:  # one sample cannot match several kinds of items
            lines += ["", *_try_table(app, bound, items)]
            break
    buckets = [
        (b, b.route) for b in app.router.bound if isinstance(b.route, BucketRoute) and is_plain(b.route.bucket)
    ]
    for bound, route in buckets:
        if not bound.database and PICTURE.endswith(route.suffix):
            lines += ["", *_try_bucket(app, bound, route)]
            break
    for bound, route in buckets:
        if bound.database:
            lines += ["", *_try_rows(app, route)]
            break
    return ["Try it in a second terminal:", *(line and f"  {line}" for line in lines), ""] if lines else []


def _try_table(app: App, bound: BoundRoute, route: TableRoute) -> list[str]:
    table = app.router.names.actual("table", route.table)
    key = ", ".join(f"'{name}': {_sample(route, name, kind)}" for name, kind in route.key.items())
    put = f".Table('{table}').put_item(Item={{{key}, 'title': 'Sunset over Lisbon'}})"
    return [_python(app, "resource", "dynamodb", put), _search(app, bound.index)]


def _sample(route: TableRoute, attribute: str, kind: str) -> str:
    """Return a value for a key attribute that matches the route's patterns."""
    pattern = route.where.get(attribute)
    return SAMPLES[kind] if pattern is None or kind != "S" else repr(pattern.replace("*", "1"))


def _try_bucket(app: App, bound: BoundRoute, route: BucketRoute) -> list[str]:
    bucket = app.router.names.actual("bucket", route.bucket)
    key = f"{route.prefix}{PICTURE}"
    put = f".upload_file('tests/data/lisbon.jpg', '{bucket}', '{key}')"
    gone = f".delete_object(Bucket='{bucket}', Key='{key}')"
    table = bound.item_table
    fed = [b.index for b in app.router.bound if isinstance(b.route, TableRoute) and _reads(app, b.route, table)]
    index = bound.index or next(iter(fed), "")
    search = [_search(app, index)] if index else []
    return [_python(app, "client", "s3", put), *search, "", _python(app, "client", "s3", gone)]


def _try_rows(app: App, route: BucketRoute) -> list[str]:
    bucket = app.router.names.actual("bucket", route.bucket)
    upload = _python(app, "client", "s3", f".upload_file('{LINES}', '{bucket}', 'activity.csv')")
    look = f'sleep 2; {_interpreter()} -c "import sqlite3; print(*{ROWS})"'
    return [upload, *([look] if is_embedded(app.settings) else [])]


def _reads(app: App, route: TableRoute, table: str) -> bool:
    return bool(table) and app.router.names.actual("table", route.table) == table


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
