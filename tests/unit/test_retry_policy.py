"""The limits of delays: each growing delay has a maximum for any number of attempts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.retry_policy import LONGEST, RetryPolicy, backoff
from service.sources.dynamodb_streams.idle_delay import after_nothing

SERVICE = Path(__file__).parents[2] / "service"


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 0.5), (1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (1023, 30.0), (10**9, 30.0)]
)
def test_a_pause_doubles_up_to_its_cap(attempt, seconds):
    assert backoff(attempt, 0.5, 30.0) == seconds


@given(st.integers(0, 10**12), st.floats(0.001, 60.0), st.floats(0.0, 1.0))
def test_no_number_of_attempts_exceeds_the_longest_pause(attempt, base, chance):
    assert backoff(attempt, base, 60.0) <= 60.0
    assert after_nothing(attempt, 5.0) <= 5.0
    policy = RetryPolicy(shortest=min(base, LONGEST), longest=LONGEST, chance=lambda: chance)
    assert policy.shortest / 10 <= policy.pause_after(attempt + 1) <= LONGEST


def test_no_other_module_computes_powers_of_two_that_nothing_bounds():
    growing = re.compile(r"(?<![\w.])2(\.0)? ?\*\* ?(?!\d)|<<= ?1")
    found = {
        path.relative_to(SERVICE).as_posix(): line.strip()
        for path in SERVICE.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if growing.search(line)
    }
    assert list(found) == ["retry_policy.py"]
