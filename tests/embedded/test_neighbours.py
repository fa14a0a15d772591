"""Foreign servers stay untouched: a cluster that no setting names, and any server that is not an emulator."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import sys
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from deployments import Deployment, ask, aws_client

from infra.shim import commands
from infra.shim.embedded_servers import embedded_aws
from infra.shim.probes import emulator_at, free_port, search_server_at
from infra.shim.provision import provision
from infra.shim.world import find_or_start
from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.errors import SettingsError, Unreachable
from service.settings import Settings

LOCALSTACK = {"/_localstack/health": {"services": {"s3": "running"}, "version": "4.0.3"}}
MINISTACK = LOCALSTACK | {"/_ministack/health": {"status": "ok"}}
ELASTIC = {"/": {"cluster_name": "payroll", "version": {"number": "7.10.2"}}}


@contextmanager
def server(
    answers: dict[str, Any], name: str = "Test", post: bytes | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Run a server with fixed answers. Yield its port and the requests that it received."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        server_version = name

        def do_GET(self) -> None:
            self._answer(answers.get(self.path))

        def do_POST(self) -> None:
            self._answer(None)

        do_PUT = do_DELETE = do_HEAD = do_POST

        def _answer(self, found: Any) -> None:
            seen.append(f"{self.command} {self.path}")
            body = json.dumps(found).encode() if found is not None else (post or b"who are you")
            self.send_response(200 if found is not None else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield listening.server_port, seen
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def world(settings: Settings | None = None, **ports: int) -> Any:
    free = {"aws_port": free_port(), "search_port": free_port()}
    return find_or_start(replace(settings or Settings(), **{**free, **ports}))


def test_what_is_no_emulator_on_the_aws_port_is_left_alone():
    with server({"/": {"hello": 1}}) as (port, seen):
        with (
            pytest.raises(SettingsError, match=rf"port {port}.*left alone.*AWS_PORT={port + 1}"),
            world(aws_port=port),
        ):
            pass
        assert all(request.startswith(("GET ", "POST /")) for request in seen)
        assert not [request for request in seen if request.startswith(("PUT", "DELETE"))]


def test_a_cluster_that_nobody_named_is_named_and_left_alone():
    with server(ELASTIC) as (port, seen):
        who, beside = r"Elasticsearch 7\.10\.2, cluster 'payroll'", rf"AWS_PORT=\d+ SEARCH_PORT={port + 1}"
        expected = rf"{who}, .*SEARCH_URL=\S+:{port}.*{beside}"
        with pytest.raises(SettingsError, match=expected), world(search_port=port):
            pass
        assert seen == ["GET /"]


def test_a_real_search_server_that_nobody_named_keeps_what_it_had(search_url):
    ask("PUT", f"{search_url}/precious/_doc/1", {"keep": True})
    before = ask("GET", f"{search_url}/_stats/docs,indexing")["indices"]["precious"]
    with pytest.raises(SettingsError, match="left alone"), world(search_port=int(search_url.rpartition(":")[2])):
        pass
    assert ask("GET", f"{search_url}/_stats/docs,indexing")["indices"]["precious"] == before
    ask("DELETE", f"{search_url}/precious")


def test_something_else_on_the_search_port_is_left_alone():
    with server({}) as (port, _), pytest.raises(SettingsError, match="no search server"), world(search_port=port):
        pass


@pytest.mark.parametrize(("answers", "name"), [(LOCALSTACK, "LocalStack 4.0.3"), (MINISTACK, "MiniStack")])
def test_an_emulator_that_is_found_running_is_used(answers, name, search_url):
    settings = Settings(search_url=search_url)
    with server(answers) as (port, _), world(settings, aws_port=port) as found:
        assert name in found.aws
        assert found.settings.aws_endpoint_url == f"http://127.0.0.1:{port}"
        assert found.emulated


def test_dynamodb_local_is_known_by_its_manners():
    words = b'{"__type":"com.amazonaws.dynamodb.v20120810#UnrecognizedClientException"}'
    with server({}, name="Jetty(12)", post=words) as (port, _):
        assert emulator_at(f"http://127.0.0.1:{port}") == "DynamoDB Local"
    with server({}, post=words) as (port, _):
        assert emulator_at(f"http://127.0.0.1:{port}") == ""


def test_moto_is_known(aws_url, search_url):
    assert emulator_at(aws_url) == "moto"
    assert emulator_at(search_url) == ""
    assert search_server_at(aws_url) == ""


def test_an_endpoint_that_is_named_and_no_emulator_is_used_but_nothing_is_created_there(search_url):
    with server({}) as (port, seen):
        named = Settings(aws_endpoint_url=f"http://127.0.0.1:{port}", search_url=search_url)
        with world(named) as found:
            assert not found.emulated
            assert "not an emulator" in found.aws
        assert not [request for request in seen if request.startswith(("PUT", "DELETE"))]


def test_a_search_server_that_is_named_and_does_not_answer_is_told():
    settings = Settings(search_url=f"http://user:secret@127.0.0.1:{free_port()}")
    with server(LOCALSTACK) as (port, _):
        with pytest.raises(Unreachable, match="SEARCH_URL") as caught, world(settings, aws_port=port):
            pass
        assert "secret" not in str(caught.value)


def test_an_aws_endpoint_that_is_named_and_does_not_answer_is_told(search_url):
    settings = Settings(search_url=search_url, aws_endpoint_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable, match="AWS_ENDPOINT_URL"), world(settings):
        pass


def test_a_platform_without_embedded_search_needs_search_url(monkeypatch):
    monkeypatch.setitem(sys.modules, "osmem_server", None)
    refused = pytest.raises(SettingsError, match="SEARCH_URL")
    with server(LOCALSTACK) as (port, _), refused, world(aws_port=port):
        pass


def test_nothing_is_created_while_one_service_is_elsewhere_than_at_an_emulator(search_url):
    with server({}) as (port, seen):
        settings = Settings(search_url=search_url, aws_endpoint_url_s3=f"http://127.0.0.1:{port}")
        with world(settings) as found:
            assert not found.emulated
        assert not [request for request in seen if request.startswith(("PUT", "DELETE"))]


def test_user_and_password_in_the_address_reach_the_search_server(search_url):
    address = search_url.replace("://", "://admin:secret@")
    with server(LOCALSTACK) as (port, _), world(Settings(search_url=f"{address}/"), aws_port=port) as found:
        assert "OpenSearch" in found.search
        assert "secret" not in found.search
        assert found.settings.search_url == address


def test_what_does_not_speak_http_is_left_alone():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                    connection.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        with pytest.raises(SettingsError, match="left alone"), world(aws_port=port):
            pass
        with pytest.raises(SettingsError, match="left alone"), world(search_port=port):
            pass
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_embedded_server_without_its_port_is_not_mistaken_for_the_server_that_has_it(aws_url):
    port = int(aws_url.rpartition(":")[2])
    with pytest.raises(Unreachable, match="embedded AWS server exited"), embedded_aws(port):
        pass


def test_what_others_are_told_of_a_bucket_stays_as_it_is(deployment: Deployment):
    s3, bucket = deployment.s3, f"{deployment.bucket}-shared"
    topic = aws_client(deployment.aws_url, "sns").create_topic(Name="others")["TopicArn"]
    s3.create_bucket(Bucket=bucket)
    told = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    settings = replace(deployment.settings, names={**deployment.settings.names, "bucket/images-in": bucket})
    with App(settings, [Images(), ImageUploads()]) as app:
        for _ in range(2):
            provision(app)
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert [entry["TopicArn"] for entry in found["TopicConfigurations"]] == [topic]
    assert len(found["QueueConfigurations"]) == 1


def test_a_fifo_queue_can_be_read_too(deployment: Deployment):
    queue = f"{deployment.queue}.fifo"
    with App(replace(deployment.settings, read_queue=(queue,)), [Images()]) as app:
        provision(app)
    assert (
        len(aws_client(deployment.aws_url, "sqs").list_queues(QueueNamePrefix=deployment.queue)["QueueUrls"]) == 4
    )


def test_a_pattern_of_tables_leaves_out_those_without_a_stream(deployment: Deployment):
    class Everything(Images):
        table: ClassVar = f"{deployment.table}*"

    bare = f"{deployment.table}-bare"
    aws_client(deployment.aws_url, "dynamodb").create_table(
        TableName=bare,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with App(replace(deployment.settings, names={}), [Everything()]) as app:
        assert app.tables() == [deployment.table]


def test_the_service_s_own_pages_move_aside_for_a_neighbour_unless_their_port_was_chosen(monkeypatch):
    monkeypatch.setattr(commands, "is_taken", lambda port: True)
    assert commands.at_a_desk(Settings()).page_port not in (0, 8080)
    assert commands.at_a_desk(Settings(page_port=8181)).page_port == 8181
    monkeypatch.setattr(commands, "is_taken", lambda port: False)
    assert commands.at_a_desk(Settings()).page_port == 8080


def test_the_batch_in_hand_has_less_time_at_a_desk_unless_that_is_set():
    assert commands.at_a_desk(Settings()).stop_timeout < Settings().stop_timeout
    assert commands.at_a_desk(Settings(stop_timeout=9)).stop_timeout == 9


def test_a_run_with_an_embedded_aws_keeps_positions_for_as_long_as_that_lasts(tmp_path):
    """The streams end with the embedded server. With old checkpoints, the next run would report a gap."""
    ports = {"aws_port": free_port(), "search_port": free_port()}
    with find_or_start(Settings(**ports), searches=False) as world:
        folder = Path(world.settings.checkpoints).parent
        assert folder.is_dir()
        assert world.settings.checkpoints != Settings().checkpoints
    assert not folder.exists()
    named = str(tmp_path / "named.sqlite")
    with find_or_start(Settings(**ports, checkpoints=named), searches=False) as world:
        assert world.settings.checkpoints == named


class Piped(Images):
    pipelines: ClassVar = {"embed": {"processors": [{"set": {"field": "v", "value": 1}}]}}


@pytest.mark.parametrize("route", [Images, Piped])
def test_the_embedded_search_server_has_pipelines_where_routes_use_them(route: type[Images]):
    chosen: Any = SimpleNamespace(routes=[route()])
    ports = {"aws_port": free_port(), "search_port": free_port()}
    with find_or_start(Settings(**ports), **commands.needs(chosen)) as world:
        url = f"{world.settings.search_url}/_ingest/pipeline"
        if route is Images:
            with pytest.raises(urllib.error.HTTPError, match="400"):
                ask("GET", url)
        else:
            assert world.search.endswith("embedded (osmem, with pipelines)")
            ask("PUT", f"{url}/embed", Piped.pipelines["embed"])
            assert ask("GET", url) == Piped.pipelines
