"""Traces of a Lambda function: each batch is a subsegment of the invocation's segment."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from builders import CHANGES
from traced_batches import OTHER, PARENT, TRACE

ROOT = Path(__file__).parents[3]


def run(code: str, **variables: str) -> str:
    """Run the code in a separate process, and return its output."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "unit")])
    environment = {**os.environ, "PYTHONPATH": path, "SEARCH_URL": "http://search.test", **variables}
    command = [sys.executable, "-W", "error::DeprecationWarning:service", "-c", textwrap.dedent(code)]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


INVOKED = """
    import os, sys
    from types import SimpleNamespace
    from builders import lambda_event, sqs_message, stream_record
    from fakes import Items
    from search_model import SearchModel
    from service.entrypoints.lambda_handler import handler_for
    import service.context

    service.context.make_search_client = lambda settings: SearchModel()
    handle = handler_for(Items)
    parent = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="r-1")
    def invoke(trace, *records):
        os.environ["_X_AMZN_TRACE_ID"] = trace
        assert handle(lambda_event(*records), parent) == {"batchItemFailures": []}
    record = lambda name: stream_record(new={"id": name})
"""


def test_nothing_of_the_sdk_is_loaded_unless_batches_are_traced():
    code = textwrap.dedent(INVOKED) + "invoke('', record('a'))\nprint('aws_xray_sdk' in sys.modules)"
    assert run(code, STREAMDEX_HINT_AFTER="1e12") == "False\n"
    assert run(code, STREAMDEX_HINT_AFTER="1e12", STREAMDEX_TRACE="true") == "True\n"


def test_in_a_lambda_the_batch_is_a_part_of_the_invocation_s_segment(daemon):
    code = textwrap.dedent(INVOKED) + textwrap.dedent(f"""
        invoke("Root={TRACE};Parent={PARENT};Sampled=1", record("a"), record("b"))
        invoke("Root={OTHER};Parent=00000000000000bb;Sampled=1;Lineage=1:2:3", record("c"))
        invoke("Root=1-65a7d2c0-000000000000000000000003;Parent=00000000000000cc;Sampled=0", record("d"))
        queued = sqs_message(record("e"))
        queued["attributes"]["AWSTraceHeader"] = "Root={OTHER};Sampled=1"
        invoke("Root={TRACE};Parent={PARENT};Sampled=1", queued)
    """)
    run(
        code,
        STREAMDEX_TRACE="true",
        STREAMDEX_HINT_AFTER="1e12",
        READ_QUEUE=CHANGES,
        LAMBDA_TASK_ROOT="/var/task",
        AWS_XRAY_DAEMON_ADDRESS=daemon.address,
    )
    documents = daemon.documents()
    batches = [document for document in documents if document["name"].startswith("lambda")]
    assert [(batch["trace_id"], batch["parent_id"]) for batch in batches] == [
        (TRACE, PARENT),
        (OTHER, "00000000000000bb"),
        (TRACE, PARENT),
    ]
    assert [batch["name"] for batch in batches] == ["lambda dynamodb", "lambda dynamodb", "lambda sqs"]
    assert batches[0]["annotations"] | {"x": 0} == {
        "source": "lambda dynamodb",
        "records": 2,
        "table": "images",
        "applied": 2,
        "x": 0,
    }
    assert batches[2]["annotations"]["traces"] == OTHER
    within = [document["name"] for document in documents if document["parent_id"] == batches[0]["id"]]
    assert within == ["decode", "fakes:Items", "search"]
    assert all(document["type"] == "subsegment" for document in documents)


def test_a_lambda_s_event_that_holds_nothing_known_leaves_no_trace(daemon):
    code = textwrap.dedent(INVOKED) + textwrap.dedent("""
        os.environ["_X_AMZN_TRACE_ID"] = "Root=1-65a7d2c0-000000000000000000000001;Parent=00000000000000aa"
        try:
            handle({"hello": "world"}, parent)
        except Exception as error:
            print(type(error).__name__)
    """)
    said = run(code, STREAMDEX_TRACE="true", LAMBDA_TASK_ROOT="/var/task", AWS_XRAY_DAEMON_ADDRESS=daemon.address)
    assert said == "UnknownEvent\n"
    assert daemon.documents() == []
