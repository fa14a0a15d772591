"""The fast and the exact conversion of numbers: both give the same value of the same type, or the same error."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.errors import DecodeError
from service.model.dynamodb_json import read_value, to_number

short_texts = (
    st.text("0123456789.eE+-", max_size=15)
    | st.text(max_size=15)
    | st.from_regex(r"\A[+-]?[0-9]{0,8}(\.[0-9]{0,8})?([eE][+-]?[0-9]{1,3})?\Z").map(lambda text: text[:15])
    | st.decimals(allow_nan=True, allow_infinity=True, places=3).map(str).map(lambda text: text[:15])
)


def outcome(read, value):
    try:
        found = read(value)
    except DecodeError as error:
        return str(error)
    return type(found), repr(found)


@given(short_texts)
@example("1e15")
@example("999999999999999")
@example("1e-100")
@example("1e-170")
@example("1e-400")
@example("1e300")
@example("0.000")
@example("-0.0")
@example("-0")
@example("+7")
@example("1_000.5")
@example(" 1.5 ")
@example("²")
@example("٣")
@example("nan")
@example("inf")
@example("1.5\n")
def test_a_short_number_is_what_its_exact_value_says(text):
    assert outcome(lambda text: read_value({"N": text}), text) == outcome(to_number, text)


@pytest.mark.parametrize("typed", [b"a", {1: 2}.keys(), range(1), "S", ("S",), {"S"}, iter(["S"])])
def test_what_is_no_map_of_one_type_is_an_error_wherever_it_stands(typed):
    for image in ({"a": typed}, {"a": {"L": [typed]}}, {"a": {"M": {"b": typed}}}):
        with pytest.raises(DecodeError, match="not a typed DynamoDB value"):
            read_value({"M": image})
