"""Errors in settings: each names its setting, and is raised before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from service.errors import DeclarationError, SettingsError
from service.settings import Settings, setting


@dataclass(frozen=True)
class Numbers:
    count: int = setting(5, "how many", least=1, most=10)
    ratio: float = setting(0.5, "a fraction", least=0, most=1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--colour", "blue"], "--colour"),
        (["--colour=blue"], "--colour"),
        (["--colour=blue", "--shape", "round"], "--colour, --shape"),
        (["--grou=x"], r"--grou \(did you mean --group\?\)"),
    ],
)
def test_an_unknown_option_is_an_error_that_names_it(read, arguments, named):
    with pytest.raises(SettingsError, match=f"unknown option: {named} "):
        read(*arguments)


def test_a_word_that_belongs_to_no_option_is_an_error_that_does_not_show_it(read):
    with pytest.raises(SettingsError, match="unknown option") as caught:
        read("hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_error_says_where_every_setting_is_listed(read):
    with pytest.raises(SettingsError, match="python -m service settings"):
        read("--colour=blue")


def test_an_option_without_its_value_is_an_error_that_names_it(read):
    with pytest.raises(SettingsError, match=r"--search-url.*expected one argument"):
        read("--search-url")


def test_a_missing_operand_is_an_error_that_names_it(read):
    with pytest.raises(SettingsError, match="FILE"):
        read(operands=["FILE"])


def given_in_each_way(name, value):
    return [
        ([f"--{name}={value}"], {}),
        ([], {"env": {name.upper(): value}}),
        ([], {"file": f"{name}: '{value}'"}),
    ]


@pytest.mark.parametrize(("arguments", "given"), given_in_each_way("count", "many"))
def test_a_value_of_another_type_is_an_error_that_names_setting_and_value(read, arguments, given):
    with pytest.raises(SettingsError, match="--count: 'many' is not of type int"):
        read(*arguments, classes=(Numbers,), **given)


@pytest.mark.parametrize(("arguments", "given"), given_in_each_way("log_level", "LOUD"))
def test_a_value_that_is_no_choice_is_an_error_that_lists_the_choices(read, arguments, given):
    with pytest.raises(SettingsError, match=r"--log_level: 'LOUD' is not one of DEBUG, INFO, WARNING, ERROR"):
        read(*arguments, **given)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--count=0", "--count: '?0'? is below the minimum of 1"),
        ("--count=11", "--count: '?11'? is above the maximum of 10"),
        ("--ratio=-0.1", "--ratio: '?-0.1'? is below the minimum of 0"),
        ("--ratio=1.1", "--ratio: '?1.1'? is above the maximum of 1"),
        ("--ratio=inf", "--ratio: '?inf'? is "),
        ("--ratio=nan", "--ratio: '?nan'? is "),
    ],
)
def test_a_number_out_of_its_range_is_an_error_that_names_the_bound(read, option, reason):
    with pytest.raises(SettingsError, match=reason):
        read(option, classes=(Numbers,))


def test_the_bounds_themselves_are_in_the_range(read):
    for count, ratio in ((1, 0.0), (10, 1.0)):
        found = read(f"--count={count}", f"--ratio={ratio}", classes=(Numbers,)).build(Numbers)
        assert found == Numbers(count, ratio)


@pytest.mark.parametrize("text", ["x", "=y", "x=", "a=b,c"])
def test_a_mapping_of_another_form_is_an_error(read, text):
    with pytest.raises(SettingsError, match="--names"):
        read("--names", text)


def declaring(name, **fields):
    """Return a dataclass with these settings: name=(type, setting)."""
    types = {field: kind for field, (kind, _) in fields.items()}
    values = {field: value for field, (_, value) in fields.items()}
    return dataclass(frozen=True)(type(name, (), {"__annotations__": types, **values}))


def test_one_setting_may_be_declared_alike_by_two_classes(read):
    one = declaring("One", size=(int, setting(3, "of one")))
    other = declaring("Other", size=(int, setting(3, "of the other")))
    found = read("--size=4", classes=(one, other))
    assert (found.build(one).size, found.build(other).size) == (4, 4)


@pytest.mark.parametrize(
    "twin",
    [
        (str, setting("3", "another type")),
        (float, setting(3, "another type, an equal default")),
        (int, setting(4, "another default")),
        (Mapping[str, str], setting({}, "a mapping")),
    ],
    ids=["type", "type alone", "default", "mapping"],
)
def test_one_setting_declared_differently_by_two_classes_is_an_error_that_names_both(read, twin):
    one = declaring("One", size=(int, setting(3, "of one")))
    other = declaring("Other", size=twin)
    with pytest.raises(DeclarationError, match=r"'size' has different declarations in One .*and Other"):
        read(classes=(one, other))


@pytest.mark.parametrize("difference", [{"env": "OTHER_SIZE"}, {"most": 5}, {"secret": True}], ids=repr)
def test_one_setting_with_other_rules_is_declared_differently(read, difference):
    one = declaring("One", size=(int, setting(3, "of one")))
    other = declaring("Other", size=(int, setting(3, "of the other", **difference)))
    with pytest.raises(DeclarationError, match=r"'size' has different declarations in One .*and Other"):
        read(classes=(one, other))


@pytest.mark.parametrize("taken", ["sqs_endpoint", "config", "const_path", "help"])
def test_a_setting_with_the_name_of_another_option_is_an_error_that_names_it(read, taken):
    route = declaring("Mine", **{taken: (str, setting("", "of a route"))})
    with pytest.raises(DeclarationError, match=rf"{taken}.*Mine|Mine.*{taken}"):
        read(classes=(Settings, route))


def test_errors_of_settings_have_the_exit_code_of_usage(read):
    with pytest.raises(SettingsError) as caught:
        read("--colour=blue")
    assert caught.value.exit_code == 2
