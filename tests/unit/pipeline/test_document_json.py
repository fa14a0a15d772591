"""Documents as JSON: every number fits the type that OpenSearch gives it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import pytest
from builders import stream_record
from hypothesis import given
from hypothesis import strategies as st

from service import Item
from service.model import TableRecord
from service.model.dynamodb_json import read_value
from service.pipeline.document_json import dump

LONG = range(-(2**63), 2**63)
"""The values of a `long` ("Numeric field types", OpenSearch documentation)."""

integers = st.integers(-(2**66), 2**66) | st.sampled_from(
    [bound + step for bound in (-(2**63), 2**63, 2**64, 2**53) for step in (-1, 0, 1)]
)
leaves = integers | st.none() | st.booleans() | st.text(max_size=3) | st.floats(-1e6, 1e6)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4).map(MappingProxyType)
        | st.sets(integers, max_size=4)
    ),
    max_leaves=12,
)


def as_sent(value: Any) -> Any:
    """Return the value that a consumer of the JSON reads."""
    if type(value) is int:
        return value if value in LONG else str(value)
    if isinstance(value, Mapping):
        return {name: as_sent(member) for name, member in value.items()}
    if isinstance(value, set):
        return [as_sent(member) for member in sorted(value)]
    return [as_sent(member) for member in value] if isinstance(value, list | tuple) else value


def numbers_in(value: Any) -> Iterator[int]:
    if type(value) is int:
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(member)


@given(st.dictionaries(st.text(max_size=3), values, max_size=5))
def test_every_integer_is_a_number_that_a_long_holds_or_text(document: Item):
    sent = json.loads(dump(document))
    assert sent == as_sent(document)
    assert all(number in LONG for number in numbers_in(sent))


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**64, -(2**63) - 1])
def test_an_integer_outside_of_a_long_is_text_wherever_it_stands(number: int):
    @dataclass
    class Holder:
        n: int

    class Code(IntEnum):
        N = number

    text = str(number)
    assert json.loads(dump({"a": number})) == {"a": text}
    assert json.loads(dump({"a": [{"b": (number, 1)}]})) == {"a": [{"b": [text, 1]}]}
    assert json.loads(dump({"a": {number}})) == {"a": [text]}
    assert json.loads(dump({"a": frozenset({1, number})})) == {"a": [text, 1] if number < 1 else [1, text]}
    assert json.loads(dump({"a": Decimal(number)})) == {"a": text}
    assert json.loads(dump({"a": Holder(number)})) == {"a": {"n": text}}
    assert json.loads(dump({"a": Code.N})) == {"a": text}


@pytest.mark.parametrize("number", [2**53, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_an_integer_that_a_long_holds_is_a_number(number: int):
    assert json.loads(dump({"a": number, "b": [number]})) == {"a": number, "b": [number]}


@given(integers)
def test_a_number_of_dynamodb_comes_through_as_a_long_or_as_its_own_text(number: int):
    record = TableRecord(stream_record(new={"id": "a", "n": number, "l": [number], "s": {number}}))
    sent = json.loads(dump(record.new))
    expected = number if number in LONG else str(number)
    assert sent == {"id": "a", "n": expected, "l": [expected], "s": [expected]}


@pytest.mark.parametrize("text", ["9223372036854775808", "9.223372036854775808E+18", "922337203685477580.8E1"])
def test_every_spelling_of_an_integer_outside_of_a_long_is_text(text: str):
    assert json.loads(dump({"n": read_value({"N": text})})) == {"n": "9223372036854775808"}
