"""Patterns with one wildcard: `*` matches any text, including the empty text."""

from __future__ import annotations

import re
from functools import lru_cache


def is_plain(pattern: str) -> bool:
    """True if the pattern has no wildcard."""
    return "*" not in pattern


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern as a regular expression for `fullmatch`."""
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    return pattern == text or compiled(pattern).fullmatch(text) is not None


def overlap(one: str, other: str) -> bool:
    """True if some text matches both patterns."""
    # row[j] is True if the characters of `one` read so far and other[:j] match a common text. A star, on either
    # side, matches nothing (the previous row) or consumes the opposite character (the previous column).
    row = [True] + [False] * len(other)
    for j, theirs in enumerate(other):
        row[j + 1] = row[j] and theirs == "*"
    for mine in one:
        before, row = row, [row[0] and mine == "*"] + [False] * len(other)
        for j, theirs in enumerate(other):
            if "*" in (mine, theirs):
                row[j + 1] = before[j + 1] or row[j]
            else:
                row[j + 1] = before[j] and mine == theirs
    return row[-1]
