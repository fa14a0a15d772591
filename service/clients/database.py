"""The SQLAlchemy engine of the SQL database. SQLAlchemy is imported only if it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ..deadline import time_left
from ..errors import Halt, SettingsError
from ..private_files import STATE, make_database
from ..settings import Settings
from .database_deadline import end_at_deadline

EMBEDDED: Final = f"{STATE}/rows.sqlite"
"""The file of the default SQLite database."""

DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
"""The drivers of the extra `sql`, used for a DB_URL that names no driver."""

EXTRA: Final = "install streamdex[sql] (SQLAlchemy and the drivers of MySQL and PostgreSQL)"


def address_of(settings: Settings) -> Any:
    """Return the database's SQLAlchemy URL. Raises SettingsError, and Halt if SQLAlchemy is not installed."""
    try:
        from sqlalchemy.engine import URL, make_url
        from sqlalchemy.exc import ArgumentError
    except ModuleNotFoundError as error:
        raise Halt(f"SQL rows require SQLAlchemy: {EXTRA}") from error

    if settings.db_url:
        try:
            url = make_url(settings.db_url)
        except (ArgumentError, ValueError):  # the original error quotes the password
            raise SettingsError("DB_URL must be a URL such as postgresql://user:password@host/name") from None
        return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if settings.db_host:
        return URL.create(
            DRIVERS["mysql"],
            username=settings.db_user or None,
            password=settings.db_pass or None,
            host=settings.db_host,
            port=settings.db_port,
            database=settings.db_name or None,
        )
    return URL.create("sqlite", database=EMBEDDED)


def is_embedded(settings: Settings) -> bool:
    """True if the settings name no database, so that the default SQLite file is used."""
    return not settings.db_url and not settings.db_host


def shown(url: Any) -> str:
    """Return an address for messages: without the password, and without options, which may contain one."""
    text: str = url.set(query={}).render_as_string(hide_password=True)
    return text


def make_engine(settings: Settings) -> Any:
    """Return the engine. Its connections are checked before use and closed at the current deadline.

    Raises SettingsError for an invalid address, and Halt if SQLAlchemy or the driver is not installed.
    """
    url = address_of(settings)
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    set_up = {"sqlite": _sqlite, "mysql": _mysql, "mariadb": _mysql, "postgresql": _postgresql}
    kind = url.get_backend_name()
    if kind not in set_up:
        raise SettingsError(f"DB_URL: unsupported database {kind}. Supported: {', '.join(set_up)}")
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise Halt(f"the database {shown(url)} requires the Python module {error.name}: {EXTRA}") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(f"DB_URL: {error}") from error
    end_at_deadline(engine, kind, settings.db_timeout)
    set_up[kind](engine, settings.db_timeout)
    return engine


def _sqlite(engine: Any, seconds: float) -> None:
    """Begin each transaction as a write transaction: two that read first and then write would fail on each other.

    sqlite3 itself would begin it later, and not for a savepoint ("Pysqlite", SQLAlchemy documentation).
    """
    from sqlalchemy import event

    file = engine.url.database
    # An existing database file of the user keeps its mode, because other users may share it on purpose.
    if file == EMBEDDED or (file and file != ":memory:" and not Path(file).exists()):
        try:
            make_database(file)
        except OSError as error:
            raise Halt(f"cannot create the database {shown(engine.url)}: {error.strerror}. Set DB_URL.") from error

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def began(connection: Any) -> None:
        wait = max(min(seconds, time_left()), 0.0)
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(wait * 1000)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _mysql(engine: Any, seconds: float) -> None:
    """Limit the wait for locks to `seconds`, and reject values that do not fit instead of truncating them."""
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", (max(int(seconds), 1),))
            cursor.execute("SET SESSION sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_ALL_TABLES')")


def _postgresql(engine: Any, seconds: float) -> None:
    """Limit the wait for locks to `seconds`. PostgreSQL waits indefinitely by default."""
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        connection.execute(f"SET lock_timeout = {int(seconds * 1000)}")
        connection.commit()
