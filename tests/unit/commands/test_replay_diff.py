"""The diff of a replay (`--diff`): it shows the changes to the index, field by field."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import s3_record
from fakes import Items
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import TransportError
from rehearsals import Copies, ReadOnly, Rehearsed, Texts, change, version

from service.commands.comparison import Difference
from service.commands.replay.rehearsal import Rehearsal
from service.commands.replay.showing import value_of
from service.errors import Halt
from service.pipeline import Outcome


def different(*raws: Any, there: dict[str, tuple[int, Any]] | None = None) -> tuple[list[str], Rehearsal]:
    search = ReadOnly()
    for name, (at, document) in (there or {}).items():
        search.put(name, at, document)
    rehearsed = Rehearsed(search=search)
    return rehearsed.lines(*raws), rehearsed.rehearsal


def test_a_document_that_differs_is_shown_field_by_field():
    old = {"title": "Sun", "gone": 1, "same": [1, 2], "deep": {"a": 1, "b": 2}}
    lines, rehearsal = different(
        change("a", title="Sunset", same=[1, 2], deep={"a": 1, "b": 3}, new="x"), there={"a": (version(-1), old)}
    )
    assert lines == [
        f"changed  texts/a  version {version()}, stored {version(-1)}  rehearsals:Texts",
        '  ~ title: "Sun" -> "Sunset"',
        "  ~ deep.b: 2 -> 3",
        '  + new: "x"',
        "  - gone: 1",
    ]
    assert rehearsal.differs


def test_what_fields_hold_cannot_break_out_of_their_lines():
    lines, _ = different(
        change("a", **{"new\n": "x\u2028", "n": "\x1b"}), there={"a": (1, {"n": "\u2029", "old": "\x85"})}
    )
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)


def test_a_document_that_is_missing_is_shown_with_its_fields():
    lines, rehearsal = different(change("a", title="Sunset"))
    assert lines == [f"missing  texts/a  version {version()}  rehearsals:Texts", '  + title: "Sunset"']
    assert rehearsal.differs


def test_a_document_that_would_be_deleted_is_shown():
    lines, rehearsal = different(change("a", "REMOVE"), there={"a": (version(-1), {"title": "Sun"})})
    assert lines == [f"would be deleted  texts/a  version {version()}, stored {version(-1)}  rehearsals:Texts"]
    assert rehearsal.differs


@pytest.mark.parametrize("event", ["MODIFY", "REMOVE"])
def test_what_is_older_than_the_index_is_shown_and_no_difference(event):
    lines, rehearsal = different(change("a", event, n=1), there={"a": (version(1), {"n": 2})})
    assert lines == [
        f"older than what is there  texts/a  version {version()}, stored {version(1)}  rehearsals:Texts"
    ]
    assert not rehearsal.differs


def test_what_would_not_change_is_only_counted():
    same = {"n": 1, "x": 2.0, "bytes": "AA=="}
    lines, rehearsal = different(
        change("a", n=1, x=2, bytes=b"\0"), change("b", "REMOVE"), there={"a": (version(), same)}
    )
    assert lines == []
    assert dict(rehearsal.counts) == {"unchanged": 2}
    assert not rehearsal.differs


def test_only_the_newest_of_a_batch_is_compared():
    lines, rehearsal = different(change("a", n=1), change("a", at=1, n=2), there={"a": (version(-1), {"n": 1})})
    assert lines[1:] == ["  ~ n: 1 -> 2"]
    assert dict(rehearsal.counts) == {"changed": 1}


def test_an_index_without_versions_is_compared_whatever_its_version_is():
    class Unversioned(Texts):
        versions: ClassVar = None

    search = ReadOnly()
    search.put("a", 9, {"n": 1})
    rehearsed = Rehearsed(Unversioned(), search=search)
    rehearsed.truth.table["a"] = {"id": {"S": "a"}, "n": {"N": "2"}}
    rehearsed.dispatch(change("a", n=1))
    assert [(finding.what, list(finding.fields)) for finding in rehearsed.found] == [
        ("changed", [Difference("n", wanted=2, held=1)])
    ]


def test_an_index_that_is_not_there_yet_misses_everything():
    search = ReadOnly()
    search.broken = "index_not_found_exception"
    rehearsed = Rehearsed(search=search)
    assert rehearsed.lines(change("a", n=1))[1:] == ["  + n: 1"]


def test_an_index_that_cannot_be_read_halts():
    search = ReadOnly()
    search.broken = "index_closed_exception"
    with pytest.raises(Halt, match="cannot read index texts: so it is"):
        Rehearsed(search=search).dispatch(change("a", n=1))


def test_an_address_that_leads_to_no_search_server_halts():
    error = TransportError(404, "not_found", {"error": "no such page"})
    with pytest.raises(Halt, match="answered 404: no such page"):
        Rehearsed(search=ReadOnly(error)).dispatch(change("a", n=1))


def test_an_index_that_keeps_no_documents_cannot_be_compared():
    search = ReadOnly()
    search.put("a", 1, None)
    with pytest.raises(Halt, match="index texts does not store _source"):
        Rehearsed(search=search).dispatch(change("a", n=1))


@pytest.mark.parametrize(
    "error",
    [Unreached("N/A", "refused", OSError()), TransportError(503, "busy", {}), TransportError(429, "busy", {})],
)
def test_a_server_that_does_not_cope_is_not_taken_for_one_without_the_document(error):
    rehearsed = Rehearsed(search=ReadOnly(error), retry_for=0)
    (result,) = rehearsed.dispatch(change("a", n=1)).results
    assert (result.outcome, result.status, rehearsed.found) == (Outcome.RETRY, None, [])


def test_documents_are_asked_for_many_at_once_but_not_all():
    search = ReadOnly()
    rehearsed = Rehearsed(search=search)
    rehearsed.dispatch(*(change(str(n), n=n) for n in range(701)))
    assert search.asked == [200, 500, 1]  # the dispatcher splits the batch
    assert rehearsed.rehearsal.counts["missing"] == 701


def test_items_are_not_compared_and_that_is_told():
    rehearsed = Rehearsed(Copies(), Texts(), search=ReadOnly())
    assert rehearsed.lines(s3_record("k")) == ["not compared  copies  rehearsals:Copies"]
    assert not rehearsed.rehearsal.differs


def test_nothing_is_remembered_from_batch_to_batch():
    rehearsed = Rehearsed(Items(), search=ReadOnly())
    for n in range(5):
        rehearsed.dispatch(change("a", at=n, n=1), change("a", at=n, n=2))
    assert rehearsed.rehearsal.search._found == {}  # type: ignore[attr-defined]


def test_differences_are_values_for_scripts():
    search = ReadOnly()
    search.put("a", version(-1), {"gone": None, "n": 0})
    rehearsed = Rehearsed(search=search)
    rehearsed.dispatch(change("a", n=1, new=[]))
    assert value_of(rehearsed.found[0])["fields"] == {
        "n": {"old": 0, "new": 1},
        "new": {"new": []},
        "gone": {"old": None},
    }
    assert value_of(rehearsed.found[0])["there"] == version(-1)


class Piped(Texts):
    """A route whose documents get a field from an ingest pipeline."""

    index: ClassVar = "texts"
    pipeline: ClassVar = "embed"
    computed: ClassVar = ("embedding",)


def test_fields_that_a_pipeline_makes_are_no_difference():
    search = ReadOnly()
    search.put("a", version(), {"n": 1.0, "embedding": [0.5]})
    search.put("b", version(), {"n": 2.0, "embedding": [0.5]})
    rehearsed = Rehearsed(Piped(), search=search)
    assert rehearsed.lines(change("a", n=1), change("b", n=1)) == [
        f"changed  texts/b  version {version()}  test_replay_diff:Piped",
        "  ~ n: 2.0 -> 1",
    ]
    assert rehearsed.rehearsal.counts == {"unchanged": 1, "changed": 1}
