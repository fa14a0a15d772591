"""The conversion of DynamoDB's typed JSON to Python values: the table of types, and the errors."""

from __future__ import annotations

from decimal import Decimal

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer

from service import Deserializer
from service.errors import DecodeError

SECRET = "hunter2"

deserializer = Deserializer()


def read(tag, content):
    return deserializer.deserialize({tag: content})


def exactly(value):
    """Return the value with its type, because 1 == 1.0 == Decimal(1) == True."""
    return type(value), value


def error_of(image):
    with pytest.raises(DecodeError) as caught:
        deserializer.item(image)
    return str(caught.value)


@pytest.mark.parametrize(
    ("tag", "content", "expected"),
    [
        ("S", "", ""),
        ("S", "Füße 🦶", "Füße 🦶"),
        ("BOOL", True, True),
        ("BOOL", False, False),
        ("NULL", True, None),
        ("SS", ["b", "a", "c"], ["a", "b", "c"]),
        ("NS", ["10", "9", "-1.5"], [-1.5, 9, 10]),
        ("BS", ["Yg==", "YQ=="], [b"a", b"b"]),
        ("L", [{"S": "b"}, {"S": "a"}, {"NULL": True}], ["b", "a", None]),
        ("M", {"b": {"N": "1"}, "a": {"M": {}}}, {"b": 1, "a": {}}),
        ("L", [], []),
        ("M", {}, {}),
    ],
)
def test_each_type_becomes_its_python_value(tag, content, expected):
    assert exactly(read(tag, content)) == exactly(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-0", 0),
        ("7", 7),
        ("-7", -7),
        ("007", 7),
        ("1.0", 1),
        ("1E+5", 100_000),
        ("1e5", 100_000),
        ("12345678901234567890123456789012345678", 12345678901234567890123456789012345678),
        ("9.9999999999999999999999999999999999999E+125", int("9" * 38 + "0" * 88)),
        ("0.1", 0.1),
        ("-2.50", -2.5),
        ("1E-130", 1e-130),
        ("3.141592653589793", 3.141592653589793),
        ("3.1415926535897931", Decimal("3.1415926535897931")),
        ("0.12345678901234567890123456789012345678", Decimal("0.12345678901234567890123456789012345678")),
        ("123456789012345678.5", Decimal("123456789012345678.5")),
    ],
)
def test_a_number_is_an_int_or_a_float_that_is_exactly_it_or_else_a_decimal(text, expected):
    assert exactly(read("N", text)) == exactly(expected)


def test_a_long_number_with_trailing_zeros_on_which_boto3_raises_is_read():
    text = "1." + "0" * 40
    with pytest.raises(Exception, match="Rounded"):
        TypeDeserializer().deserialize({"N": text})
    assert exactly(read("N", text)) == exactly(1)


@pytest.mark.parametrize("content", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff"), "AP8="])
def test_binary_is_bytes_whether_it_came_as_bytes_or_as_base64(content):
    assert exactly(read("B", content)) == exactly(b"\x00\xff")
    assert read("BS", [content]) == [b"\x00\xff"]


def test_the_binary_of_boto3_is_bytes():
    assert exactly(read("B", Binary(b"\x00\xff"))) == exactly(b"\x00\xff")


def test_a_set_may_come_as_a_list_a_tuple_or_a_set():
    for members in (["a", "b"], ("b", "a"), {"a", "b"}, frozenset("ab")):
        assert exactly(read("SS", members)) == exactly(["a", "b"])


def test_it_stands_in_for_boto3s_own():
    assert isinstance(deserializer, TypeDeserializer)


@pytest.mark.parametrize(
    "text",
    ["", "-", "one", "0x1", "1.2.3", "NaN", "sNaN", "Infinity", "-Infinity", "1E+126", "1E-200", "1E999999999999"],
)
def test_what_dynamodb_has_no_number_for_is_an_error(text):
    with pytest.raises(DecodeError):
        read("N", text)


@pytest.mark.parametrize("text", ["A", "AP8", "AP8=\n", "AP_8", "ü"])
def test_binary_text_that_is_no_base64_is_an_error(text):
    with pytest.raises(DecodeError, match="not base64"):
        read("B", text)


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        ("S", 1),
        ("S", None),
        ("N", 1),
        ("N", 1.5),
        ("B", 1),
        ("B", None),
        ("SS", "ab"),
        ("SS", [1]),
        ("NS", {"a": 1}),
        ("NS", ["x"]),
        ("BS", ["x"]),
        ("L", "ab"),
        ("L", ["a"]),
        ("M", []),
        ("M", {"a": "b"}),
        ("BOOL", "true"),
        ("BOOL", 1),
        ("X", 1),
    ],
)
def test_content_that_does_not_fit_its_type_is_an_error(tag, content):
    with pytest.raises(DecodeError):
        read(tag, content)


@pytest.mark.parametrize(
    "value", [{}, {"S": "a", "N": "1"}, "text", None, 1, [], [{"S": "a"}], {1: 2}, {"s": "a"}]
)
def test_a_value_without_one_known_type_is_an_error(value):
    with pytest.raises(DecodeError):
        deserializer.deserialize(value)


@pytest.mark.parametrize(
    ("image", "path"),
    [
        ({"size": {"N": "x"}}, ".size:"),
        ({"good": {"S": "a"}, "meta": {"M": {"taken": {"S": 1}}}}, ".meta.taken:"),
        ({"tags": {"L": [{"S": "a"}, {"S": 1}]}}, ".tags[1]:"),
        ({"tags": {"SS": ["a", "b", 3]}}, ".tags[2]:"),
        ({"a": {"L": [{"M": {"b": {"L": [{"Q": 1}]}}}]}}, ".a[0].b[0]:"),
        ({"a": "b"}, ".a:"),
    ],
)
def test_the_path_of_the_bad_attribute_is_in_the_message(image, path):
    assert error_of(image).startswith(path)


@pytest.mark.parametrize(
    "value",
    [
        {"N": SECRET},
        {"B": SECRET + "!"},
        {"S": [SECRET]},
        {"S": {SECRET: SECRET}},
        {"BOOL": SECRET},
        {"L": SECRET},
        {"M": SECRET},
        {"NS": [SECRET]},
        {"N": "1" * 300 + SECRET},
        SECRET,
        [SECRET],
        {"Q": SECRET},
    ],
)
def test_the_value_itself_is_never_in_the_message(value):
    message = error_of({"password": value})
    assert SECRET not in message
    assert message.startswith(".password")


def test_a_value_nested_without_end_is_an_error_and_no_crash():
    value = {"S": "deep"}
    for _ in range(100_000):
        value = {"L": [value]}
    with pytest.raises(DecodeError, match="nested too deeply"):
        deserializer.item({"a": value})


def test_a_value_nested_as_deep_as_dynamodb_allows_is_read():
    value = {"S": "deep"}
    for _ in range(31):
        value = {"M": {"a": value}}
    found = deserializer.deserialize(value)
    for _ in range(31):
        found = found["a"]
    assert found == "deep"
