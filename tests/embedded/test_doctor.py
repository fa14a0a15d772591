"""The doctor on the embedded servers: no finding for a healthy deployment, one finding for each fault."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from deployments import Deployment, ask, aws_client, documents_of, drop

from routes.images import Images
from service.clients.factories import SERVICES
from service.commands.doctor import ERROR, WARNING, DoctorContext, Finding, diagnose
from service.commands.rebuild import rebuild as rebuilding
from service.context import Context
from service.entrypoints.cli import main
from service.routing import IndexDeclaration
from service.routing.index_names import ALSO, NEW, OLD
from service.sinks.opensearch.index_creation import index_body


def findings(deployment: Deployment, **settings: Any) -> list[Finding]:
    """Return the findings with some settings changed."""
    known = {name: getattr(deployment.app.context, name) for name in SERVICES}
    with Context(replace(deployment.settings, **settings), **known) as context:
        return list(diagnose(DoctorContext(context, deployment.app.router)))


def traces(deployment: Deployment) -> dict[str, Any]:
    """Return all state that the doctor could have changed."""
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


def test_the_embedded_servers_as_make_run_sets_them_up_are_well_and_stay_as_they_were(deployment: Deployment):
    before = traces(deployment)
    assert findings(deployment) == []
    assert traces(deployment) == before


def deployment_options(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Set the environment of the commands and return their options for this deployment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployment.aws_url)
    monkeypatch.setenv("SEARCH_URL", deployment.search_url)
    names = ",".join(f"{logical}={actual}" for logical, actual in deployment.settings.names.items())
    folder = deployment.letters.parent
    return [
        "--func=images",
        f"--names={names}",
        f"--read-queue={deployment.queue}",
        f"--checkpoints={folder}/checkpoints.sqlite",
        f"--dead-letters={folder}/letters",
    ]


def test_the_command_prints_nothing_there_and_the_policy_where_it_is_asked_for(deployment, capsys, monkeypatch):
    options = deployment_options(deployment, monkeypatch)
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


def set_queue(d: Deployment, **attributes: str) -> None:
    sqs = d.app.context.sqs
    sqs.set_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName=d.queue)["QueueUrl"], Attributes=attributes)


def another_key(d: Deployment) -> None:
    dynamodb = d.app.context.dynamodb
    dynamodb.delete_table(TableName=d.table)
    dynamodb.create_table(
        TableName=d.table,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


def without_notification(d: Deployment) -> None:
    nothing: dict[str, Any] = {}
    d.s3.put_bucket_notification_configuration(Bucket=d.bucket, NotificationConfiguration=nothing)


def made_by_a_write(d: Deployment) -> None:
    """Replace the index with one that a write created, without the route's mapping."""
    drop(d.search_url, d.index)
    ask("PUT", f"{d.search_url}/{d.index}", {})
    ask("PUT", f"{d.search_url}/{d.index}/_doc/a", {"metadata": {"width": 1}})


def make_index(d: Deployment, name: str, *aliases: str, **says: Any) -> None:
    """Create an index as the service does."""
    body = index_body(IndexDeclaration(name, Images.mapping), d.settings)
    ask("PUT", f"{d.search_url}/{name}", {**body, "aliases": dict.fromkeys(aliases, says)})


def under_its_own_name(d: Deployment) -> None:
    drop(d.search_url, d.index)
    make_index(d, d.index)


def written_nowhere(d: Deployment) -> None:
    drop(d.search_url, d.index)
    for number in (1, 2):
        make_index(d, f"{d.index}-{number:06d}", d.index)


def closed_to_writes(d: Deployment) -> None:
    drop(d.search_url, d.index)
    make_index(d, f"{d.index}-000001", d.index, is_write_index=False)


def without_alias(d: Deployment) -> None:
    actions = [{"remove": {"index": f"{d.index}-000001", "alias": d.index}}]
    ask("POST", f"{d.search_url}/_aliases", {"actions": actions})


def beside(number: int, *suffixes: str) -> Callable[[Deployment], None]:
    """Return a function that creates another index next to the searched one, with aliases of a rebuild."""

    def plant(d: Deployment) -> None:
        make_index(d, f"{d.index}-{number:06d}", *(d.index + suffix for suffix in suffixes))

    return plant


