"""Patterns in which only `*` is special: it stands for any text, also none."""

from __future__ import annotations

import re
from functools import lru_cache


def is_plain(pattern: str) -> bool:
    """Whether the pattern is just a name."""
    return "*" not in pattern


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression, to be matched in full."""
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    return pattern == text or compiled(pattern).fullmatch(text) is not None


def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns."""
    # row[j]: what was read of `one` so far and other[:j] match some text in common. A star, on either
    # side, matches nothing (the row before) or takes what stands opposite (the column before).
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
