"""The size of bulk requests: smaller after a busy server or a request that is too large, then larger again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.sinks.opensearch.bulk_body import LEAST_BYTES, BulkSize


def test_a_busy_server_gets_half_as_many_actions_and_good_answers_bring_them_back():
    pace = BulkSize(1000, 1_000_000)
    pace.busy()
    pace.busy()
    assert pace.actions == 250
    for _ in range(10):
        pace.good()
    assert pace.actions == 1000


def test_a_request_that_was_too_large_halves_the_next():
    pace = BulkSize(1000, 1_000_000)
    pace.too_large(400_000)
    assert pace.bytes == 200_000
    for _ in range(10):
        pace.good()
    assert pace.bytes == 1_000_000


@given(st.lists(st.sampled_from(["busy", "too_large", "good"])), st.integers(1, 5000), st.integers(1024, 10**8))
def test_sizes_stay_within_their_bounds(steps, actions, size):
    pace = BulkSize(actions, size)
    for step in steps:
        pace.too_large(size) if step == "too_large" else getattr(pace, step)()
        assert 1 <= pace.actions <= actions
        assert LEAST_BYTES <= pace.bytes <= size
