"""The clients of the outside world, made from settings. Each import is paid for by whoever needs it."""

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
"""The services of AWS that are used, as settings name them."""

CONNECTIONS: Final = 256
"""Connections to one server that are kept for the next request: as many as threads may read one table or queue.

They are opened one by one, when all that there are are in use. Beyond this number each request has one of its own.
"""

CONNECT_TIMEOUT: Final = 2.0
"""Seconds until a connection to AWS is given up; it is tried three times."""

READ_TIMEOUT: Final = 30.0
"""Seconds that a request to AWS waits for an answer, at the most."""

LONGEST_PAUSE: Final = 3.0
"""Seconds that botocore waits between its three tries, at the most."""

_SHORTEST: Final = 0.001

STAND_IN_REGION = "us-east-1"
STAND_IN_KEY = "streamdex"
"""What is presented to an emulator on this machine: it takes any credentials, so none need be set."""


def is_local(url: str) -> bool:
    """Whether an address is on this machine, where only an emulator can stand for AWS."""
    return is_address(url) and urlsplit(url).hostname in LOCAL_HOSTS


def is_address(url: str) -> bool:
    """Whether this is `http(s)://host`, perhaps with a port."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def endpoint_of(settings: Settings, service: str) -> str:
    """Where a service of AWS is: its own setting, else the one for all, else "" (AWS itself)."""
    named: str = getattr(settings, f"aws_endpoint_url_{service}", "")
    return named or settings.aws_endpoint_url


def make_session(settings: Settings, local: bool) -> Any:
    """A boto3 session with the credentials that are set, or with any where only an emulator is asked."""
    import boto3
    from botocore.session import Session

    if not local:
        return boto3.Session(
            profile_name=settings.aws_profile or None,
            region_name=settings.region or None,
            aws_access_key_id=settings.aws_access_key_id or None,
            aws_secret_access_key=settings.aws_secret_access_key or None,
            aws_session_token=settings.aws_session_token or None,
        )
    # An emulator takes any credentials: a profile that is set for AWS itself, and may not even be there,
    # is left out of it.
    unprofiled = Session(session_vars={"profile": (None, None, None, None)})
    return boto3.Session(
        botocore_session=unprofiled,
        region_name=settings.region or STAND_IN_REGION,
        aws_access_key_id=settings.aws_access_key_id or STAND_IN_KEY,
        aws_secret_access_key=settings.aws_secret_access_key or STAND_IN_KEY,
        aws_session_token=settings.aws_session_token or None,
    )


def make_aws_client(settings: Settings, service: str) -> Any:
    """A boto3 client for `dynamodb`, `dynamodb_streams`, `s3`, `sqs` or `opensearchserverless`."""
    from botocore.config import Config

    endpoint = endpoint_of(settings, service)
    local = is_local(endpoint)
    session = make_session(settings, local)
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "max_attempts": 3},
        # A bucket's name in the host's name does not resolve on a laptop, and no proxy leads back to it.
        s3={"addressing_style": "path"} if local else {},
        proxies={} if local else None,
    )
    try:
        client = session.client(service.replace("_", ""), endpoint_url=endpoint or None, config=config)
    except ValueError as error:
        raise SettingsError(f"the endpoint of {service}: {error}") from error
    client.meta.events.register("before-send", _limit)
    client.meta.events.register("needs-retry", _stop_retrying)
    return client


def _limit(request: Any, **_: Any) -> None:
    """Have a request to AWS end at the current deadline: botocore reads its time-out from the context."""
    left = time_left()
    if left < READ_TIMEOUT and request.context is not None:
        request.context["read_timeout"] = max(left, _SHORTEST)


def _stop_retrying(caught_exception: Exception | None = None, **_: Any) -> None:
    """Raise the error of a request that there is no time to send again, as botocore does after its last try."""
    if caught_exception is not None and time_left() < LONGEST_PAUSE:
        raise caught_exception


def make_search_client(settings: Settings) -> Any:
    """A client of SEARCH_URL, as opensearch-py's. Raises SettingsError where that is not set.

    It never retries by itself: what was applied and what was not is the sink's to know. An address with more than
    a server and a path goes through opensearch-py alone.
    """
    if not settings.search_url:
        raise SettingsError("SEARCH_URL is not set: name the search server, such as http://127.0.0.1:9200")
    if not is_address(settings.search_url):
        raise SettingsError("SEARCH_URL must be an address such as http://127.0.0.1:9200")
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
    """urllib3's connections to the search server, trusted as opensearch-py trusts them."""
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

        # The variable is OpenSSL's.
        trusted = settings.search_ca_certs or os.environ.get("SSL_CERT_FILE") or where()
        options = {"cert_reqs": "CERT_REQUIRED", "ca_certs": trusted}
    else:
        disable_warnings()
    secure = HTTPSConnectionPool(host, parts.port or 443, maxsize=CONNECTIONS, **options)
    secure.ConnectionCls = TimedTLSConnection
    return secure


def make_opensearch(settings: Settings) -> Any:
    """An opensearch-py client."""
    from opensearchpy import OpenSearch

    from .search.bounded_connections import BoundedConnection, BoundedSignedConnection
    from .search.json_serializer import AnswerReader

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
    """What signs each request to a domain (`es`) or a serverless collection (`aoss`) with SigV4.

    Those that the environment holds, as a Lambda's does for as long as it lives, need no botocore. Else it is what
    finds credentials, and renews temporary ones before they expire. Raises SettingsError without credentials or
    without a region.
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
        raise SettingsError("search_auth=sigv4 needs AWS credentials, and none were found")
    if not session.region_name:
        raise SettingsError("search_auth=sigv4 needs a region: set AWS_DEFAULT_REGION")
    return AWS4Auth(
        region=session.region_name, service=settings.search_service, refreshable_credentials=credentials
    )
