"""Document ids. An id depends on the item's key alone, so that a REMOVE record finds the document.

A single string key is its own id. Different keys never share an id: `1` and `"1"`, `a|b` + `c` and `a` + `b|c`,
a long key and its digest.

| key                         | id                                                     |
|-----------------------------|--------------------------------------------------------|
| "sunset"                    | sunset                                                 |
| 7                           | ~n7                                                    |
| b"\\x00\\x01"                 | ~bAAE=                                                 |
| "USER#1", "ORDER#2"         | USER#1|ORDER#2 (`|` and `~` in a part are `~|`, `~~`)  |
| "~draft"                    | ~~draft                                                |
| longer than 512 bytes       | ~h and the SHA-256 of the id                           |

A sub-document has the key, in which `|` and `~` are always escaped, then `~/` and the sub-id, escaped in the same
way: `USER#1|ORDER#2~/de`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from ..errors import DecodeError
from ..model.dynamodb_json import read_value

LONGEST: Final = 512
"""The maximum bytes of an id. OpenSearch 3.6.0 rejects the whole bulk request of a longer id with status 400."""

PARENT: Final = "streamdex_parent"
"""The field of a sub-document with the document id of its item."""

_PIECES: Final = re.compile(r"((?:~.|[^~|])*)\|", re.DOTALL)
_SUB_DOCUMENT: Final = re.compile(r"((?:~[^/]|[^~])*)~/(.+)", re.DOTALL)


def document_id(parts: Sequence[object], scope: str = "") -> str:
    """Return the id of key values, given in the declared order. `scope` is a table or bucket name to prepend.

    Raises DecodeError for an invalid key value.
    """
    if len(parts) == 1 and not scope:
        (part,) = parts
        if isinstance(part, str):
            return _bounded("~" + part if part.startswith("~") else part)
        return _bounded(_text(part))
    return _bounded(key_text(parts, scope))


def key_text(parts: Sequence[object], scope: str = "") -> str:
    """Return the beginning of the ids of an item's sub-documents. Raises DecodeError for an invalid key value."""
    texts = [_text(part) for part in parts]
    return "|".join([_escaped(scope), *texts] if scope else texts)


def sub_document_id(key: str, name: str) -> str:
    """Return the id of the sub-document with this sub-id. `key` is the `key_text` of its item."""
    return _bounded(f"{key}~/{_escaped(name)}")


def plain_id(typed_keys: Mapping[str, Any], attribute: str) -> str:
    """Return the id of a key of one plain string in DynamoDB JSON; "" for other keys.

    This is the fast path of `document_id`.
    """
    typed = typed_keys.get(attribute)
    if type(typed) is not dict or len(typed) != 1 or len(typed_keys) != 1:
        return ""
    text = typed.get("S")
    if type(text) is str and text[:1] != "~" and len(text) <= LONGEST and text.isascii():
        return text
    return ""


def parts_of(text: str, kinds: Sequence[str], scoped: bool = False) -> tuple[str, list[dict[str, str]]] | None:
    """Return the scope ("" without one) and the key values of an id, in DynamoDB JSON.

    `kinds` are the types of the key attributes ("S", "N", "B"). Return None if the id does not match them. Raises
    DecodeError for a digest, which does not contain the key.
    """
    _check_digest(text)
    if len(kinds) == 1 and not scoped and kinds[0] == "S":
        scope, values = "", [{"S": text.removeprefix("~")}]
    else:
        found = _values(text, kinds, scoped)
        if found is None:
            return None
        scope, values = found
    try:
        made = document_id([read_value(value) for value in values], scope)
    except DecodeError:
        return None
    return (scope, values) if made == text and bool(scope) == scoped else None


def sub_parts_of(
    text: str, kinds: Sequence[str], scoped: bool = False
) -> tuple[str, list[dict[str, str]], str] | None:
    """Return what `parts_of` does, and the sub-id, for the id of a sub-document. Raises what `parts_of` raises."""
    _check_digest(text)
    separated = _SUB_DOCUMENT.fullmatch(text)
    found = separated and _values(separated[1], kinds, scoped)
    if separated is None or not found:
        return None
    (scope, values), name = found, _unescaped(separated[2])
    try:
        made = sub_document_id(key_text([read_value(value) for value in values], scope), name)
    except DecodeError:
        return None
    return (scope, values, name) if made == text and bool(scope) == scoped else None


def _check_digest(text: str) -> None:
    if text.startswith("~h"):
        raise DecodeError("the id is a digest, which does not contain the key, because the key is too long")


def _values(key: str, kinds: Sequence[str], scoped: bool) -> tuple[str, list[dict[str, str]]] | None:
    """Return the scope and the key values of a text of escaped parts; None if they are not as many as `kinds`."""
    pieces = _PIECES.findall(key + "|")
    if len(pieces) != len(kinds) + scoped:
        return None
    values = [{kind: _value(piece, kind)} for piece, kind in zip(pieces[scoped:], kinds, strict=True)]
    return _unescaped(pieces[0]) if scoped else "", values


def _value(piece: str, kind: str) -> str:
    return _unescaped(piece) if kind == "S" else piece[2:]


def _unescaped(piece: str) -> str:
    return re.sub("~([~|])", r"\1", piece)


def _text(part: object) -> str:
    if isinstance(part, str):
        return _escaped(part)
    if isinstance(part, bytes):
        return "~b" + base64.b64encode(part).decode("ascii")
    if isinstance(part, int | float | Decimal) and not isinstance(part, bool):
        return f"~n{part}"
    raise DecodeError(f"invalid key of type {type(part).__name__}: keys are strings, numbers or binary")


def _escaped(text: str) -> str:
    return text.replace("~", "~~").replace("|", "~|")


def _bounded(text: str) -> str:
    if len(text) <= LONGEST and text.isascii():
        return text
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise DecodeError("the key is not valid Unicode") from None
    if len(encoded) <= LONGEST:
        return text
    return "~h" + hashlib.sha256(encoded).hexdigest()