FAULTS: dict[str, tuple[Callable[[Deployment], Any], list[tuple[str, str]]]] = {
    "a stream that is off": (without_stream, [("stream", ERROR)]),
    "another key than declared": (another_key, [("key", ERROR)]),
    "a write block": (settings_of(blocks={"write": True}), [("index", ERROR)]),
    "an index that forgets soon": (settings_of(gc_deletes="60s"), [("index", ERROR)]),
    "as many fields as there may be": (settings_of(mapping={"total_fields": {"limit": 6}}), [("limits", WARNING)]),
    "an index that a write has made": (
        made_by_a_write,
        [("alias", WARNING), ("index", ERROR), ("mapping", ERROR), ("mapping", WARNING)],
    ),
    "an index that is no alias": (under_its_own_name, [("alias", WARNING)]),
    "an alias without an index that is written": (written_nowhere, [("alias", ERROR)]),
    "an alias that may not be written": (closed_to_writes, [("alias", ERROR)]),
    "an index whose alias is gone": (without_alias, [("alias", ERROR)]),
    "a rebuild that nobody ended": (beside(2, ALSO, NEW), [("rebuild", WARNING)]),
    "a rebuild that has failed": (beside(2, NEW), [("rebuild", WARNING)]),
    "an index that was replaced, and is kept": (beside(0, ALSO, OLD), [("rebuild", WARNING)]),
    "an index that was replaced, and has missed writes": (beside(0, OLD), [("rebuild", WARNING)]),
    "an index that nobody uses": (beside(0), [("rebuild", WARNING)]),
    "a bucket that is not there": (
        lambda d: aws_client(d.aws_url, "s3").delete_bucket(Bucket=d.bucket),
        [("bucket", ERROR)],
    ),
    "a bucket that tells nobody": (without_notification, [("bucket", WARNING)]),
    "a message that is hidden too shortly": (
        lambda d: set_queue(d, VisibilityTimeout="10"),
        [("queue", WARNING)],
    ),
    "a queue without a redrive policy": (lambda d: set_queue(d, RedrivePolicy=""), [("queue", WARNING)]),
}


@pytest.mark.long(after=5)
@pytest.mark.parametrize(("plant", "expected"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named(deployment: Deployment, plant, expected):
    plant(deployment)
    found = findings(deployment)
    assert [(finding.topic, finding.severity) for finding in found] == expected
    assert all(finding.remedy for finding in found)


def test_what_is_said_of_aliases_puts_them_right(deployment: Deployment):
    """Each finding takes one step. An alias of two indices first gets a write index, then loses the other."""
    for plant, steps in ((without_alias, 1), (written_nowhere, 2)):
        plant(deployment)
        for _ in range(steps):
            (found,) = [finding for finding in findings(deployment) if finding.topic == "alias"]
            _, _, body = found.remedy.partition("POST /_aliases ")
            actions, _ = json.JSONDecoder().raw_decode(body)
            ask("POST", f"{deployment.search_url}/_aliases", actions)
        assert "alias" not in [finding.topic for finding in findings(deployment)]


@pytest.mark.long
def test_what_is_said_of_rebuilds_puts_them_right(deployment: Deployment, monkeypatch, capsys):
    """After the commands that the remedies name, the doctor finds nothing."""
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.0)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)
    quick = ["--patience=1"]
    plants = {
        beside(2, ALSO, NEW): ["--abandon"],
        beside(3, NEW): ["--rebuild", "--drop-old"],
        beside(8, ALSO, OLD): ["--drop-old"],
        beside(9, OLD): ["--rollback --accept-stale", "--abandon"],
        beside(10, NEW): ["--abandon"],
        under_its_own_name: ["--rebuild --replace-index"],
    }
    for plant, steps in plants.items():
        plant(deployment)
        for step in steps:
            (found,) = findings(deployment)
            (command,) = re.findall(rf"`python -m service ([^`]*{step})`", found.remedy)
            assert main([*command.split(), "--yes", *quick, *deployment_options(deployment, monkeypatch)]) == 0
        assert findings(deployment) == []


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


@pytest.mark.long
def test_a_path_in_the_address_that_leads_nowhere_is_named(deployment: Deployment):
    (found,) = findings(deployment, search_url=f"{deployment.search_url}/nowhere")
    assert (found.topic, found.severity) == ("endpoints", ERROR)
    assert "not an OpenSearch or Elasticsearch server" in found.problem
