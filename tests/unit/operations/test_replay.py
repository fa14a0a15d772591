"""A replay dispatches every record, tries again what may succeed later, and says when it could not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import stream_record
from fakes import Bench, Items

from service.dispatch import Outcome, Result
from service.errors import Unreachable
from service.operations.replay import replay
from service.sources.recording import Recording

BUSY = Result(Outcome.RETRY, "busy")


def recording(tmp_path, *names: str) -> Recording:
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(json.dumps(stream_record(new={"id": n}, sequence=n)) for n in names))
    return Recording(path)


def run(tmp_path, bench: Bench, *names: str) -> Any:
    return replay([recording(tmp_path, *names)], bench.dispatcher)


def test_every_record_is_counted_once(tmp_path):
    replayed = run(tmp_path, Bench(Items()), "1", "2")
    assert (replayed.records, dict(replayed.counts), replayed.complete) == (2, {"applied": 2}, True)


def test_what_may_succeed_later_is_tried_again(tmp_path):
    bench = Bench(Items(), forced={"2": [BUSY, BUSY]}, tries=True)
    assert dict(run(tmp_path, bench, "1", "2").counts) == {"applied": 2}


def test_what_never_succeeds_is_told_with_the_reason(tmp_path):
    bench = Bench(Items(), forced={"2": [BUSY]})
    with pytest.raises(Unreachable, match=r"1 records .*busy.*1 are done"):
        run(tmp_path, bench, "1", "2")


def test_replaying_again_changes_nothing(tmp_path):
    bench = Bench(Items())
    run(tmp_path, bench, "1", "2")
    before = dict(bench.index.documents)
    run(tmp_path, bench, "1", "2")
    assert bench.index.documents == before
