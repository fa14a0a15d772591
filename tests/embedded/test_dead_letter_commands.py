"""The command `dead-letters`: list, show, redrive and purge, also of the dead-letter queue of a queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deployments import Deployment, aws_client, eventually

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.entrypoints.cli import main
from service.pipeline import Delivery
from service.sources.envelopes import unwrap
from service.sources.sqs.queue_source import dead_letter_queue


@pytest.fixture
def two_letters(deployment: Deployment, monkeypatch) -> Deployment:
    """Create dead letters of two uploads that are not images, and set the environment of the commands."""
    for variable, value in deployment.environment.items():
        monkeypatch.setenv(variable, value)
    deployment.upload("broken.png", b"no image")
    deployment.upload("other.txt", b"no image")
    raws = [json.dumps({"bucket": deployment.bucket, "key": key}) for key in ("broken.png", "other.txt")]
    with App(deployment.settings, [Images(), ImageUploads()]) as app:
        app.dispatcher.run(Delivery([record for raw in raws for record in unwrap(json.loads(raw))]))
    return deployment


def test_the_command_line_lists_shows_redrives_and_purges(two_letters: Deployment, capsys):
    assert main(["dead-letters", "list", "--reason=broken.png"]) == 0
    listed = capsys.readouterr().out
    assert "images:ImageUploads" in listed
    assert listed.count("\n") == 1
    assert main(["dead-letters", "show", f"--letter={listed[:8]}"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["key"] == "broken.png"
    assert main(["dead-letters", "redrive", "--reason=broken.png"]) == 1  # still not an image
    assert "1 dead letter remaining in " in capsys.readouterr().err
    two_letters.upload("broken.png")
    assert main(["dead-letters", "redrive", "--reason=broken.png"]) == 0
    assert "1 applied" in capsys.readouterr().out
    eventually(lambda: two_letters.items.scan()["Count"], 1)
    assert main(["dead-letters", "purge"]) == 2
    assert main(["dead-letters", "purge", "--reason=other.txt", "--yes"]) == 0
    assert main(["dead-letters", "list"]) == 0
    assert main(["dead-letters", "burn"]) == 2


def test_purge_asks_on_a_terminal_and_needs_yes_without_one(two_letters: Deployment, monkeypatch, capsys):
    words = ["dead-letters", "purge", "--route=images:ImageUploads"]
    assert main(words) == 2
    assert "2 dead letters" in (said := capsys.readouterr().err)
    assert "--yes" in said
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "")
    assert main(words) == 1
    assert "2 dead letters" in asked[0]
    assert "images:ImageUploads 2" in asked[0]
    assert len(two_letters.rejected()) == 2
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert main(words) == 0
    assert two_letters.rejected() == []
    assert main(words) == 0  # nothing is left, so the command does not ask


def test_the_command_line_speaks_json_to_scripts(two_letters: Deployment, capsys):
    def said(*words: str) -> list[Any]:
        main(["dead-letters", *words, "--json"])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    first, second = said("list")
    assert {first["route"], second["route"]} == {"images:ImageUploads"}
    assert "record" not in first
    (shown,) = said("show", f"--letter={first['id']}")
    assert shown["record"]["key"] in ("broken.png", "other.txt")
    two_letters.upload("broken.png")
    assert said("redrive") == [{"applied": 1, "rejected": 1}]
    assert said("purge", "--reason=other.txt", "--yes") == [{"removed": 1}]
    assert said("list") == []


@pytest.fixture
def given_up(two_letters: Deployment) -> Deployment:
    """Return a queue whose dead-letter queue holds an upload that is an image by now, and one that is not."""
    sqs = aws_client(two_letters.aws_url, "sqs")
    dead = sqs.get_queue_url(QueueName=dead_letter_queue(two_letters.app.context, two_letters.queue))["QueueUrl"]
    two_letters.upload("broken.png")
    for key in ("broken.png", "other.txt"):
        sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"bucket": two_letters.bucket, "key": key}))
    return two_letters


def test_the_dead_letter_queue_of_a_queue_is_redriven(given_up: Deployment, capsys):
    assert main(["dead-letters", "redrive", f"--queue={given_up.queue}"]) == 1
    assert "1 applied, 1 rejected" in capsys.readouterr().out
    assert [item["id"] for item in given_up.items.scan()["Items"]] == ["broken.png"]
    assert main(["dead-letters", "redrive", f"--queue={given_up.queue}"]) == 0
    assert "no dead letters" in capsys.readouterr().out


def test_a_queue_without_a_dead_letter_queue_is_told(two_letters: Deployment, capsys):
    dead = dead_letter_queue(two_letters.app.context, two_letters.queue)
    assert main(["dead-letters", "redrive", f"--queue={dead}"]) == 3
    assert "redrive policy" in capsys.readouterr().err


@pytest.mark.long
def test_a_message_that_no_route_takes_stays_in_the_dead_letter_queue(given_up: Deployment, monkeypatch, capsys):
    names = {name: value for name, value in given_up.settings.names.items() if not name.startswith("bucket/")}
    monkeypatch.setenv("STREAMDEX_NAMES", ",".join(f"{name}={actual}" for name, actual in names.items()))
    assert main(["dead-letters", "redrive", f"--queue={given_up.queue}"]) == 1
    assert "2 kept: no route" in capsys.readouterr().out
    context = given_up.app.context
    url = context.sqs.get_queue_url(QueueName=dead_letter_queue(context, given_up.queue))["QueueUrl"]
    counts = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"]) == 2
