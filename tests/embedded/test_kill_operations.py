"""Every operation that changes indices, killed before and after each of its requests, then run again.

Writers keep writing. STREAMDEX_KILL_STEPS=all kills at every write request. A number kills at the first request
and at that many later steps.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
from builders import stream_record
from deployments import Deployment, ask, auto_create, documents_of, fill
from fakes import records
from operators import Killed, Operator

from routes.images import Images
from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.indices.applying import recreate
from service.commands.indices.planning import plan
from service.commands.rebuild import rebuild as rebuilding
from service.commands.tables import TableFilter
from service.errors import SettingsError
from service.pipeline import Delivery

STEPS = os.environ.get("STREAMDEX_KILL_STEPS", "1")
MOST = 40


class Described(Images):
    """The next release, with another mapping."""

    mapping: ClassVar = {"properties": {"title": {"type": "text"}, "length": {"type": "integer"}}}


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.0)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)


@pytest.fixture(autouse=True)
def creates_indices_by_itself(search_url: str) -> Iterator[None]:
    with auto_create(search_url):
        yield


def indices_of(place: Deployment) -> dict[str, set[str]]:
    """Return the aliases of each index by name."""
    found = ask("GET", f"{place.search_url}/{place.index}*/_alias")
    return {index: set(of["aliases"]) for index, of in found.items()}


def titles(place: Deployment, index: str) -> dict[str, str]:
    return {name: document["title"] for name, document in documents_of(place.search_url, index).items()}


def truth(place: Deployment) -> dict[str, str]:
    return {item["id"]: item["title"] for item in place.items.scan()["Items"]}


def check(operator: Operator, whole: bool = True) -> dict[str, set[str]]:
    """Assert everything that holds after each command. Return the indices with their aliases."""
    place = operator.place
    operator.writers.finish()
    indices = indices_of(place)
    (live,) = [index for index, aliases in indices.items() if place.index in aliases or index == place.index]
    for index, aliases in indices.items():
        mapping = ask("GET", f"{place.search_url}/{index}/_mapping")[index]["mappings"]
        assert mapping.get("date_detection") is False, f"{index} has a guessed mapping"
        role = {place.index + suffix for suffix in ("--also", "--new", "--old")} & aliases
        assert role or index == live, f"{index} is an orphan"
        kept = {place.index + "--also", place.index + "--old"} <= aliases
        if whole and (index == live or kept):  # a new index may still lack items of the scan
            assert titles(place, index) == truth(place), index
    return indices


Start = Callable[[Operator], None]


def rebuilt(operator: Operator) -> None:
    one, _ = operator.run(rebuild=True)
    assert one is not None
    assert one.done, one.words


def being_rebuilt(operator: Operator) -> None:
    one, _ = operator.run(at=2, rebuild=True)
    assert one is None


def kept_and_stale(operator: Operator) -> None:
    rebuilt(operator)
    actions = [{"remove": {"index": f"{operator.place.index}-000001", "alias": f"{operator.place.index}--also"}}]
    ask("POST", f"{operator.place.search_url}/_aliases", {"actions": actions})


def failed(operator: Operator) -> None:
    being_rebuilt(operator)
    actions = [{"remove": {"index": f"{operator.place.index}-000002", "alias": f"{operator.place.index}--also"}}]
    ask("POST", f"{operator.place.search_url}/_aliases", {"actions": actions})


def named_itself(operator: Operator) -> None:
    """Replace the alias with an index of the same name."""
    place = operator.place
    for index in indices_of(place):
        ask("DELETE", f"{place.search_url}/{index}")
    ask("PUT", f"{place.search_url}/{place.index}", {"mappings": {"date_detection": False, **Images.mapping}})
    operator.writers.catch_up()
    backfill(place.app, TableFilter(), Scan(segments=1), BackfillOptions(restart=True), lambda more: None)


@dataclass(frozen=True)
class Case:
    """An operation, its start state, and the commands that follow a kill. The last command leaves one index.

    If `whole` is false, documents may be missing at the end.
    """

    command: dict[str, bool]
    then: tuple[str, ...]
    start: Start = lambda operator: None
    whole: bool = True


CASES = {
    "rebuild, and again": Case({"rebuild": True}, ("rebuild", "drop_old")),
    "rebuild, and not": Case({"rebuild": True}, ("abandon", "drop_old")),
    "rebuild after one that failed": Case({"rebuild": True}, ("rebuild", "drop_old"), failed),
    "rollback, and again": Case({"rollback": True}, ("rollback", "abandon"), rebuilt),
    "rollback, and the other is dropped": Case({"rollback": True}, ("drop_old", "abandon"), rebuilt),
    "rollback to a stale index": Case(
        {"rollback": True, "accept_stale": True}, ("rollback", "abandon"), kept_and_stale, whole=False
    ),
    "drop the old index": Case({"drop_old": True}, ("drop_old",), rebuilt),
    "drop a stale old index": Case({"drop_old": True}, ("drop_old",), kept_and_stale),
    "replace an index that is no alias": Case(
        {"rebuild": True, "replace_index": True}, ("rebuild", "drop_old"), named_itself
    ),
    "abandon a rebuild": Case({"abandon": True}, ("abandon",), being_rebuilt),
    "abandon a rebuild that failed": Case({"abandon": True}, ("abandon",), failed),
}


@pytest.fixture
def operator(deployment: Deployment) -> Iterator[Operator]:
    fill(deployment, 5)
    backfill(deployment.app, TableFilter(), Scan(segments=1), BackfillOptions(), lambda more: None)
    made = Operator(deployment, Described())
    yield made
    made.writers.close()


def begin(operator: Operator, start: Start) -> None:
    """Restore one complete index behind its alias, then run `start`."""
    place = operator.place
    operator.writers.finish()
    for index in indices_of(place):
        ask("DELETE", f"{place.search_url}/{index}")
    operator.writers.catch_up()
    fill(place, 5)
    backfill(place.app, TableFilter(), Scan(segments=1), BackfillOptions(restart=True), lambda more: None)
    start(operator)


def kills() -> Iterator[tuple[int, bool]]:
    """Return for each kill the number of the request, and True if the server receives it."""
    steps = [(number, after) for number in range(1, MOST) for after in (False, True)]
    if STEPS == "all":
        return iter(steps)
    return iter([*steps[:2], *sorted(random.Random(7).sample(steps[2:14], int(STEPS)))])


def follow(operator: Operator, case: Case) -> None:
    """Run the commands that follow. A command that cannot do anything must name the command to run instead."""
    for number, word in enumerate(case.then):
        what = case.command if number == 0 and case.command.get(word) else {word: True}
        try:
            ended, _ = operator.run(**what)
        except SettingsError as error:
            words = str(error)
            assert any(f"--{other}" in words for other in ("rebuild", "drop-old", "abandon", "rollback")), words
        else:
            assert ended is not None
            assert ended.done, ended.words
        check(operator, case.whole)


@pytest.mark.long(after=2)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_operation_that_is_killed_at_any_request_can_be_run_again_or_undone(operator: Operator, case: Case):
    for at, after in kills():
        begin(operator, case.start)
        ended, count = operator.run(at, after, **case.command)
        check(operator, case.whole)
        follow(operator, case)
        assert len(indices_of(operator.place)) == 1
        if ended is not None and count < at:  # the operation has fewer requests
            return
    assert STEPS != "all", f"more than {MOST} requests"


class Dated(Images):
    """A release whose mapping rejects the titles that are written."""

    mapping: ClassVar = {"properties": {"title": {"type": "date"}}}


@pytest.mark.long(after=1)
@pytest.mark.parametrize("after", [False, True])
def test_a_writer_that_is_killed_while_it_gives_a_copy_up_loses_nothing(operator: Operator, after: bool):
    place = operator.place
    begin(operator, lambda operator: None)
    mappings = {"date_detection": False, **Dated.mapping}
    aliases = {f"{place.index}--also": {}, f"{place.index}--new": {}}
    ask("PUT", f"{place.search_url}/{place.index}-000002", {"mappings": mappings, "aliases": aliases})
    place.items.put_item(Item={"id": "i0001", "title": "no date"})
    record = stream_record(
        "MODIFY", table=place.table, new={"id": "i0001", "title": "no date"}, created=time.time()
    )
    with operator.process(3, after, traffic=False) as (app, requests):  # the index, its copy, the mark on the copy
        with pytest.raises(Killed):
            app.dispatcher_of("").run(Delivery(records(record)))
        assert requests.count == 3
    indices = indices_of(place)
    assert (f"{place.index}--also" in indices[f"{place.index}-000002"]) is not after
    operator.writers.finish(records(record))
    assert f"{place.index}--also" not in indices_of(place)[f"{place.index}-000002"]
    assert titles(place, place.index) == truth(place)
    operator.run(abandon=True)
    assert list(indices_of(place)) == [f"{place.index}-000001"]


@pytest.mark.long(after=1)
@pytest.mark.parametrize("then", ["again", "abandon"])
def test_an_index_that_is_recreated_leaves_no_other_behind(operator: Operator, then: str):
    place = operator.place

    def recreated(at: float = 0, after: bool = False) -> bool:
        with operator.process(at, after) as (app, _):
            try:
                applied = recreate(app.context, plan(app.context, app.router.indices[place.index]))
            except Killed:
                return False
            assert applied.done, applied.refused
            return True

    operator.route = Dated()
    for at, after in itertools.product((1, 2), (False, True)):
        begin(operator, lambda operator: None)
        assert not recreated(at, after)
        check(operator, whole=False)
        if then == "again":
            assert recreated()
        else:
            operator.run(abandon=True)
        check(operator, whole=False)
        assert len(indices_of(place)) == 1
