"""Document ids: typed, escaped, of limited length, and free of collisions."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from service.errors import DecodeError
from service.model.dynamodb_json import read_value
from service.routing.document_ids import (
    LONGEST,
    document_id,
    key_text,
    parts_of,
    plain_id,
    sub_document_id,
    sub_parts_of,
)

texts = st.text("ab1|~nh=", max_size=6) | st.text(max_size=20, alphabet=st.characters(exclude_categories=["Cs"]))
long_texts = st.builds(
    lambda text, times: text * times, st.text("ab|~ü", min_size=1, max_size=3), st.integers(1, 900)
)
numbers = st.integers(-20, 20) | st.sampled_from([0.5, -0.5, 1e-7, Decimal("0.12345678901234567890")])
binaries = st.binary(max_size=4) | st.binary(min_size=380, max_size=500)
parts = texts | numbers | binaries | long_texts
keys = st.tuples(parts) | st.tuples(parts, parts)


def typed(key):
    """Return the key with types, so that 1, "1" and b"1" are three different keys."""
    return [("N" if isinstance(part, int | float | Decimal) else type(part).__name__, part) for part in key]


short = ["".join(letters) for size in range(4) for letters in product("a|~", repeat=size)]
tricky = [*short, "~n1", "n1", "1", 1, -1, "~bYQ==", b"a", b"", "YQ==", "~~n1", 0.5, "0.5"]


@pytest.mark.parametrize("scope", ["", "a", "|", "~", "a|a"])
@pytest.mark.parametrize("attributes", [1, 2])
def test_no_two_keys_of_a_table_have_the_same_id_by_brute_force(attributes, scope):
    every = list(product(tricky, repeat=attributes))
    assert len({document_id(key, scope) for key in every}) == len(every)


def test_no_two_items_of_tables_with_a_pattern_have_the_same_id_by_brute_force():
    every = [(key, scope) for scope in short[1:] for key in product(short, repeat=2)]
    assert len({document_id(key, scope) for key, scope in every}) == len(every)


@given(keys, keys, st.sampled_from(["", "orders", "a|b", "~"]))
def test_two_keys_of_a_table_never_have_the_same_id(one, other, scope):
    assume(len(one) == len(other))
    assert (document_id(one, scope) == document_id(other, scope)) == (typed(one) == typed(other))


@given(st.tuples(texts, keys), st.tuples(texts, keys))
def test_two_items_of_tables_with_a_pattern_never_have_the_same_id(one, other):
    (scope, key), (other_scope, other_key) = one, other
    assume(scope and other_scope)
    same = scope == other_scope and typed(key) == typed(other_key)
    assert (document_id(key, scope) == document_id(other_key, other_scope)) == same


@given(keys, st.just("") | texts)
@example((b"\x00" * 600,), "")
@example(("ü" * 300,), "")
@example(("a", "|" * 300), "")
@example(("a",), "ü" * 300)
def test_no_id_is_longer_than_the_search_server_takes(key, scope):
    assert len(document_id(key, scope).encode()) <= LONGEST


@given(keys, st.just("") | texts)
def test_the_id_of_a_key_is_always_the_same(key, scope):
    assert document_id(key, scope) == document_id(list(key), scope)


@given(texts)
def test_a_plain_text_key_is_its_own_id(text):
    assume(not text.startswith("~"))
    assert document_id([text]) == text


@given(texts | long_texts)
@example("~")
@example("a" * LONGEST)
@example("a" * (LONGEST + 1))
def test_the_id_of_the_fast_path_is_the_one_that_every_key_has(text):
    plain = text.isascii() and not text.startswith("~") and len(text) <= LONGEST
    assert plain_id({"id": {"S": text}}, "id") == (document_id([text]) if plain else "")


@pytest.mark.parametrize(
    "typed_keys",
    [{}, {"id": {"N": "1"}}, {"id": {"S": "a"}, "n": {"N": "1"}}, {"id": {"S": "a", "N": "1"}}, {"id": "a"}],
)
def test_the_fast_path_leaves_other_keys_alone(typed_keys):
    assert plain_id(typed_keys, "id") == ""


@pytest.mark.parametrize(
    ("key", "scope", "expected"),
    [
        (["sunset"], "", "sunset"),
        (["a|b~c"], "", "a|b~c"),
        (["~draft"], "", "~~draft"),
        (["7"], "", "7"),
        ([7], "", "~n7"),
        ([0.5], "", "~n0.5"),
        ([b"\x00\x01"], "", "~bAAE="),
        (["USER#1", "ORDER#2"], "", "USER#1|ORDER#2"),
        (["a|b", "c"], "", "a~|b|c"),
        (["a", "b|c"], "", "a|b~|c"),
        (["a~", 7], "", "a~~|~n7"),
        (["sunset"], "images-2026", "images-2026|sunset"),
        (["a", "b"], "t|x", "t~|x|a|b"),
    ],
)
def test_ids_are_as_documented(key, scope, expected):
    assert document_id(key, scope) == expected


def test_the_examples_of_the_design_differ():
    assert document_id(["1"]) != document_id([1])
    assert document_id(["a|b", "c"]) != document_id(["a", "b|c"])


@pytest.mark.parametrize("text", ["x" * LONGEST, "ü" * (LONGEST // 2)])
def test_an_id_of_512_bytes_is_kept(text):
    assert document_id([text]) == text


@pytest.mark.parametrize("text", ["x" * (LONGEST + 1), "ü" * (LONGEST // 2) + "x", "~" + "x" * LONGEST])
def test_a_longer_id_becomes_a_digest_that_no_text_key_can_have(text):
    digest = document_id([text])
    assert digest.startswith("~h")
    assert len(digest) == 66
    assert document_id([digest]) == f"~{digest}"


@pytest.mark.parametrize("key", [[b"\x00" * 2048], [b"\x00" * 1024, "a"], ["a" * 300, b"\x00" * 300]])
def test_a_long_binary_key_becomes_a_digest_too(key):
    assert document_id(key).startswith("~h")


@pytest.mark.parametrize("part", [None, True, ["a"], {"a": 1}, {"a"}])
def test_a_value_that_no_key_can_have_is_an_error(part):
    for key in ([part], ["a", part]):
        with pytest.raises(DecodeError, match="keys are strings, numbers or binary"):
            document_id(key)


@pytest.mark.parametrize("key", [["\ud800"], ["a", "\ud800"]])
def test_text_that_cannot_be_written_is_an_error(key):
    with pytest.raises(DecodeError, match="not valid Unicode"):
        document_id(key)


def kind_of(part) -> str:
    return "S" if isinstance(part, str) else "B" if isinstance(part, bytes) else "N"


@given(keys, st.just("") | texts)
def test_an_id_tells_the_key_that_it_was_made_of(key, scope):
    text = document_id(key, scope)
    kinds = [kind_of(part) for part in key]
    if text.startswith("~h"):
        with pytest.raises(DecodeError, match="digest"):
            parts_of(text, kinds, bool(scope))
        return
    found = parts_of(text, kinds, bool(scope))
    assert found is not None
    told_scope, typed_parts = found
    values = [read_value(part) for part in typed_parts]
    assert told_scope == scope
    assert document_id(values, told_scope) == text
    assert typed(values) == typed(key)


@given(texts, st.lists(st.sampled_from("SNB"), min_size=1, max_size=2), st.booleans())
def test_what_is_the_id_of_no_such_key_is_told_apart(text, kinds, scoped):
    if text.startswith("~h"):
        return
    found = parts_of(text, kinds, scoped)
    if found is not None:
        scope, typed_parts = found
        values = [read_value(part) for part in typed_parts]
        assert document_id(values, scope) == text


def sub_id(key, name, scope=""):
    return sub_document_id(key_text(key, scope), name)


sub_names = st.text("ab1|~/n", min_size=1, max_size=6) | st.text(min_size=1, max_size=20)


@pytest.mark.parametrize("attributes", [1, 2])
def test_no_two_sub_documents_have_the_same_id_by_brute_force(attributes):
    keys_with_names = list(
        product(
            product([*short, "a~/", "~/a", 1, "~n1", b"a"], repeat=attributes), ["a", "~", "/", "~/a", "|", "a~"]
        )
    )
    if attributes == 2:
        keys_with_names = keys_with_names[::7]
    assert len({sub_id(key, name) for key, name in keys_with_names}) == len(keys_with_names)


@pytest.mark.parametrize(
    ("key", "scope", "name", "expected"),
    [
        (("sunset",), "", "de", "sunset~/de"),
        (("USER#1", "ORDER#2"), "", "0", "USER#1|ORDER#2~/0"),
        ((7,), "", "a~/b", "~n7~/a~~/b"),
        (("a|b",), "", "c", "a~|b~/c"),
        (("k",), "orders", "c|d", "orders|k~/c~|d"),
    ],
)
def test_the_id_of_a_sub_document_is_that_of_its_item_and_the_sub_id(key, scope, name, expected):
    assert sub_id(key, name, scope) == expected


@given(st.tuples(texts | numbers | binaries) | st.tuples(texts, numbers), sub_names, st.sampled_from(["", "a|~"]))
@example(("a~/",), "b", "")
def test_the_id_of_a_sub_document_tells_key_and_sub_id(key, name, scope):
    kinds = ["S" if isinstance(part, str) else "B" if isinstance(part, bytes) else "N" for part in key]
    try:
        text = sub_id(key, name, scope)
    except DecodeError:
        assume(False)
    assume(not text.startswith("~h"))
    found = sub_parts_of(text, kinds, bool(scope))
    assert found is not None
    assert (found[0], [read_value(value) for value in found[1]], found[2]) == (scope, list(key), name)
    assert parts_of(text, kinds, bool(scope)) is None or (kinds == ["S"] and not scope)


@pytest.mark.parametrize("text", ["a", "a~/", "a|b~/c", "~n1~/c", "a~~b", "a~x~/c", ""])
def test_what_is_the_id_of_no_sub_document_is_told_apart(text):
    assert sub_parts_of(text, ["S"]) is None


def test_a_long_id_of_a_sub_document_is_a_digest_of_the_whole():
    assert sub_id(("k",), "x" * (LONGEST - 3)) == "k~/" + "x" * (LONGEST - 3)
    digests = {sub_id(("k",), "x" * LONGEST), sub_id(("k",), "y" * LONGEST), sub_id(("k" * LONGEST,), "x")}
    assert len(digests) == 3
    for text in digests:
        assert text.startswith("~h")
        with pytest.raises(DecodeError, match="digest"):
            sub_parts_of(text, ["S"])
