"""The old index after a rebuild: it is kept in sync, rolled back to, and dropped."""

from __future__ import annotations

import json

import pytest
from deployments import Deployment, ask, auto_create, eventually, fill
from rebuilds import do, titles, truth

from service.bootstrap.application import App
from service.errors import SettingsError
from service.sinks.opensearch import index_copies

pytestmark = pytest.mark.usefixtures("impatient_rebuilds")


def test_the_old_index_is_kept_in_step_until_it_is_dropped_and_there_is_a_way_back(
    running: Deployment, released: App
) -> None:
    fill(running, 10)
    eventually(lambda: len(titles(running)), 10)
    do(released, rebuild=True)
    running.items.put_item(Item={"id": "i0003", "title": "after"})
    running.items.delete_item(Key={"id": "i0004"})
    eventually(lambda: titles(running), truth(running))
    with pytest.raises(SettingsError, match="--drop-old to delete it, or --rollback to put it back"):
        do(released, rebuild=True)
    assert do(released, rollback=True).live == f"{running.index}-000001"
    assert titles(running) == truth(running)
    running.items.put_item(Item={"id": "i0005", "title": "after the way back"})
    eventually(lambda: titles(running), truth(running))
    with pytest.raises(SettingsError, match="nothing to roll back"):
        do(released, rollback=True)
    assert do(released, rebuild=True).live == f"{running.index}-000002"
    assert titles(running) == truth(running)
    do(released, drop_old=True)
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [f"{running.index}-000002"]
    running.items.put_item(Item={"id": "i0006", "title": "at the end"})
    eventually(lambda: titles(running), truth(running))
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [f"{running.index}-000002"]
    with pytest.raises(SettingsError, match="nothing to roll back"):
        do(released, rollback=True)


@pytest.mark.long
def test_an_old_index_that_is_blocked_for_seconds_is_kept_and_a_rollback_lacks_nothing(
    running: Deployment, released: App
) -> None:
    fill(running, 5)
    eventually(lambda: len(titles(running)), 5)
    do(released, rebuild=True)
    old = f"{running.search_url}/{running.index}-000001"
    ask("PUT", f"{old}/_settings", {"index.blocks.write": True})
    running.items.put_item(Item={"id": "i0002", "title": "while it is blocked"})
    running.items.delete_item(Key={"id": "i0003"})
    eventually(lambda: titles(running).get("i0002"), "while it is blocked")  # the searched index is not blocked
    ask("PUT", f"{old}/_settings", {"index.blocks.write": False})
    eventually(lambda: titles(running, f"{running.index}-000001"), truth(running))
    assert do(released, rollback=True).live == f"{running.index}-000001"
    assert titles(running) == truth(running)


def test_an_old_index_that_has_missed_a_write_is_put_back_only_if_that_is_accepted(
    running: Deployment, released: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_copies, "RETRY_FOR", 0.0)
    fill(running, 5)
    eventually(lambda: len(titles(running)), 5)
    do(released, rebuild=True)
    ask("PUT", f"{running.search_url}/{running.index}-000001/_settings", {"index.blocks.write": True})
    running.items.put_item(Item={"id": "i0002", "title": "missed"})
    eventually(lambda: titles(running).get("i0002"), "missed")
    old = f"{running.index}-000001"
    aliases = f"{running.search_url}/{old}/_alias"
    eventually(lambda: set(ask("GET", aliases)[old]["aliases"]), {f"{running.index}--old"})
    with pytest.raises(SettingsError, match=r"000001 has missed writes .*--accept-stale.*--drop-old to delete it"):
        do(released, rollback=True)
    with pytest.raises(SettingsError, match="--drop-old"):
        do(released, rebuild=True)
    assert do(released, rollback=True, accept_stale=True).live == old
    assert "000002 deleted" in do(released, abandon=True).words
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [old]


def test_a_late_write_to_an_index_that_was_dropped_creates_none(running: Deployment, released: App) -> None:
    fill(running, 3)
    eventually(lambda: len(titles(running)), 3)
    do(released, rebuild=True)
    do(released, drop_old=True)
    version = {"version": 2**62, "version_type": "external_gte"}
    meta = {"_index": f"{running.index}-000001", "_id": "i0001", **version}
    lines = [{"index": meta}, {"title": "late"}, {"delete": {**meta, "_id": "i0002"}}]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    with auto_create(running.search_url):
        answer = released.context.search.bulk(body=body)
    assert [item["status"] for entry in answer["items"] for item in entry.values()] == [400, 400]
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [f"{running.index}-000002"]
    assert titles(running) == truth(running)
    assert do(released, rebuild=True).live == f"{running.index}-000003"
