"""Versions: a pure function of the record, in the order of its writes, and always accepted by OpenSearch."""

from __future__ import annotations

import math

import pytest
from builders import eventbridge, s3_record, stream_record
from hypothesis import example, given
from hypothesis import strategies as st

from service.model.object_record import from_eventbridge, from_notification
from service.model.table_record import TableRecord
from service.model.versions import EPOCH, NO_VERSION, is_ranked, normal_sequencer, object_version, stream_version

LIMIT = 2**63
COUNTER = 10**20

seconds = st.integers(EPOCH + 1, EPOCH + 2**31 - 2)
prefixes = st.integers(1, 2**32 - 1)
counters = st.integers(0, COUNTER - 1)
microseconds = st.integers(1, 999_999)


def in_order(*versions):
    return list(versions) == sorted(versions)


def test_the_layout_is_the_seconds_since_2012_above_32_bits_of_order():
    assert stream_version(EPOCH + 5, 7 * COUNTER + 123) == 5 << 32 | 7
    assert stream_version(EPOCH + 5, 1 * COUNTER + 123) == 5 << 32 | 1
    assert stream_version(EPOCH + 5, 123) == 5 << 32 | 123
    assert stream_version(EPOCH + 5.25, 123) == 5 << 32 | 250_000


def test_the_first_and_the_last_second_are_usable_times():
    assert stream_version(EPOCH, 123) == 123
    assert stream_version(EPOCH + 2**31 - 1, 123) == (2**31 - 1) << 32 | 123


@pytest.mark.parametrize(
    ("created", "sequence", "ranked"),
    [
        (EPOCH + 5, 1 * COUNTER, True),  # AWS
        (EPOCH + 5, (2**32 - 1) * COUNTER, True),
        (EPOCH + 5.5, 123, True),  # Kinesis and moto
        (EPOCH + 5, COUNTER - 1, False),
        (EPOCH + 5, 2**32 * COUNTER, False),
        (EPOCH + 5, None, False),
        (None, 123, False),
        (None, 1 * COUNTER, True),
    ],
)
def test_known_formats_order_the_changes_within_a_second(created, sequence, ranked):
    assert is_ranked(created, sequence) is ranked


@given(seconds, seconds, prefixes, prefixes, counters, counters)
def test_it_grows_with_second_and_prefix_of_numbers_as_aws_gives_them(s1, s2, p1, p2, c1, c2):
    (early, late) = sorted([(s1, p1), (s2, p2)])
    versions = [stream_version(float(s), p * COUNTER + c) for (s, p), c in ((early, c1), (late, c2))]
    assert in_order(*versions)
    assert (versions[0] == versions[1]) == (early == late)


@given(seconds, seconds, st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_it_grows_with_second_and_number_as_dynamodb_local_counts_them(s1, s2, n1, n2):
    (early, late) = sorted([(s1, n1), (s2, n2)])
    one, other = (stream_version(float(second), number) for second, number in (early, late))
    assert in_order(one, other)
    assert (one == other) == (early == late)


@given(seconds, seconds, microseconds, microseconds, st.integers(0, 10**6), st.integers(0, 10**6))
def test_it_grows_with_the_fraction_of_a_second_that_moto_has(s1, s2, f1, f2, n1, n2):
    (early, late) = sorted([s1 + f1 / 1e6, s2 + f2 / 1e6])
    one, other = stream_version(early, 110 * 10**18 + n1), stream_version(late, 110 * 10**18 + n2)
    assert in_order(one, other)
    if late - early > 2e-6:
        assert one < other


def test_the_fraction_outranks_the_sequence_number():
    assert stream_version(EPOCH + 1.25, 9 * COUNTER) < stream_version(EPOCH + 1.5, 1 * COUNTER)


def test_a_later_second_outranks_every_order_within_an_earlier_one():
    assert stream_version(EPOCH + 1, (2**32 - 1) * COUNTER) < stream_version(EPOCH + 2, 1)
    assert stream_version(EPOCH + 1.999999, 1) < stream_version(EPOCH + 2, 1)


@given(st.none() | st.floats() | st.integers(), st.none() | st.integers() | st.integers(0, 10**41))
@example(EPOCH + 2.0**31 - 1, (2**32 - 1) * COUNTER)
@example(EPOCH + 2.0**31, 1)
@example(EPOCH - 1, 1)
@example(-(10**400), 1)
@example(10**400, -(10**400))
@example(math.nan, None)
@example(math.inf, None)
def test_it_is_a_version_that_opensearch_takes_for_any_input(created, sequence):
    assert 0 <= stream_version(created, sequence) < LIMIT


@given(seconds, st.integers(0, 10**40))
def test_any_sequence_number_of_up_to_40_digits_stays_within_its_second(second, sequence):
    version = stream_version(float(second), sequence)
    assert (second - EPOCH) << 32 <= version < (second - EPOCH + 1) << 32


@pytest.mark.parametrize("created", [None, 0, -5, EPOCH - 1, EPOCH + 2**31, math.nan, math.inf, -math.inf])
def test_a_record_without_a_usable_time_is_unordered(created):
    assert stream_version(created, 5) == NO_VERSION


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2),
)
def test_a_record_has_a_valid_version_whatever_stands_for_its_time_and_number(created, sequence):
    raw = stream_record()
    raw["dynamodb"] |= {"ApproximateCreationDateTime": created, "SequenceNumber": sequence}
    assert 0 <= TableRecord(raw).version < LIMIT


