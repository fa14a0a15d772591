"""Write a new route: its module, its test, and its line in ROUTES."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...context import Context
from ...errors import SettingsError
from ...pipeline.error_outcomes import reaching
from ...routing import Names, Route, Router, TableRoute
from ...routing.declarations import KEY_TYPES
from ...routing.index_names import FORBIDDEN
from ...routing.patterns import is_plain
from .registration import quoted, with_entry

_PUBLIC: Final = __name__.partition(".")[0]
"""`service`, or the name under which the package is installed."""

_TAKEN: Final = frozenset({"Delete", "Document", "Index", "Item", "TableRoute"})
"""Names that the module or its test imports."""

_VALUES: Final[Mapping[str, str]] = {"S": '"1"', "N": "1", "B": 'b"1"'}

_MODULE: Final = '''\
"""{title}"""

from __future__ import annotations

from typing import ClassVar

from {public} import Document, Item, TableRoute


class {name}(TableRoute):
    """{title}"""

    table: ClassVar = {table}
    key: ClassVar = {key}
    index: ClassVar = {index}

    def document(self, item: Item) -> Document:
        """Return all attributes except the key."""
        return {{name: value for name, value in item.items() if name not in self.key}}
'''

_TEST: Final = '''\
"""The route keeps the index in sync with the items."""

from __future__ import annotations

{imports}

ITEM = {item}


def test_a_new_item_is_indexed():
    assert run({name}(), insert(ITEM)) == [Index({document})]


def test_a_changed_item_is_indexed_again():
    assert run({name}(), modify(ITEM, {{**ITEM, {attribute}: "Dawn"}})) == [Index({changed})]


def test_a_removed_item_is_deleted_from_the_index():
    assert run({name}(), remove(ITEM)) == [Delete()]
'''


@dataclass(frozen=True)
class Draft:
    """The module, class, table and index of a new route. All names are logical names."""

    module: str
    name: str
    table: str
    key: Mapping[str, str]
    index: str

    @property
    def entry(self) -> str:
        """The entry for ROUTES."""
        return f"{self.module}:{self.name}"


def draft(name: str, table: str, key: Mapping[str, str], index: str = "") -> Draft:
    """Return a draft for the items of a table. Raises SettingsError for a missing table or an invalid name."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    module, kind = "_".join(words).lower(), "".join(word[:1].upper() + word[1:] for word in words)
    if not re.fullmatch(r"[A-Za-z][\w-]*", name, re.ASCII) or keyword.iskeyword(module) or not words:
        raise SettingsError(f"{name!r} is not a valid name: use letters, digits and _, such as order_lines")
    if not table:
        raise SettingsError("the route needs a table: add --table=NAME")
    kind += "Route" if kind in _TAKEN else ""
    return Draft(module, kind, table, key, index or index_name(table) or module)


def index_name(table: str) -> str:
    """Return a valid index name made from a table's name; "" if no character is left."""
    allowed = "".join(c for c in table.lower() if c not in FORBIDDEN + " ")
    return allowed.strip("-_+.")


def parsed_key(parts: Sequence[str]) -> dict[str, str]:
    """Return the key from parts such as PK:S and SK:N. Raises SettingsError."""
    pairs = [part.rpartition(":") for part in parts]
    if not 1 <= len(pairs) <= 2 or not all(name and kind in KEY_TYPES for name, _, kind in pairs):
        raise SettingsError("--key must be the table's key with its types, such as id:S or PK:S,SK:N")
    return {name: kind for name, _, kind in pairs}


def key_of(context: Context, names: Names, table: str) -> dict[str, str]:
    """Return the key of an existing table.

    Raises SettingsError if the table is a pattern or does not exist; Halt; Unreachable.
    """
    if not is_plain(table):
        raise SettingsError(f"{table} is a pattern: give the tables' key, such as --key=id:S")
    actual = names.actual("table", table)
    with reaching(f"reading the key of table {actual} (or give it: --key=id:S)"):
        dynamodb = context.dynamodb
        try:
            found = dynamodb.describe_table(TableName=actual)["Table"]
        except dynamodb.exceptions.ResourceNotFoundException:
            raise SettingsError(f"table {actual} does not exist: give its key, such as --key=id:S") from None
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in found["AttributeDefinitions"]}
    return {entry["AttributeName"]: types[entry["AttributeName"]] for entry in found["KeySchema"]}


def add(new: Draft, package: str, registered: Sequence[Route]) -> list[Path]:
    """Write the route, its test and its line in ROUTES; return the files written, none if all existed.

    ROUTES is written last, so that a registered route always exists. A repeated call completes an interrupted one.
    Before anything is written, raises SettingsError if a file exists with other content, and DeclarationError if
    the route clashes with a registered one.
    """
    folder = _folder_of(package)
    root = folder.parents[package.count(".")]
    tests = root / "tests" / "unit" / package.rpartition(".")[2]
    wanted = {
        folder / f"{new.module}.py": module_text(new),
        tests / f"test_{new.module}.py": text_of_test(new, package),
    }
    for path, text in wanted.items():
        if path.exists() and path.read_text() != text:
            raise SettingsError(f"{path} already exists and was not changed: choose another name")
    listing = folder / "__init__.py"
    before = listing.read_text()
    after = with_entry(before, new.entry, str(listing))
    if after != before:
        Router([*registered, _route(new)])
    written = [path for path in wanted if not path.exists()]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    if after != before:
        listing.write_text(after)
        written.append(listing)
    return written


def module_text(new: Draft) -> str:
    """Return the source of the route's module."""
    title = f"Items of the {new.table} table, searchable in the {new.index} index."
    fits = len(title) <= 100 and not set(title) & set('"\\')
    key = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in new.key.items())
    return _MODULE.format(
        title=title if fits else "Items of a table, searchable in an index.",
        public=_PUBLIC,
        name=new.name,
        table=quoted(new.table),
        key=f"{{{key}}}",
        index=quoted(new.index),
    )


def text_of_test(new: Draft, package: str) -> str:
    """Return the source of the route's test."""
    attribute = quoted("title" if "title" not in new.key else "text")
    key = "".join(f"{quoted(name)}: {_VALUES[kind]}, " for name, kind in new.key.items())
    imports = [
        f"from {package}.{new.module} import {new.name}",
        f"from {_PUBLIC} import Delete, Index",
        f"from {_PUBLIC}.testing import insert, modify, remove, run",
    ]
    return _TEST.format(
        imports="\n".join(sorted(imports)),
        name=new.name,
        item=f'{{{key}{attribute}: "Dusk"}}',
        document=f'{{{attribute}: "Dusk"}}',
        changed=f'{{{attribute}: "Dawn"}}',
        attribute=attribute,
    )


def _route(new: Draft) -> TableRoute:
    members = {"table": new.table, "key": new.key, "index": new.index, "document": lambda self, item: item}
    made: TableRoute = type(new.name, (TableRoute,), members)()
    return made


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SettingsError(f"there is no package {package!r} for the route: set STREAMDEX_ROUTES")
    return Path(spec.origin).parent
