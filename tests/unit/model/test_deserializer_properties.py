"""Properties of the deserializer for every value that DynamoDB can store, and for values that it cannot store."""

from __future__ import annotations

import base64
import math
from decimal import Decimal

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import example, given
from hypothesis import strategies as st

from service import Deserializer
from service.errors import DecodeError

ours, boto3s = Deserializer(), TypeDeserializer()

TAGS = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"]


@st.composite
def number_texts(draw):
    """Draw the text of a number of up to 38 digits that DynamoDB can store, in many spellings."""
    digits = draw(st.text("0123456789", min_size=1, max_size=38))
    point = draw(st.integers(0, len(digits)))
    text = digits[:point] + "." + digits[point:] if point < len(digits) else digits
    text += "0" * draw(st.integers(0, 20)) if "." in text else ""
    exponent = draw(st.none() | st.integers(-100, 125 - 38))
    text += "" if exponent is None else draw(st.sampled_from(["E", "e"])) + f"{exponent:+d}"
    return draw(st.sampled_from(["", "-"])) + text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(TAGS) | st.text(max_size=3), inner, max_size=3)
        | st.builds(lambda tag, value: {tag: value}, st.sampled_from(TAGS), inner)
    ),
    max_leaves=12,
)

plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.integers(-(10**37), 10**37)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6)
    | st.sets(st.text(min_size=1, max_size=3), min_size=1, max_size=3)
    | st.sets(st.integers(-99, 99), min_size=1, max_size=3)
    | st.sets(st.binary(min_size=1, max_size=3), min_size=1, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def as_ours(value):
    """Convert boto3's value to the types of `Deserializer`: Binary to bytes, a set to a sorted list.

    Numbers stay as they are, because equal numbers of different types compare as equal.
    """
    if isinstance(value, Binary):
        return value.value
    if isinstance(value, set):
        return sorted(map(as_ours, value))
    if isinstance(value, list):
        return [as_ours(member) for member in value]
    if isinstance(value, dict):
        return {name: as_ours(member) for name, member in value.items()}
    return value


def as_written(value):
    """Convert floats to the decimals of their text, to compare them with boto3's values."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [as_written(member) for member in value]
    if isinstance(value, dict):
        return {name: as_written(member) for name, member in value.items()}
    return value


@given(number_texts())
@example("0." + "0" * 100 + "1")
@example("-0.0")
@example("1E-130")
@example("9.9999999999999999999999999999999999999E+125")
@example("1.0000000000000000000000000000000000000")
@example("1.0000000000000000000000000000000000000E-130")
@example("0.00000000000000000000000000000000000001E-92")
def test_every_number_is_read_exactly(text):
    assert Decimal(str(ours.deserialize({"N": text}))) == Decimal(text)


@given(number_texts())
def test_a_number_is_an_int_when_whole_and_a_decimal_only_when_no_float_is_exact(text):
    found, exact = ours.deserialize({"N": text}), Decimal(text)
    if exact == exact.to_integral_value():
        assert type(found) is int
    elif Decimal(repr(float(exact))) == exact:
        assert type(found) is float
        assert math.isfinite(found)
    else:
        assert type(found) is Decimal


@given(st.floats(min_value=1e-130, max_value=1e125) | st.floats(min_value=-1e125, max_value=-1e-130))
def test_a_float_that_was_written_comes_back_as_the_same_number(value):
    assert float(ours.deserialize({"N": repr(value)})) == value


@given(st.binary())
def test_binary_from_bytes_and_from_base64_is_the_same(content):
    text = base64.b64encode(content).decode()
    assert ours.deserialize({"B": content}) == ours.deserialize({"B": text}) == content
    assert ours.deserialize({"BS": [content]}) == ours.deserialize({"BS": [text]}) == [content]


@given(plain_values)
def test_what_boto3_writes_we_read_as_boto3_does(value):
    typed = TypeSerializer().serialize(value)
    assert as_written(ours.deserialize(typed)) == as_ours(boto3s.deserialize(typed))


@given(number_texts())
def test_wherever_boto3_can_read_a_number_we_read_the_same(text):
    try:
        expected = boto3s.deserialize({"N": text})
    except Exception:
        return
    assert as_written(ours.deserialize({"N": text})) == expected


@given(json_values)
def test_arbitrary_json_never_raises_anything_but_a_decode_error(value):
    for read in (ours.deserialize, ours.item):
        try:
            read(value)
        except DecodeError:
            continue


@given(st.sampled_from(TAGS), st.text() | st.lists(st.text(), max_size=3))
def test_any_text_in_any_type_is_read_or_is_a_decode_error(tag, content):
    try:
        ours.deserialize({tag: content})
    except DecodeError:
        return


def message_of(image):
    try:
        ours.item(image)
    except DecodeError as error:
        return str(error)
    return ""


marker = st.from_regex(r"\Ahunter[a-z0-9]{4}\Z")


@given(marker, st.sampled_from(TAGS), st.integers(0, 3))
def test_no_part_of_a_value_is_in_the_message(secret, tag, depth):
    value = {tag: secret} if tag != "S" else {"S": [secret]}
    for _ in range(depth):
        value = {"L": [value]}
    message = message_of({"a": value})
    assert secret not in message
    assert not message or message.startswith(".a" + "[0]" * depth)
