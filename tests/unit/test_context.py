"""The clients of a context: injected, or created on first use and closed at the end."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from service.clients.factories import make_aws_client, make_search_client
from service.context import Context
from service.errors import SettingsError
from service.settings import Settings

LOCAL = Settings(aws_endpoint_url="http://127.0.0.1:4566")


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """Remove the credentials of the developer."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class Client:
    closed = False

    def close(self):
        self.closed = True


def test_a_client_that_is_handed_in_is_used_and_not_closed():
    mine = Client()
    with Context(s3=mine, search=mine) as context:
        assert context.s3 is mine
        assert context.search is mine
    assert not mine.closed


def test_a_client_is_made_once_and_closed_at_the_end(monkeypatch):
    made = []

    def make(settings, service):
        made.append(Client())
        return made[-1]

    monkeypatch.setattr("service.context.make_aws_client", make)
    with Context() as context:
        assert context.dynamodb is context.dynamodb
        assert context.during(None).dynamodb is context.dynamodb
    assert [client.closed for client in made] == [True]


def test_the_time_left_is_the_lambdas_and_endless_elsewhere():
    parent = SimpleNamespace(get_remaining_time_in_millis=lambda: 1500)
    assert Context().remaining_time() == math.inf
    assert Context(parent=parent).remaining_time() == 1.5
    assert Context().during(parent).remaining_time() == 1.5


def test_an_emulator_on_this_machine_needs_neither_credentials_nor_region():
    for service in ("dynamodb", "dynamodb_streams", "s3", "sqs"):
        client = make_aws_client(LOCAL, service)
        assert client.meta.endpoint_url == "http://127.0.0.1:4566"
        assert client._request_signer._credentials.access_key == "streamdex"
        client.close()


def test_credentials_that_are_set_are_used_for_an_emulator_too():
    settings = Settings(
        aws_endpoint_url="http://localhost:4566",
        aws_access_key_id="mine",
        aws_secret_access_key="s",
        region="eu-west-1",
    )
    client = make_aws_client(settings, "s3")
    assert client._request_signer._credentials.access_key == "mine"
    assert client.meta.region_name == "eu-west-1"
    client.close()


def test_aws_itself_is_never_asked_with_made_up_credentials():
    client = make_aws_client(Settings(region="eu-west-1"), "dynamodb")
    assert client._request_signer._credentials is None
    client.close()


def test_an_endpoint_of_one_service_goes_before_the_one_for_all():
    settings = Settings(aws_endpoint_url="http://127.0.0.1:1", aws_endpoint_url_sqs="http://127.0.0.1:2")
    ports = {service: make_aws_client(settings, service) for service in ("s3", "sqs")}
    assert ports["s3"].meta.endpoint_url.endswith(":1")
    assert ports["sqs"].meta.endpoint_url.endswith(":2")
    for client in ports.values():
        client.close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:9200", "ftp://x"])
def test_a_search_url_that_is_missing_or_odd_is_an_error_in_settings(url):
    with pytest.raises(SettingsError, match="SEARCH_URL"):
        make_search_client(Settings(search_url=url))


def test_an_endpoint_that_is_no_address_is_an_error_in_settings():
    with pytest.raises(SettingsError, match="s3"):
        make_aws_client(Settings(aws_endpoint_url="nonsense", region="eu-west-1"), "s3")


def test_signing_needs_credentials_and_a_region():
    settings = Settings(search_url="https://search.test", search_auth="sigv4", region="eu-west-1")
    with pytest.raises(SettingsError, match="credentials"):
        make_search_client(settings)
    settings = Settings(
        search_url="https://search.test", search_auth="sigv4", aws_access_key_id="k", aws_secret_access_key="s"
    )
    with pytest.raises(SettingsError, match="region"):
        make_search_client(settings)


def test_tls_is_verified_unless_told_otherwise():
    for verified in (True, False):
        client = make_search_client(Settings(search_url="https://search.test", search_verify_certs=verified))
        pool = client.transport.get_connection().pool
        assert pool.cert_reqs == ("CERT_REQUIRED" if verified else "CERT_NONE")
        client.close()


def test_a_profile_for_aws_itself_does_not_matter_to_an_emulator(monkeypatch):
    for profile in ("absent", ""):
        monkeypatch.setenv("AWS_PROFILE", profile)
        client = make_aws_client(Settings(aws_endpoint_url="http://127.0.0.1:1", aws_profile=profile), "s3")
        assert client._request_signer._credentials.access_key == "streamdex"
        client.close()


def test_no_proxy_stands_between_us_and_an_emulator(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:1")
    client = make_aws_client(LOCAL, "dynamodb")
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:4566") is None
    client.close()


@pytest.mark.parametrize("url", ["http://", "http://h:bad", "http://[::1", "https://:9200", "http://h:99999"])
def test_an_address_that_cannot_be_one_is_an_error_in_settings(url):
    with pytest.raises(SettingsError, match="SEARCH_URL"):
        make_search_client(Settings(search_url=url))
