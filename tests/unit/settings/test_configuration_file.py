"""The configuration file: YAML, with nesting only for readability."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from service.errors import SettingsError
from service.settings import Settings, setting


@dataclass(frozen=True)
class Database:
    """Settings: one with its section in its name, one without, and one of each type."""

    den_host: str = setting("", "the server")
    port: int = setting(0, "its port")
    ready: bool = setting(True, "a switch")
    ratio: float = setting(0.5, "a fraction")
    parts: tuple[str, ...] = setting((), "a list")
    pairs: Mapping[str, str] = setting({}, "a mapping")


def database(read, file):
    return read(file=file, classes=(Database,)).build(Database)


def test_nested_keys_are_joined_where_that_is_a_setting_and_else_the_innermost_counts(read):
    assert database(read, "den: {host: h, port: 5432}") == Database(den_host="h", port=5432)


def test_nesting_may_be_as_deep_as_the_reader_likes(read):
    assert database(read, "the:\n  whole:\n    story:\n      port: 1\n      den-host: h") == Database("h", 1)


def test_keys_may_be_written_with_dashes_or_underscores(read):
    assert database(read, "den-host: h").den_host == database(read, "den_host: h").den_host == "h"


def test_values_are_of_the_type_declared(read):
    file = "port: 7\nready: off\nratio: 1.5\nparts: [a, b]\npairs: {x: y}\nden_host: 2026-11-22"
    assert database(read, file) == Database("2026-11-22", 7, False, 1.5, ("a", "b"), {"x": "y"})


def test_a_list_may_also_be_text_with_commas(read):
    assert database(read, "parts: a, b").parts == ("a", "b")


def test_names_map_logical_names_to_what_exists(read):
    file = "names:\n  bucket/images-in: acme-lab-images-in\n  table/images: images-lab\n"
    expected = {"bucket/images-in": "acme-lab-images-in", "table/images": "images-lab"}
    assert read(file=file).build(Settings).names == expected
    env = {"STREAMDEX_NAMES": "bucket/images-in=acme-lab-images-in,table/images=images-lab"}
    assert read(env=env).build(Settings).names == expected
    assert read("--names", env["STREAMDEX_NAMES"]).build(Settings).names == expected


def test_names_may_stand_in_a_section(read):
    found = read(file="deployment:\n  names:\n    table/images: images-lab").build(Settings)
    assert found.names == {"table/images": "images-lab"}


@pytest.mark.parametrize("file", ["", "# only a comment\n", "---\n", "port:\n", "den: {}\n", "names: {}"])
def test_a_file_or_a_key_without_content_changes_nothing(read, file):
    assert read(file=file, classes=(Settings, Database)).build(Database) == Database()
    assert read(file=file, classes=(Settings, Database)).build(Settings) == Settings()


def test_the_same_setting_twice_is_an_error_that_names_it(read):
    with pytest.raises(SettingsError, match="sets den_host twice"):
        database(read, "den: {host: a}\nden-host: b")


def test_a_setting_and_its_alias_are_the_same_setting(read):
    with pytest.raises(SettingsError, match="sets aws_endpoint_url_sqs twice"):
        read(file="sqs_endpoint: a\naws_endpoint_url_sqs: b")


def test_a_section_with_the_name_of_a_text_setting_is_flattened_like_any_other(read):
    found = read(file="checkpoints:\n  group: mine").build(Settings)
    assert (found.checkpoints, found.group) == (Settings().checkpoints, "mine")


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("colour: blue", "colour"),
        ("den: {colour: blue}", "den.colour"),
        ("den: {den_hots: h}", "den.den_hots"),
        ("1: x", "1"),
        ("Port: 1", "Port (did you mean port?)"),
        ("colour: [a, b]", "colour"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_it(read, file, named):
    with pytest.raises(SettingsError, match=rf"given\.yml: unknown key {re.escape(named)}"):
        database(read, file)


@pytest.mark.parametrize(
    ("file", "named"),
    [("port: many", "--port"), ("ready: maybe", "--ready"), ("pairs: x", "--pairs"), ("port: 1.5", "--port")],
)
def test_a_bad_value_is_an_error_that_names_its_setting(read, file, named):
    with pytest.raises(SettingsError, match=rf"argument {named}: .* is not of type"):
        database(read, file)


@pytest.mark.parametrize(
    "file",
    ["a: b: c", "[", "- a\n- b", "only words", "group: \x00"],
    ids=repr,
)
def test_what_is_no_mapping_in_yaml_is_an_error_that_names_the_file(read, file):
    with pytest.raises(SettingsError, match=r"given\.yml"):
        read(file=file)


def test_a_file_that_is_not_utf8_is_an_error_that_names_it(read):
    with pytest.raises(SettingsError, match=r"given\.yml"):
        read(file=b"group: \xff\xfe")


@pytest.mark.parametrize("text", ["2026-13-45", "2026-11-22", "0123", "1_000", "1:30", "on", "no", "1e3", "0x10"])
def test_a_text_is_what_the_file_says_and_not_what_yaml_makes_of_it(read, text):
    assert database(read, f"den: {{host: {text}}}").den_host == text


@pytest.mark.parametrize("path", ["missing.yml", "."])
def test_a_file_that_cannot_be_opened_is_an_error_that_names_it(read, path):
    with pytest.raises(SettingsError, match=rf"Unable to open config file: {re.escape(path)}"):
        read("--config", path)


def test_a_key_of_routes_that_are_not_chosen_is_only_told(read, caplog):
    read(file="delimiter: x", narrowed=True)
    assert "unknown key ignored" in caplog.text
    assert caplog.records[0].key == "delimiter"
