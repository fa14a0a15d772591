"""The doctor on the embedded stand-ins: silent where all is well, and each of some faults named by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from deployments import Deployment, ask, aws_client, documents_of

from routes.images import Images
from service.clients import SERVICES
from service.context import Context
from service.entrypoints.cli import main
from service.operations.doctor import ERROR, WARNING, Finding, Patient, diagnose
from service.sinks.search.indices import create_missing


def findings(deployment: Deployment, **settings: Any) -> list[Finding]:
    """What is found with some settings changed."""
    known = {name: getattr(deployment.app.context, name) for name in SERVICES}
    with Context(replace(deployment.settings, **settings), **known) as context:
        return list(diagnose(Patient(context, deployment.app.router)))


def traces(deployment: Deployment) -> dict[str, Any]:
    """All that somebody could find afterwards."""
    context = deployment.app.context
    (stream,) = context.dynamodb_streams.list_streams(TableName=deployment.table)["Streams"]
    shards = context.dynamodb_streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    place = {"ShardId": shards[0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = context.dynamodb_streams.get_shard_iterator(StreamArn=stream["StreamArn"], **place)["ShardIterator"]
    url = context.sqs.get_queue_url(QueueName=deployment.queue)["QueueUrl"]
    counts = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {
        "items": deployment.items.scan()["Items"],
        "records": context.dynamodb_streams.get_records(ShardIterator=iterator)["Records"],
        "objects": deployment.s3.list_objects_v2(Bucket=deployment.bucket).get("Contents", []),
        "documents": documents_of(deployment.search_url, deployment.index),
        "index": ask("GET", f"{deployment.search_url}/{deployment.index}"),
        "messages": [value for name, value in counts.items() if name.startswith("ApproximateNumber")],
        "files": sorted(str(path) for path in deployment.letters.parent.rglob("*")),
    }


def test_the_stand_ins_as_make_run_sets_them_up_are_well_and_stay_as_they_were(deployment: Deployment):
    before = traces(deployment)
    assert findings(deployment) == []
    assert traces(deployment) == before


def test_the_command_prints_nothing_there_and_the_policy_where_it_is_asked_for(deployment, capsys, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployment.aws_url)
    monkeypatch.setenv("SEARCH_URL", deployment.search_url)
    names = ",".join(f"{logical}={actual}" for logical, actual in deployment.settings.names.items())
    folder = deployment.letters.parent
    options = [
        f"--names={names}",
        f"--read-queue={deployment.queue}",
        f"--checkpoints={folder}/checkpoints.sqlite",
        f"--dead-letters={folder}/letters",
    ]
    assert main(["doctor", *options]) == 0
    assert capsys.readouterr().out == ""
    assert main(["doctor", "--policy", *options]) == 0
    resources = [statement["Resource"] for statement in json.loads(capsys.readouterr().out)["Statement"]]
    assert f"arn:aws:dynamodb:us-east-1:123456789012:table/{deployment.table}" in resources
    assert main(["doctor", "--json", *options, "--read-queue=absent"]) == 1
    topics = {json.loads(line)["topic"] for line in capsys.readouterr().out.splitlines()}
    assert topics == {"queue"}


def settings_of(**index: Any) -> Callable[[Deployment], Any]:
    return lambda d: ask("PUT", f"{d.search_url}/{d.index}/_settings", {"index": index})


def without_stream(d: Deployment) -> None:
    d.app.context.dynamodb.update_table(TableName=d.table, StreamSpecification={"StreamEnabled": False})


def made_by_a_write(d: Deployment) -> None:
    """As an index is that a write has made."""
    ask("DELETE", f"{d.search_url}/{d.index}")
    ask("PUT", f"{d.search_url}/{d.index}", {})
    ask("PUT", f"{d.search_url}/{d.index}/_doc/a", {"metadata": {"width": 1}})


def behind_an_alias(d: Deployment) -> None:
    ask("DELETE", f"{d.search_url}/{d.index}")
    for number in (1, 2):
        create_missing(d.app.context, f"{d.index}-{number}", Images.mapping)
        action = {"add": {"index": f"{d.index}-{number}", "alias": d.index}}
        ask("POST", f"{d.search_url}/_aliases", {"actions": [action]})


FAULTS: list[tuple[Callable[[Deployment], Any], list[tuple[str, str]]]] = [
    (without_stream, [("stream", ERROR)]),
    (settings_of(blocks={"write": True}), [("index", ERROR)]),
    (settings_of(gc_deletes="60s"), [("index", ERROR)]),
    (settings_of(mapping={"total_fields": {"limit": 6}}), [("limits", WARNING)]),
    (made_by_a_write, [("index", ERROR), ("mapping", ERROR), ("mapping", WARNING)]),
    (behind_an_alias, [("alias", ERROR)]),
    (lambda d: aws_client(d.aws_url, "s3").delete_bucket(Bucket=d.bucket), [("bucket", ERROR)]),
]


@pytest.mark.parametrize(("plant", "expected"), FAULTS, ids=[expected[0][0] for _, expected in FAULTS])
def test_faults_are_named(deployment: Deployment, plant, expected):
    plant(deployment)
    assert [(found.topic, found.severity) for found in findings(deployment)] == expected


def test_a_server_that_makes_indices_by_itself_is_named_with_what_forbids_it(deployment: Deployment):
    url = f"{deployment.search_url}/_cluster/settings"

    def allow(value: str) -> None:
        ask("PUT", url, {"persistent": {"action.auto_create_index": value}})

    allow("true")
    try:
        (found,) = findings(deployment)
        assert (found.topic, found.severity) == ("index", WARNING)
        _, _, body = found.remedy.partition("settings ")
        ask("PUT", url, json.loads(body))
        assert findings(deployment) == []
    finally:
        allow("false")


def test_a_path_in_the_address_that_leads_nowhere_is_named(deployment: Deployment):
    (found,) = findings(deployment, search_url=f"{deployment.search_url}/nowhere")
    assert (found.topic, found.severity) == ("endpoints", ERROR)
    assert "no OpenSearch or Elasticsearch server" in found.problem
