"""The image for AWS Lambda: it gets events from Lambda's runtime interface, on a read-only root."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployments import documents_of, drop
from engine import Image, running

EVENT = Path("tests/data/insert.json")


@contextmanager
def runtime_interface(event: str) -> Iterator[tuple[str, queue.Queue[tuple[str, Any]]]]:
    """Serve one event; yield the address and a queue of the responses, each as path and body.

    Source: "Lambda runtime API", AWS Lambda Developer Guide.
    """
    answers: queue.Queue[tuple[str, Any]] = queue.Queue()
    events = iter([event])
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = next(events, None)
            if body is None:
                over.wait()
                return
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
            self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:f")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            answers.put((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", answers
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_takes_an_event_and_answers_partial_batches(
    for_lambda: Image, aws_url: str, search_url: str, tmp_path: Path
):
    drop(search_url, "images")
    settings = {
        "AWS_ENDPOINT_URL": aws_url,
        "SEARCH_URL": search_url,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "STREAMDEX_DEAD_LETTERS": "sqs://letters",
    }
    with (
        runtime_interface(EVENT.read_text()) as (address, answers),
        running(
            for_lambda, for_lambda.command, tmp_path / "output", AWS_LAMBDA_RUNTIME_API=address, **settings
        ) as process,
    ):
        answer = answers.get(timeout=60)
        assert answer == ("/2018-06-01/runtime/invocation/request-1/response", {"batchItemFailures": []})
        assert process.status("Uid") == ["10001"] * 4
    (document,) = documents_of(search_url, "images").values()
    assert document["metadata"]["description"] == "12-year-old at the lighthouse"


def test_it_has_what_asks_lambda_for_events(for_lambda: Image):
    (packages,) = (for_lambda.root / "opt/streamdex/lib").glob("python3.*/site-packages")
    assert (packages / "awslambdaric").is_dir()
    assert not (packages / "moto").exists()
