"""Secrets: they appear in no list of settings, no help and no error."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from service.errors import DeclarationError, SettingsError
from service.settings import Settings, setting
from service.settings.options import MASK

SECRET = "hunter2"


@dataclass(frozen=True)
class Pins:
    pin: int = setting(0, "a number to keep", secret=True, least=1000, most=9999)
    realm: str = setting("a", "a choice to keep", secret=True, choices=("a", "b"))
    token: str = setting(SECRET, "a default to keep", secret=True)


def shown(read, *arguments, **given):
    return {row.name: row.value for row in read(*arguments, **given).shown()}


def error_of(read, *arguments, **given):
    with pytest.raises(SettingsError) as caught:
        read(*arguments, **given)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["search_password", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"]
)
def test_a_secret_is_masked_where_settings_are_shown(read, name):
    found = read(env={name.upper(): SECRET})
    assert {row.name: row.value for row in found.shown()}[name] == MASK
    assert getattr(found.build(Settings), name) == SECRET


def test_the_mask_says_nothing_of_the_length(read):
    assert shown(read, "--search_password=x") == shown(read, f"--search_password={SECRET * 9}")


def test_a_secret_that_is_not_set_is_shown_as_nothing(read):
    assert shown(read)["search_password"] == ""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://admin:hunter2@search:9200/x", f"https://admin:{MASK}@search:9200/x"),
        ("https://:hunter2@search", f"https://:{MASK}@search"),
        ("https://admin:at@hunter2@search", f"https://admin:{MASK}@search"),
        ("http://a:hunter2@x,http://b:hunter2@y", f"http://a:{MASK}@x,http://b:{MASK}@y"),
        ("https://search:9200/a@b", "https://search:9200/a@b"),
    ],
)
def test_the_password_in_an_address_is_masked_and_nothing_else(read, address, expected):
    assert shown(read, f"--search_url={address}")["search_url"] == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["--search-pasword", SECRET],
        [f"--search-pasword={SECRET}"],
        [f"--search-pasword=my {SECRET}"],
        ["--search-pasword", f"my {SECRET}"],
        ["search-password", SECRET],
        [SECRET, "--search-pasword"],
    ],
    ids=repr,
)
def test_a_mistyped_option_does_not_show_the_secret_behind_it(read, arguments):
    message = error_of(read, *arguments)
    assert SECRET not in message
    assert "unknown option" in message


@pytest.mark.parametrize(
    "arguments",
    [
        ["--search-pasword", f"-{SECRET}"],
        ["--search-pasword", f"-x{SECRET}"],
        ["--search-pasword", f"--{SECRET}"],
        ["--search-pasword", f"my -{SECRET}"],
        [f"--search-pasword=my -{SECRET}"],
    ],
    ids=repr,
)
def test_a_mistyped_option_does_not_show_a_secret_that_begins_with_a_dash(read, arguments):
    assert SECRET[1:] not in error_of(read, *arguments)


@pytest.mark.parametrize(
    "value", [SECRET, f"'my {SECRET}'", f"'my -{SECRET}'", f"-{SECRET}", f"[my, {SECRET}]", f"{{a: -{SECRET}}}"]
)
def test_a_mistyped_key_of_the_file_does_not_show_the_secret_behind_it(read, value):
    message = error_of(read, file=f"search_pasword: {value}")
    assert SECRET not in message
    assert "search_pasword" in message


@pytest.mark.parametrize("content", [f'"{SECRET}', f"{SECRET}: x", f"@{SECRET}", f"'{SECRET}' x", f"*{SECRET}"])
def test_a_file_that_is_not_yaml_does_not_show_the_secrets_in_it(read, content):
    message = error_of(read, file=f"group: g\nsearch_password: {content}\n")
    assert SECRET not in message
    assert "given.yml" in message
    assert "line" in message


def test_a_bad_value_of_a_secret_is_not_shown(read):
    message = error_of(read, f"--pin={SECRET}", classes=(Pins,))
    assert SECRET not in message
    assert "--pin" in message


def test_a_secret_that_is_no_choice_is_not_shown(read):
    message = error_of(read, f"--realm={SECRET}", classes=(Pins,))
    assert SECRET not in message
    assert "--realm" in message


@pytest.mark.parametrize("secret", ["777", "77777"])
def test_a_secret_out_of_its_range_is_not_shown(read, secret):
    message = error_of(read, f"--pin={secret}", classes=(Pins,))
    assert secret not in message
    assert "--pin" in message


def test_the_default_of_a_secret_is_not_in_the_help(read, capsys):
    with pytest.raises(SystemExit):
        read("--help", classes=(Pins,))
    printed = capsys.readouterr().out
    assert "a default to keep" in printed
    assert SECRET not in printed


def test_the_default_of_a_secret_is_not_in_the_error_of_two_declarations(read):
    @dataclass(frozen=True)
    class Other:
        token: str = setting("", "another default", secret=True)

    with pytest.raises(DeclarationError) as caught:
        read(classes=(Pins, Other))
    assert SECRET not in str(caught.value)
