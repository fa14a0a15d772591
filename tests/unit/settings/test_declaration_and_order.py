"""The order file < environment < command line, and all spellings of a setting, from one declaration."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.errors import DeclarationError, SettingsError
from service.settings import Settings, setting
from service.settings.reading import read_configuration


@dataclass(frozen=True)
class Sample:
    """One setting of each type."""

    label: str = setting("plain", "a text")
    count: int = setting(1, "a number", env="SAMPLE_COUNT", least=1, most=10)
    ratio: float = setting(0.5, "a fraction", least=0)
    ready: bool = setting(True, "a switch")
    parts: tuple[str, ...] = setting((), "a list")
    pairs: Mapping[str, str] = setting({}, "a mapping")
    delimiter: str = setting(",", "a text", aliases=("column_separator",))


def sample(read, *arguments, **given):
    return read(*arguments, classes=(Sample,), **given).build(Sample)


def origins(read, *arguments, **given):
    return {shown.name: shown.origin for shown in read(*arguments, **given).shown()}


def test_without_anything_given_each_setting_has_its_default(read):
    assert sample(read) == Sample()
    assert read().build(Settings) == Settings()


def test_environment_beats_file_and_command_line_beats_both(read):
    file, env = "group: from-file", {"STREAMDEX_GROUP": "from-env"}
    assert read(file=file).build(Settings).group == "from-file"
    assert read(file=file, env=env).build(Settings).group == "from-env"
    assert read("--group=from-cli", file=file, env=env).build(Settings).group == "from-cli"


def test_the_command_line_beats_the_file_wherever_the_file_is_named(read, empty_folder):
    (empty_folder / "a.yml").write_text("group: from-file")
    assert read("--group=cli", "--config=a.yml").build(Settings).group == "cli"
    assert read("--config=a.yml", "--group=cli").build(Settings).group == "cli"


@pytest.mark.parametrize("option", ["--config", "--const-path", "--const_path"])
def test_the_file_is_named_in_either_way(read, empty_folder, option):
    (empty_folder / "my.yml").write_text("group: from-file")
    assert read(option, "my.yml").build(Settings).group == "from-file"
    assert read(f"{option}=my.yml").build(Settings).group == "from-file"


@pytest.mark.parametrize("path", ["const.yml", "config/streamdex.yml"])
def test_a_file_in_its_usual_place_is_read_unasked_and_a_named_one_beats_it(read, empty_folder: Path, path):
    (empty_folder / path).parent.mkdir(exist_ok=True)
    (empty_folder / path).write_text("group: usual\nsearch_user: usual")
    found = read(file="group: named").build(Settings)
    assert (found.group, found.search_user) == ("named", "usual")


@pytest.mark.parametrize("option", ["--search-url", "--search_url"])
def test_an_option_may_be_written_with_dashes_or_underscores(read, option):
    assert read(option, "http://search").build(Settings).search_url == "http://search"
    assert read(f"{option}=http://search").build(Settings).search_url == "http://search"


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["--sqs_endpoint", "http://sqs"], {}),
        (["--sqs-endpoint=http://sqs"], {}),
        (["--aws_endpoint_url_sqs=http://sqs"], {}),
        ([], {"env": {"SQS_ENDPOINT": "http://sqs"}}),
        ([], {"env": {"AWS_ENDPOINT_URL_SQS": "http://sqs"}}),
        ([], {"file": "sqs_endpoint: http://sqs"}),
        ([], {"file": "sqs-endpoint: http://sqs"}),
        ([], {"file": "aws_endpoint_url_sqs: http://sqs"}),
    ],
)
def test_an_alias_is_an_option_a_variable_and_a_key_of_the_file(read, arguments, given):
    assert read(*arguments, **given).build(Settings).aws_endpoint_url_sqs == "http://sqs"


def test_the_variable_of_the_declared_name_beats_that_of_an_alias(read):
    env = {"SQS_ENDPOINT": "http://alias", "AWS_ENDPOINT_URL_SQS": "http://name"}
    assert read(env=env).build(Settings).aws_endpoint_url_sqs == "http://name"


def test_an_alias_in_the_environment_beats_the_declared_name_in_the_file(read):
    found = read(env={"SQS_ENDPOINT": "http://env"}, file="aws_endpoint_url_sqs: http://file").build(Settings)
    assert found.aws_endpoint_url_sqs == "http://env"


def test_an_alias_on_the_command_line_beats_the_declared_variable(read):
    found = read("--sqs_endpoint=http://cli", env={"AWS_ENDPOINT_URL_SQS": "http://env"}).build(Settings)
    assert found.aws_endpoint_url_sqs == "http://cli"


def test_a_setting_without_a_variable_of_its_own_has_its_name_in_capitals(read):
    assert sample(read, env={"LABEL": "a", "COLUMN_SEPARATOR": ";"}) == Sample(label="a", delimiter=";")


def test_an_empty_variable_is_one_that_is_not_set(read):
    env = {"SAMPLE_COUNT": "", "READY": "", "LABEL": "", "DELIMITER": "", "COLUMN_SEPARATOR": "!"}
    assert sample(read, env=env, file="label: from-file") == Sample(label="from-file", delimiter="!")


def test_each_type_is_read_from_text(read):
    env = {
        "LABEL": " spaces stay ",
        "SAMPLE_COUNT": "7",
        "RATIO": "1e-3",
        "READY": "no",
        "PARTS": "a, b,,c",
        "PAIRS": "table/images=images-lab, bucket/in=a=b",
    }
    assert sample(read, env=env) == Sample(
        " spaces stay ", 7, 0.001, False, ("a", "b", "c"), {"table/images": "images-lab", "bucket/in": "a=b"}
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("Yes", True), ("ON", True), ("1", True), ("false", False), ("no", False), ("0", False)],
)
def test_a_switch_is_read_from_the_usual_words(read, text, value):
    assert sample(read, f"--ready={text}").ready is value


@pytest.mark.parametrize("text", ["-hunter2", "--group", "@file", "[1]", "a=b", "%s", "--group=x"])
def test_a_value_from_the_environment_is_never_taken_for_an_option(read, text):
    found = read(env={"SEARCH_PASSWORD": text}).build(Settings)
    assert (found.search_password, found.group) == (text, Settings().group)


def test_where_each_value_came_from_is_reported(read, empty_folder):
    found = origins(
        read, "--search_user=u", "--func", "images", env={"LOG_LEVEL": "DEBUG"}, file="search:\n  url: http://s"
    )
    assert found["search_user"] == found["func"] == "command line"
    assert found["log_level"] == "environment LOG_LEVEL"
    assert found["search_url"] == f"file {empty_folder / 'given.yml'}"
    assert found["group"] == "default"


def test_the_winner_is_reported_as_the_origin(read):
    file, env = "group: from-file", {"STREAMDEX_GROUP": "from-env"}
    assert origins(read, file=file, env=env)["group"] == "environment STREAMDEX_GROUP"
    assert origins(read, "--group=x", file=file, env=env)["group"] == "command line"


def test_the_origin_is_the_variable_that_was_set_also_when_it_is_an_alias(read):
    found = origins(read, env={"SQS_ENDPOINT": "http://sqs"})["aws_endpoint_url_sqs"]
    assert found == "environment SQS_ENDPOINT"


def test_what_is_shown_is_every_setting_in_the_order_declared(read):
    shown = read("--parts=a,b", env={"PAIRS": "x=y", "READY": "off"}, classes=(Sample,)).shown()
    assert [row.name for row in shown] == ["label", "count", "ratio", "ready", "parts", "pairs", "delimiter"]
    assert [row.value for row in shown] == ["plain", "1", "0.5", "false", "a,b", "x=y", ","]
    assert shown[1].help == "a number"


def test_reading_never_touches_the_arguments_of_the_process(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "--group=from-argv", "--unknown", "--help"])
    assert read_configuration(Settings, environment={}).build(Settings).group == "streamdex"
    first = read_configuration(Settings, environment={}, strict=False)
    assert first.build(Settings).group == "streamdex"


def test_the_environment_of_the_process_is_read_where_none_is_given(monkeypatch):
    monkeypatch.setenv("STREAMDEX_GROUP", "from-process")
    assert read_configuration(Settings).build(Settings).group == "from-process"


def test_reading_does_not_change_the_environment_given(read):
    env = {"SQS_ENDPOINT": "http://sqs", "LOG_LEVEL": ""}
    read(env=env)
    assert env == {"SQS_ENDPOINT": "http://sqs", "LOG_LEVEL": ""}


def test_operands_are_the_words_that_are_no_options(read):
    found = read("--group", "g", "records.jsonl", operands=["FILE"])
    assert found.operands == ["records.jsonl"]
    assert found.build(Settings).group == "g"


def test_a_first_reading_leaves_unknown_options_and_keys_for_the_second(read):
    found = read("--of-a-route=1", "--help", file="of_another: 2\ngroup: x", strict=False).build(Settings)
    assert found.group == "x"


def test_the_settings_of_several_classes_stand_beside_each_other(read):
    found = read("--label=a", "--group=b", classes=(Settings, Sample))
    assert (found.build(Sample).label, found.build(Settings).group) == ("a", "b")


def test_a_field_without_a_description_is_an_error_that_names_it(read):
    @dataclass(frozen=True)
    class Forgot:
        size: int = 1

    with pytest.raises(DeclarationError, match=r"Forgot\.size is a field without a description"):
        read(classes=(Forgot,))


def test_a_type_that_text_cannot_give_is_an_error_that_names_it(read):
    @dataclass(frozen=True)
    class Odd:
        size: bytes = setting(b"", "raw")

    with pytest.raises(DeclarationError, match=r"Odd\.size"):
        read("--size=1", classes=(Odd,))


def test_a_class_that_is_no_dataclass_has_no_settings(read):
    class Plain:
        pass

    assert isinstance(read(classes=(Plain,)).build(Plain), Plain)


@pytest.mark.parametrize(
    ("arguments", "environment", "value"),
    [
        (["--create-indices"], {}, True),
        (["--create-indices=false"], {}, False),
        (["--create-indices", "false"], {}, False),
        ([], {"STREAMDEX_CREATE_INDICES": "false"}, False),
        (["--create-indices"], {"STREAMDEX_CREATE_INDICES": "false"}, True),
    ],
)
def test_a_setting_that_is_on_or_off_needs_no_value_to_be_on(arguments, environment, value):
    found = read_configuration(Settings, arguments=arguments, environment=environment).build(Settings)
    assert found.create_indices is value


@pytest.mark.parametrize(
    ("words", "ready"),
    [
        (["--ready", "recording.jsonl"], True),
        (["recording.jsonl", "--ready"], True),
        (["--ready", "no", "recording.jsonl"], False),
        (["--ready=no", "recording.jsonl"], False),
        (["--ready", "--count=2", "recording.jsonl"], True),
    ],
)
def test_the_word_behind_a_switch_is_its_value_only_if_it_can_be(read, words, ready):
    found = read(*words, classes=(Sample,), operands=("FILES",))
    assert (found.build(Sample).ready, found.operands) == (ready, ["recording.jsonl"])


@dataclass(frozen=True)
class CommandOptions:
    share: str = setting("", "a part of the rows")


def test_an_option_of_a_command_is_read_from_the_command_line_alone(read):
    given = {"classes": (CommandOptions,), "own": [CommandOptions], "env": {"SHARE": "1%"}}
    silent = read(**given)
    assert silent.build(CommandOptions).share == ""
    assert silent.shown() == []
    assert silent.environment() == {}
    with pytest.raises(SettingsError, match="share"):
        read(file="share: 1%", **given)
    assert read("--share=2%", **given).build(CommandOptions).share == "2%"
