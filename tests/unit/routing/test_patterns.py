"""Patterns: the only wildcard is `*`."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.routing.patterns import compiled, is_plain, matches, overlap

LETTERS = "ab"
LONGEST = 3

patterns = st.text(LETTERS + "*", max_size=LONGEST)
texts = ["".join(letters) for size in range(2 * LONGEST + 1) for letters in product(LETTERS, repeat=size)]


@cache
def matched(pattern):
    """Return all texts of the letters a and b that the pattern matches, by brute force.

    The texts are up to twice as long as the longest pattern.
    """
    expression = re.compile(pattern.replace("*", "[ab]*"))
    return frozenset(text for text in texts if expression.fullmatch(text))


@given(patterns, patterns)
def test_two_patterns_overlap_exactly_when_some_text_matches_both(one, other):
    assert overlap(one, other) == bool(matched(one) & matched(other))


@given(patterns)
def test_a_pattern_matches_what_brute_force_finds(pattern):
    assert frozenset(text for text in texts if matches(pattern, text)) == matched(pattern)


@given(st.text(), st.text())
def test_overlap_is_symmetric_and_everything_overlaps_itself_and_a_star(one, other):
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one)
    assert overlap(one, "*")


@given(st.text(), st.text())
def test_a_text_that_matches_overlaps(one, other):
    if "*" not in other:
        assert overlap(one, other) == matches(one, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", True),
        ("", "*", True),
        ("", "a", False),
        ("USER#*", "ORDER#*", False),
        ("USER#*", "USER#1*", True),
        ("*#PROFILE", "USER#*", True),
        ("a*b", "b*a", False),
        ("a*", "*b", True),
        ("a*a", "a", False),
        ("**", "", True),
    ],
)
def test_overlaps_as_in_real_tables(one, other, expected):
    assert overlap(one, other) is expected


@pytest.mark.parametrize("special", list(".?+[](){}|^$\\#-"))
def test_only_the_star_is_special(special):
    assert matches(f"a{special}b", f"a{special}b")
    assert not matches(f"a{special}b", "axb")
    assert not matches(f"a{special}", "aa")


def test_a_star_stands_for_any_text_also_none_and_also_new_lines():
    for text in ("ab", "a b", "a\nb", "a日b", "a*b"):
        assert matches("a*b", text)
    assert not matches("a*b", "xab")
    assert not matches("a*b", "abx")
    assert not matches("a*b", "AB")


def test_a_pattern_without_a_star_is_just_a_name():
    assert is_plain("images-in.2026")
    assert not is_plain("images-*")


@given(st.text(), st.text())
def test_the_compiled_pattern_says_the_same_as_matches(pattern, text):
    if is_plain(pattern):
        assert matches(pattern, text) == (pattern == text)
    assert (compiled(pattern).fullmatch(text) is not None) == matches(pattern, text) or pattern == text
