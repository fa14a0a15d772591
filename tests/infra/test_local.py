"""`make build` and `make deploy` as a user runs them: deployed to an emulator twice, used, and removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from checkouts import ORDER, eventually, found

LISTS: dict[str, tuple[str, str]] = {
    "list_tables": ("dynamodb", "TableNames"),
    "list_buckets": ("s3", "Buckets"),
    "list_queues": ("sqs", "QueueUrls"),
    "list_topics": ("sns", "Topics"),
    "list_subscriptions": ("sns", "Subscriptions"),
    "list_functions": ("lambda", "Functions"),
    "list_layers": ("lambda", "Layers"),
    "list_event_source_mappings": ("lambda", "EventSourceMappings"),
    "list_roles": ("iam", "Roles"),
    "list_policies": ("iam", "Policies"),
    "describe_log_groups": ("logs", "logGroups"),
    "describe_alarms": ("cloudwatch", "MetricAlarms"),
    "describe_parameters": ("ssm", "Parameters"),
}


def everything(aws: Callable[..., Any]) -> dict[str, list[Any]]:
    """Return all resources in the account, by list operation."""
    return {verb: getattr(aws(service), verb)().get(key) or [] for verb, (service, key) in LISTS.items()}


def test_the_sample_is_built_deployed_twice_used_and_removed(checkout, aws, search_url):
    before = everything(aws)
    # Without the file, the function can get the search URL only from the Parameter Store.
    (checkout.folder / "config/local.yml").unlink()
    (checkout.folder / "config/secrets-local.env").write_text(f"SEARCH_URL={search_url}\n")

    checkout.build_and_deploy()
    again = checkout.build_and_deploy()
    assert {target: "No changes." in said for target, said in again.items()} == dict.fromkeys(ORDER, True)

    names = dict(re.findall(r"^  (\S+): (\S+)$", (checkout.folder / "config/local.names.yml").read_text(), re.M))
    aws("dynamodb", "resource").Table(names["table/images"]).put_item(Item={"id": "a", "title": "Sunset"})
    picture = (checkout.folder / "tests/data/lisbon.jpg").read_bytes()
    aws("s3").put_object(Bucket=names["bucket/images-in"], Key="my lisbon.jpg", Body=picture)
    aws("s3").put_object(Bucket=names["bucket/images-in"], Key="no.jpg", Body=b"no image")
    eventually(lambda: found(search_url, "images"), ["a", "my lisbon.jpg"])
    letters = next(
        bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"] if "-letters-" in bucket["Name"]
    )
    eventually(lambda: aws("s3").list_objects_v2(Bucket=letters).get("KeyCount"), 1)
    aws("s3").delete_object(Bucket=names["bucket/images-in"], Key="my lisbon.jpg")
    eventually(lambda: found(search_url, "images"), ["a"])

    (function,) = aws("lambda").list_functions()["Functions"]
    assert function["Environment"]["Variables"]["STREAMDEX_SECRETS"] == "/streamdex-local"
    written = [path for path in (checkout.folder / ".terraform-state").rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if search_url.encode() in path.read_bytes()] == [], "a secret is in the state"

    for target in reversed(ORDER):
        checkout.make("destroy", f"TARGET={target}", "AUTO_APPROVE=-auto-approve")
    assert everything(aws) == before
    assert not (checkout.folder / "config/local.names.yml").exists()
