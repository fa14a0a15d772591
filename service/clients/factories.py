"""Factories of clients. Client libraries are imported on first use, which keeps cold starts short."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from ..deadline import time_left
from ..errors import SettingsError
from ..settings import Settings

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "localhost.localstack.cloud"})

SERVICES = ("dynamodb", "dynamodb_streams", "s3", "sqs")
"""The AWS services in use, as named in settings."""

CONNECTIONS: Final = 256
"""The size of a connection pool for one server: the maximum number of threads that read one table or queue.

A connection is opened only if all others are in use. Connections beyond this number are closed after one request.
"""

CONNECT_TIMEOUT: Final = 2.0
"""The timeout of connecting to AWS in seconds. Botocore makes three attempts."""

READ_TIMEOUT: Final = 30.0
"""The timeout of a request to AWS in seconds."""

LONGEST_PAUSE: Final = 3.0
"""The longest backoff of botocore between its three attempts, in seconds."""

_SHORTEST: Final = 0.001

STAND_IN_REGION = "us-east-1"
STAND_IN_KEY = "streamdex"
"""The default credentials for an emulator on this machine, which accepts any credentials."""


def is_local(url: str) -> bool:
    """True if the address is on this machine. AWS itself never is, so the server is an emulator."""
    return is_address(url) and urlsplit(url).hostname in LOCAL_HOSTS


def is_address(url: str) -> bool:
    """True if this is an http or https URL with a host and a valid port or none."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def endpoint_of(settings: Settings, service: str) -> str:
    """Return the endpoint of an AWS service: its own setting, else the common setting, else "" (AWS itself)."""
    named: str = getattr(settings, f"aws_endpoint_url_{service}", "")
    return named or settings.aws_endpoint_url


def make_session(settings: Settings, local: bool) -> Any:
    """Return a boto3 session with the credentials of the settings; with `local`, by default the emulator's."""
    import boto3
    from botocore.session import Session

    # An emulator accepts any credentials. The AWS profile is ignored, because it may not exist on this machine.
    unprofiled = Session(session_vars={"profile": (None, None, None, None)}) if local else None
    region, key = (STAND_IN_REGION, STAND_IN_KEY) if local else (None, None)
    return boto3.Session(
        botocore_session=unprofiled,
        profile_name=None if local else settings.aws_profile or None,
        region_name=settings.region or region,
        aws_access_key_id=settings.aws_access_key_id or key,
        aws_secret_access_key=settings.aws_secret_access_key or key,
        aws_session_token=settings.aws_session_token or None,
    )


def make_aws_client(settings: Settings, service: str) -> Any:
    """Return a boto3 client of `dynamodb`, `dynamodb_streams`, `s3`, `sqs`, `ssm` or `opensearchserverless`.

    Raises SettingsError for an invalid endpoint.
    """
    from botocore.config import Config

    endpoint = endpoint_of(settings, service)
    local = is_local(endpoint)
    session = make_session(settings, local)
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "max_attempts": 3},
        # Locally, host names that contain the bucket's name do not resolve, and a proxy cannot reach localhost.
        s3={"addressing_style": "path"} if local else {},
        proxies={} if local else None,
    )
    try:
        client = session.client(service.replace("_", ""), endpoint_url=endpoint or None, config=config)
    except ValueError as error:
        raise SettingsError(f"invalid endpoint of {service}: {error}") from error
    client.meta.events.register("before-send", _limit)
    client.meta.events.register("needs-retry", _stop_retrying)
    return client


def _limit(request: Any, **_: Any) -> None:
    """Make a request to AWS end at the current deadline. Botocore reads the timeout from the request's context."""
    left = time_left()
    if left < READ_TIMEOUT and request.context is not None:
        request.context["read_timeout"] = max(left, _SHORTEST)


def _stop_retrying(caught_exception: Exception | None = None, **_: Any) -> None:
    """Raise the error of a request if no time is left to retry it, as botocore does after its last attempt."""
    if caught_exception is not None and time_left() < LONGEST_PAUSE:
        raise caught_exception


