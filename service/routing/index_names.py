"""The names of indices: valid names, names that the service makes itself, and the names of a pattern.

The indices behind the alias `NAME` are named `NAME-000001` and so on, and aliases such as `NAME--new` mark the
copies of a rebuild (`sinks/opensearch/alias_targets.py`). An index of a pattern must not have such a name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

FORBIDDEN: Final = '\\/*?"<>|,#:'
LONGEST: Final = 255
"""The maximum bytes of an index name ("Create index", OpenSearch documentation)."""

ALSO: Final = "--also"
NEW: Final = "--new"
OLD: Final = "--old"
"""The suffixes of the aliases that mark the copies of an index."""

NUMBER: Final = "-000001"
"""The end of the name of the first index behind an alias."""

_MADE: Final = re.compile(rf"(?:-\d{{6}}|{ALSO}|{NEW}|{OLD})", re.ASCII)

_EXAMPLE: Final = "x"


def is_index_name(name: str) -> bool:
    """True if this is a valid index name or empty ("Create index", OpenSearch documentation)."""
    return (
        name == name.lower()
        and not name.startswith(("-", "_", "+"))
        and not set(name) & set(FORBIDDEN + " ")
        and len(name.encode(errors="replace")) <= LONGEST
    )


def is_index_pattern(name: str) -> bool:
    """True if this is a valid index pattern: one `*`, not in front, and no ending that the service adds."""
    example = name.replace("*", _EXAMPLE)
    return name.count("*") == 1 and name[0] != "*" and is_index_name(example) and base_of(example) == example


def is_behind(name: str, index: str) -> bool:
    """True if `index` is named as the service names the indices of the alias `name`."""
    return index.startswith(name) and re.fullmatch(r"-\d{6}", index[len(name) :], re.ASCII) is not None


def base_of(name: str) -> str:
    """Return the name without the ending that the service adds to the names of indices and aliases."""
    ends = name[-len(NUMBER) :], name[-len(ALSO) :], name[-len(NEW) :]
    return next((name[: -len(end)] for end in ends if _MADE.fullmatch(end)), name)


def star_of(pattern: str, name: str) -> str:
    """Return the text that the `*` of a pattern stands for in a name; "" if the name does not match."""
    before, _, after = pattern.partition("*")
    fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
    return name[len(before) : len(name) - len(after)] if fits else ""


def is_index_of(pattern: str, name: str) -> bool:
    """True if an index of the pattern can have this name, and the service does not use the name itself."""
    return star_of(pattern, name) != "" and base_of(name) == name


@lru_cache(maxsize=4096)
def name_in(pattern: str, actual: str, name: str) -> tuple[str, str]:
    """Return the actual name of an index of a pattern, and the problem with the name ("" if there is none).

    `pattern` and `name` are logical names, `actual` is the actual name of the pattern. The text in place of the
    `*` comes from the keys of items, so only letters, digits, `-`, `_` and `.` are allowed in it.
    """
    star = star_of(pattern, name)
    if not star:
        return "", f"it does not match the pattern {pattern!r} of the route"
    if star != star.lower() or not all(letter.isalnum() or letter in "-_." for letter in star):
        return "", "in place of the *, a name must have only letters in lower case, digits, - _ and ."
    found = actual.replace("*", star)
    if base_of(found) != found:
        return "", f"the service adds endings such as {NUMBER} and {ALSO} to index names itself"
    if len(found.encode(errors="replace")) > LONGEST - len(NUMBER):
        return "", f"an index name must have at most {LONGEST - len(NUMBER)} bytes"
    return found, ""
