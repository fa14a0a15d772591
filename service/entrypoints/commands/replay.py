"""`replay`: the records of recordings, once more."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ...app import App, Chosen
from .command import Command, Output, counted, tell


def replay_recording(chosen: Chosen) -> int:
    from ...operations.replay import replay
    from ...sources.recording import Recording

    with App(chosen.settings, chosen.routes, trusting=True) as app:
        replayed = replay(map(Recording, chosen.configuration.operands), app.dispatcher)
    words = ", ".join(f"{count} {name}" for name, count in sorted(replayed.counts.items()))
    tell(chosen, replayed.counts, f"{counted(replayed.records)}: {words}" if words else "no records")
    for reason, count in replayed.unrouted.items():
        print(f"{counted(count)}: {reason}", file=sys.stderr)
    if replayed.counts["rejected"]:
        print(f"the rejected are in {chosen.settings.dead_letters}, with the reasons", file=sys.stderr)
    return 0 if replayed.complete else 1


def options() -> Sequence[type]:
    return [Output]


COMMAND = Command(
    replay_recording,
    "dispatch the records of recordings: JSON lines, Lambda events, dead letters",
    example="recording.jsonl --func=images",
    operands=("FILES",),
    options=options,
)
