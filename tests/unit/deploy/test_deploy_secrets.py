"""The secrets of a deployment: read from a file, and written only to the Parameter Store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.deploy.secrets import ParameterStore, for_deployment, for_service, read_secrets
from service.bootstrap.selection import choose
from service.errors import SettingsError

SECRET = "hunter2 = '#'"


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


def test_a_file_of_secrets_is_read_as_a_shell_would(tmp_path):
    file = tmp_path / "secrets.env"
    file.write_text(f'# a comment\n\nexport SEARCH_PASSWORD="{SECRET}"\nAWS_PROFILE=lab\nTF_VAR_x=1\nEMPTY=\n')
    secrets = read_secrets(file)
    assert for_service(secrets) == {"SEARCH_PASSWORD": SECRET}
    assert for_deployment(secrets) == {"AWS_PROFILE": "lab", "TF_VAR_x": "1"}
    assert read_secrets(tmp_path / "none.env") == {}


def test_a_line_that_is_wrong_is_named_without_what_it_holds(tmp_path):
    file = tmp_path / "secrets.env"
    file.write_text(f"A=1\n{SECRET}\n")
    with pytest.raises(SettingsError, match="line 2: expected NAME=value") as caught:
        read_secrets(file)
    assert "hunter2" not in str(caught.value)


def test_parameters_are_encrypted_changed_and_removed_and_a_second_time_nothing_is(ssm):
    store = ParameterStore(ssm, "/streamdex-lab")
    assert store.keep({"A": "1", "B": "2"}) == ["A", "B"]
    assert store.keep({"A": "1", "B": "2"}) == []
    assert ssm.get_parameter(Name="/streamdex-lab/A")["Parameter"]["Type"] == "SecureString"
    assert store.keep({"B": "3"}) == ["B", "A"]
    assert store.read() == {"B": "3"}


def test_the_service_reads_its_secrets_there_and_variables_win(ssm):
    ParameterStore(ssm, "/streamdex-lab").keep({"SEARCH_PASSWORD": SECRET, "SEARCH_USER": "kept"})
    environment = {"STREAMDEX_SECRETS": "/streamdex-lab", "AWS_DEFAULT_REGION": "us-east-1", "SEARCH_USER": "set"}
    settings = choose(environment=environment).settings
    assert (settings.search_user, settings.search_password) == ("set", SECRET)


def test_secrets_that_cannot_be_read_are_said_with_what_it_takes(monkeypatch):
    environment = {
        "STREAMDEX_SECRETS": "/streamdex-lab",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SettingsError, match=r"/streamdex-lab/ .* ssm:GetParametersByPath"):
        choose(environment=environment)
