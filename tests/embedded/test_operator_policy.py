"""The operator commands with exactly the policy that doctor prints for an operator, and with less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builders import s3_record
from enforced_policies import Account, Looking, Watched, without

from routes.images import ImageUploads
from service.bootstrap.application import App
from service.commands.backfill import loading as backfilling
from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.dead_letters import selection
from service.commands.dead_letters.redrive import redrive
from service.commands.indices.applying import apply, documents_in
from service.commands.indices.checking import check
from service.commands.indices.planning import plan
from service.commands.policy import policy_of
from service.commands.rebuild import rebuild as rebuilding
from service.commands.rebuild.rebuild import RebuildOptions
from service.commands.tables import TableFilter, chosen
from service.commands.verify import Verification, VerifyOptions
from service.errors import Halt
from service.pipeline import Delivery
from service.sources.envelopes import unwrap


def operate(app: App) -> None:
    """Run every operator command, on an index with a missing document and an orphan, and on dead letters."""
    scan, manner, which = Scan(), BackfillOptions(without_stream=True), TableFilter()

    def change(**what: bool) -> None:
        (ended,) = rebuilding.change(app, which, RebuildOptions(**what), scan, manner, 0.1, lambda more: None)
        assert ended.done, ended.words

    backfill(app, which, scan, manner, lambda more: None)
    enqueue = replace(manner, enqueue=app.settings.task_queue)
    assert backfill(app, which, scan, enqueue, lambda more: None).enqueued == scan.segments
    index = app.router.bound[0].index
    app.context.search.index(index=index, id="stray", body={"title": "T"}, params={"refresh": "true"})
    found = Verification(app, scan, VerifyOptions(repair=True), 0.1).run(chosen(app, which))
    assert found.repaired == {"orphan": 1}
    for what in ("rebuild", "rollback", "abandon"):
        change(**{what: True})
    (declared,) = app.router.indices.values()
    planned = plan(app.context, declared)
    assert planned.done
    assert planned.there is not None
    assert documents_in(app.context, planned.there)
    forgetful = replace(declared, settings={**declared.settings, "gc_deletes": "30m"})
    fields = {**declared.mapping["properties"], "extra": {"type": "keyword"}}
    grown = replace(declared, mapping={**declared.mapping, "properties": fields})
    for wanted in (grown, forgetful, declared):  # change the index and restore it for the next operator
        assert apply(app.context, plan(app.context, wanted)).done
    assert check(app.context, app.router, declared, app.tables(), 10, lambda more: None).items
    assert redrive(app.letters, selection.Filter(), app.dispatcher_of).ends["rejected"]
    which_letters = selection.Filter(route="images:ImageUploads")
    assert selection.purge(app.letters, which_letters, selection.survey(app.letters, which_letters).last)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.0)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)
    monkeypatch.setattr(backfilling, "wait_for_margin", lambda *_: None)


@pytest.fixture
def rejected(account: Account) -> None:
    """Create an item, and a dead letter of an upload that can never succeed."""
    account.items.put_item(Item={"id": "a", "title": "T"})
    with App(account.settings(account.admin), [Looking(), ImageUploads()]) as app:
        account.s3.put_object(Bucket=account.made.bucket, Key="no.jpg", Body=b"no image")
        app.dispatcher.run(Delivery(list(unwrap(s3_record("no.jpg", bucket=account.made.bucket))), "a test"))


@pytest.mark.usefixtures("impatient", "rejected")
def test_the_commands_run_with_the_policy_of_an_operator(account: Account):
    app = account.app(operator=True)
    commands = Watched(app)
    with app:
        operate(app)
        assert commands.refused == set()
        domain = replace(app.settings, search_auth="sigv4")
        policy = policy_of(app.router, domain, operator=True)
        index = app.router.bound[0].index
    of_aws = {action for s in policy["Statement"] for action in s["Action"] if not action.startswith("es:")}
    assert of_aws == commands.asked
    searched = commands.searched - {f"Put {index}/_doc/stray"}  # a request of the test itself
    of_search = [statement for statement in policy["Statement"] if statement["Action"][0].startswith("es:")]
    granted = [(s["Action"][0], resource) for s in of_search for resource in resources_of(s)]
    assert [asked for asked in searched if not any(is_allowed(asked, *grant) for grant in granted)] == []
    idle = [
        resource
        for action, resource in granted
        if not any(is_allowed(asked, action, resource) for asked in searched)
    ]
    assert [r for r in idle if not r.endswith("/_doc/*")] == [], "but for documents that can be of no item"


@pytest.mark.long(after=1)
@pytest.mark.usefixtures("impatient", "rejected")
@pytest.mark.parametrize("action", ["dynamodb:Scan", "s3:DeleteObject", "s3:GetObject", "dynamodb:BatchGetItem"])
def test_they_do_not_run_with_any_permission_less(account: Account, action: str):
    app = account.app(lambda policy: without(policy, action), operator=True)
    commands = Watched(app)
    with app:
        try:
            operate(app)
        except (Halt, ClientError, AssertionError):
            if not commands.refused:
                raise
    assert commands.refused == {action}


def resources_of(statement: Mapping[str, Any]) -> list[str]:
    found = statement["Resource"]
    return [found] if isinstance(found, str) else found


def is_allowed(asked: str, action: str, resource: str) -> bool:
    """True if a request, such as Get images/_doc/a, is covered by a grant."""
    method, _, path = asked.partition(" ")
    return action == f"es:ESHttp{method}" and fnmatchcase(f"arn:aws:es:*:*:domain/*/{path}", resource)