@pytest.mark.parametrize(
    ("sequencer", "normal"),
    [
        ("0055AED6DCD90281E5", "55AED6DCD90281E5"),
        ("0A1B2C3D4E5F678901", "0A1B2C3D4E5F678901"),
        ("00617F08299329D189", "617F08299329D189"),
        ("617f08299329d189", "617F08299329D189"),
        ("00000055AED6", "55AED6"),
        ("055AED6", "055AED6"),
        ("", ""),
        ("00", ""),
        ("not hexadecimal", ""),
        ("0x55", ""),
        ("-55", ""),
        ("\uff15\uff15", ""),
    ],
)
def test_a_sequencer_has_one_normal_form(sequencer, normal):
    assert normal_sequencer(sequencer) == normal
    assert normal_sequencer(normal) == normal


@pytest.mark.parametrize(
    ("sequencer", "version"),
    [
        ("0055AED6DCD90281E5", 0x55AED6DCD90281E),
        ("0A1B2C3D4E5F678901", 0x0A1B2C3D4E5F678),
        ("00617F08299329D189", 0x617F08299329D18),
        ("617f08299329d189", 0x617F08299329D18),
        ("55", 0x550000000000000),
        ("F" * 40, 0xFFFFFFFFFFFFFFF),
    ],
)
def test_the_version_of_an_object_is_the_first_15_digits_of_its_sequencer(sequencer, version):
    assert object_version(sequencer) == version


@pytest.mark.parametrize("sequencer", ["", "00", "zz", "0x1"])
def test_an_object_without_a_usable_sequencer_is_unordered(sequencer):
    assert object_version(sequencer) == NO_VERSION


@pytest.mark.parametrize(
    ("direct", "bridged"),
    [("00617F08299329D189", "617f08299329d189"), ("0055AED6DCD90281E5", "55aed6dcd90281e5")],
)
def test_the_s3_and_the_eventbridge_form_of_one_sequencer_give_one_version(direct, bridged):
    one = from_notification(s3_record("k", sequencer=direct))
    other = from_eventbridge(eventbridge("k", sequencer=bridged))
    assert one.version == other.version > NO_VERSION
    assert one.sequencer == other.sequencer


hexadecimal = st.text("0123456789ABCDEF", min_size=1, max_size=24)


@given(hexadecimal, st.integers(0, 4))
def test_case_and_leading_pairs_of_zeros_do_not_matter(digits, pairs):
    assert object_version("00" * pairs + digits.lower()) == object_version(digits)


@given(st.tuples(st.text("123456789ABCDEF", min_size=2, max_size=2), hexadecimal, hexadecimal))
def test_sequencers_of_one_key_are_ordered_as_hexadecimal_text_padded_on_the_right(parts):
    head, one, other = parts
    longest = max(len(one), len(other))
    texts = sorted([one, other], key=lambda text: text.ljust(longest, "0"))
    assert in_order(*(object_version("00" + head + text) for text in texts))


@given(st.text() | hexadecimal)
def test_the_version_of_an_object_is_one_that_opensearch_takes_for_any_text(sequencer):
    assert 0 <= object_version(sequencer) < LIMIT
