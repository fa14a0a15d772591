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

_PIECES: Final = re.compile(r"((?:~.|[^~|])*)\|", re.DOTALL)


def document_id(parts: Sequence[object], scope: str = "") -> str:
    """Return the id of key values, given in the declared order. `scope` is a table or bucket name to prepend.

    Raises DecodeError for an invalid key value.
    """
    if len(parts) == 1 and not scope:
        (part,) = parts
        if isinstance(part, str):
            return _bounded("~" + part if part.startswith("~") else part)
        return _bounded(_text(part))
    texts = [_text(part) for part in parts]
    return _bounded("|".join([_escaped(scope), *texts] if scope else texts))


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
    if text.startswith("~h"):
        raise DecodeError("the id is a digest, which does not contain the key, because the key is too long")
    if len(kinds) == 1 and not scoped and kinds[0] == "S":
        scope, values = "", [{"S": text.removeprefix("~")}]
    else:
        pieces = _PIECES.findall(text + "|")
        if len(pieces) != len(kinds) + scoped:
            return None
        scope = _unescaped(pieces[0]) if scoped else ""
        values = [{kind: _value(piece, kind)} for piece, kind in zip(pieces[scoped:], kinds, strict=True)]
    try:
        made = document_id([read_value(value) for value in values], scope)
    except DecodeError:
        return None
    return (scope, values) if made == text and bool(scope) == scoped else None


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
