"""Classify database errors by their codes.

Sources: "PostgreSQL Error Codes" (PostgreSQL documentation), "Server Error Message Reference" (MySQL Reference
Manual), "Error Codes" (MariaDB documentation), "Result and Error Codes" (SQLite documentation). Tried on SQLite 3,
MariaDB 10.11 and PostgreSQL 15.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final


class Verdict(Enum):
    """The class of a database error.

    - `BAD`: the row can never be added.
    - `HALT`: no row can be added until the operator fixes the cause.
    - `RETRY`: a later attempt may succeed.
    """

    BAD = 400
    HALT = 403
    RETRY = 503


_SQLSTATES: Final = {
    "08": Verdict.RETRY,  # connection
    "0A": Verdict.HALT,  # feature not supported
    "22": Verdict.BAD,  # data
    "23": Verdict.BAD,  # integrity
    "25": Verdict.RETRY,  # read-only, as a replica is after a failover
    "28": Verdict.HALT,  # authorisation
    "3D": Verdict.HALT,  # no such database
    "3F": Verdict.HALT,  # no such schema
    "40": Verdict.RETRY,  # deadlock, serialisation
    "42": Verdict.HALT,  # syntax, no such table, no permission
    "53": Verdict.RETRY,  # resources
    "55": Verdict.RETRY,  # locks
    "57": Verdict.RETRY,  # shut down, cancelled
}
_SQLITE: Final = {
    "CONSTRAINT": Verdict.BAD,
    "MISMATCH": Verdict.BAD,
    "TOOBIG": Verdict.BAD,
    "BUSY": Verdict.RETRY,
    "LOCKED": Verdict.RETRY,
    "IOERR": Verdict.RETRY,
    "FULL": Verdict.RETRY,
    "NOMEM": Verdict.RETRY,
    "INTERRUPT": Verdict.RETRY,
    "PROTOCOL": Verdict.RETRY,
    "SCHEMA": Verdict.RETRY,
}
_MYSQL: Final = {
    **dict.fromkeys((1044, 1045, 1049, 1142, 1143, 1227, 1698), Verdict.HALT),  # permission, unknown database
    **dict.fromkeys((1054, 1064, 1109, 1110, 1136, 1146, 1149, 1364), Verdict.HALT),  # statement, unknown table
    **dict.fromkeys((1048, 1062, 1169, 1216, 1452, 1526, 1557, 1586, 3819, 4025), Verdict.BAD),  # constraints
    **dict.fromkeys((1264, 1265, 1292, 1365, 1366, 1367, 1406, 1411), Verdict.BAD),  # values
    **dict.fromkeys((1416, 1690, 3140, 3156), Verdict.BAD),  # geometry, range, JSON
}
_BY_CLASS: Final = {
    "DataError": Verdict.BAD,
    "IntegrityError": Verdict.BAD,
    "NotSupportedError": Verdict.HALT,
    "ProgrammingError": Verdict.HALT,
}
_REFUSED: Final = ("authentication failed", "does not exist", "no password supplied", "no pg_hba.conf entry")
"""Texts of libpq for a refused connection, which has no error code."""


def verdict_of(error: Any) -> Verdict:
    """Classify a DBAPIError of SQLAlchemy."""
    raised = error.orig
    if error.connection_invalidated:
        return Verdict.RETRY
    module = type(raised).__module__.partition(".")[0]
    if module == "psycopg":
        return _of_postgresql(raised)
    if module == "sqlite3":
        return _of_sqlite(raised)
    code = raised.args[0] if raised.args else None
    return _MYSQL.get(code, _of_class(raised)) if isinstance(code, int) else _of_class(raised)


def _of_postgresql(raised: Any) -> Verdict:
    state = raised.sqlstate
    if state:
        return _SQLSTATES.get(state[:2], _of_class(raised))
    if any(words in str(raised) for words in _REFUSED):
        return Verdict.HALT
    # Without a code the driver itself refuses: it cannot send a type.
    return Verdict.BAD if type(raised).__name__ == "ProgrammingError" else _of_class(raised)


def _of_sqlite(raised: Any) -> Verdict:
    name = getattr(raised, "sqlite_errorname", "")
    if not name:
        return Verdict.BAD if "binding parameter" in str(raised) else Verdict.HALT
    return _SQLITE.get(name.removeprefix("SQLITE_").partition("_")[0], Verdict.HALT)


def _of_class(raised: Any) -> Verdict:
    names = [base.__name__ for base in type(raised).__mro__]
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), Verdict.RETRY)


def words_of(error: Any) -> str:
    """Return the message of the database, without the statement and its values."""
    raised = error.orig
    said = getattr(getattr(raised, "diag", None), "message_primary", None)
    if said is None:
        args = raised.args
        said = args[1] if len(args) > 1 and isinstance(args[0], int) else raised
    return str(said).strip().partition("\n")[0][:500]


def kind_of(error: Any) -> str:
    """Return the class and code of an error for logs, without any content of a row."""
    raised = error.orig
    code = getattr(raised, "sqlstate", None) or getattr(raised, "sqlite_errorname", None)
    if code is None and raised.args and isinstance(raised.args[0], int):
        code = raised.args[0]
    return f"{type(raised).__name__} {code}" if code else type(raised).__name__