def make_search_client(settings: Settings) -> Any:
    """Return a client of SEARCH_URL with the interface of opensearch-py. Raises SettingsError if it is not set.

    The client does not retry, because the sink must know which actions were applied. For an address with
    credentials or a query, opensearch-py's own client is returned.
    """
    if not settings.search_url:
        raise SettingsError(
            "SEARCH_URL is not set. Set it to the URL of the search server, such as http://127.0.0.1:9200"
        )
    if not is_address(settings.search_url):
        raise SettingsError("SEARCH_URL must be a URL such as http://127.0.0.1:9200")
    parts = urlsplit(settings.search_url)
    if "@" in parts.netloc or parts.query:
        return make_opensearch(settings)
    from urllib3 import make_headers

    from .search import SearchClient, Signer

    signer = make_signer(settings) if settings.search_auth == "sigv4" else None
    user = f"{settings.search_user}:{settings.search_password}" if settings.search_auth == "basic" else None
    headers = make_headers(keep_alive=True, basic_auth=user)
    return SearchClient(
        make_pool(settings),
        headers,
        parts.path.rstrip("/"),
        partial(make_opensearch, settings),
        settings.search_timeout,
        compress=settings.search_compress,
        sign=signer and Signer(signer, f"{parts.scheme}://{parts.netloc}"),
    )


def make_pool(settings: Settings) -> Any:
    """Return a urllib3 connection pool for the search server, with the TLS rules of opensearch-py."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, disable_warnings

    from .search.timed_connections import TimedConnection, TimedTLSConnection

    parts = urlsplit(settings.search_url)
    host = str(parts.hostname)
    if parts.scheme == "http":
        plain = HTTPConnectionPool(host, parts.port or 80, maxsize=CONNECTIONS)
        plain.ConnectionCls = TimedConnection
        return plain
    options: dict[str, Any] = {"cert_reqs": "CERT_NONE"}
    if settings.search_verify_certs:
        from certifi import where

        # SSL_CERT_FILE is OpenSSL's own variable.
        trusted = settings.search_ca_certs or os.environ.get("SSL_CERT_FILE") or where()
        options = {"cert_reqs": "CERT_REQUIRED", "ca_certs": trusted}
    else:
        disable_warnings()
    secure = HTTPSConnectionPool(host, parts.port or 443, maxsize=CONNECTIONS, **options)
    secure.ConnectionCls = TimedTLSConnection
    return secure


def make_opensearch(settings: Settings) -> Any:
    """Return an opensearch-py client that does not retry."""
    from opensearchpy import OpenSearch

    from .search.bounded_connections import AnswerReader, BoundedConnection, BoundedSignedConnection

    options: dict[str, Any] = {
        "hosts": [settings.search_url],
        "serializer": AnswerReader(),
        "timeout": settings.search_timeout,
        "max_retries": 0,
        "retry_on_timeout": False,
        "pool_maxsize": CONNECTIONS,
        "http_compress": settings.search_compress,
        "connection_class": BoundedConnection,
    }
    if urlsplit(settings.search_url).scheme == "https":
        options["verify_certs"] = settings.search_verify_certs
        options["ssl_show_warn"] = settings.search_verify_certs
        options["ca_certs"] = settings.search_ca_certs or None
    if settings.search_auth == "basic":
        options["http_auth"] = (settings.search_user, settings.search_password)
    elif settings.search_auth == "sigv4":
        options["http_auth"] = make_signer(settings)
        options["connection_class"] = BoundedSignedConnection
    return OpenSearch(**options)


def make_signer(settings: Settings) -> Any:
    """Return the SigV4 signer of requests to a domain (`es`) or a serverless collection (`aoss`).

    Credentials and a region in the settings are used without botocore; those of a Lambda are valid for its whole
    life. Otherwise botocore finds them, and renews temporary credentials before they expire. Raises SettingsError
    without credentials or region.
    """
    from requests_aws4auth import AWS4Auth

    if settings.aws_access_key_id and settings.aws_secret_access_key and settings.region:
        return AWS4Auth(
            settings.aws_access_key_id,
            settings.aws_secret_access_key,
            settings.region,
            settings.search_service,
            session_token=settings.aws_session_token or None,
        )
    session = make_session(settings, local=False)
    credentials = session.get_credentials()
    if credentials is None:
        raise SettingsError("search_auth=sigv4 requires AWS credentials, but none were found. Configure them.")
    if not session.region_name:
        raise SettingsError("search_auth=sigv4 requires a region. Set AWS_DEFAULT_REGION.")
    return AWS4Auth(
        region=session.region_name, service=settings.search_service, refreshable_credentials=credentials
    )
