"""The command line: `python -m service COMMAND`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..app import App, Chosen, choose
from ..errors import SettingsError, StreamdexError
from ..settings import setting

USAGE = """usage: python -m service COMMAND [options]

commands:
  run            read the streams of the routes' tables and the queues of READ_QUEUE, until stopped
  replay FILES   dispatch the records of recordings: JSON lines, Lambda events, dead letters
  dead-letters list|show|redrive|purge
                 what could not succeed; --letter, --route, --reason, --since and --until choose among it,
                 --json is for scripts; redrive --queue=NAME takes the dead-letter queue of an SQS queue
  settings       every setting, its value, where it came from, and its variable

Options are the same for every command: python -m service run --help lists them.
Exit codes: 0 done, 1 records were rejected or had no route, 2 usage or settings, 3 halted, 4 unreachable,
130 interrupted.
"""


@dataclass(frozen=True)
class Output:
    """How a command tells what it found."""

    json: bool = setting(False, "JSON, one value on each line, for scripts", env="STREAMDEX_JSON")


def run_container(chosen: Chosen) -> int:
    from .container import run

    with App(chosen.settings, chosen.routes) as app:
        return run(app)


def replay_recording(chosen: Chosen) -> int:
    from ..operations.replay import replay
    from ..sources.recording import Recording

    with App(chosen.settings, chosen.routes, trusting=True) as app:
        replayed = replay(map(Recording, chosen.configuration.operands), app.dispatcher)
    words = ", ".join(f"{count} {name}" for name, count in sorted(replayed.counts.items()))
    print(f"{counted(replayed.records)}: {words}" if words else "no records")
    for reason, count in replayed.unrouted.items():
        print(f"{counted(count)}: {reason}", file=sys.stderr)
    if replayed.counts["rejected"]:
        print(f"the rejected are in {chosen.settings.dead_letters}, with the reasons", file=sys.stderr)
    return 0 if replayed.complete else 1


def dead_letters(chosen: Chosen) -> int:
    from ..operations import letters

    (action,) = chosen.configuration.operands
    which = chosen.configuration.build(letters.Filter)
    as_json = chosen.configuration.build(Output).json
    with App(chosen.settings, chosen.routes) as app:
        if action == "list":
            for kept in letters.chosen(app.letters, which):
                summary = {name: value for name, value in vars(kept).items() if name != "record"}
                line = f"{kept.id}  {kept.time}  {kept.route or '-'}  {kept.reason}"
                print(json.dumps(summary) if as_json else line)
        elif action == "show":
            for kept in letters.chosen(app.letters, which):
                print(json.dumps(vars(kept), indent=None if as_json else 2))
        elif action == "redrive":
            queue = chosen.configuration.build(letters.Elsewhere).queue
            if queue:
                ends = letters.redrive_queue(app.dead_letters_of(queue), app.redriver)
            else:
                ends = letters.redrive(app.letters, which, app.dispatcher_of)
            words = ", ".join(f"{count} {name}" for name, count in sorted(ends.items())) or "no letters"
            print(json.dumps(ends) if as_json else words)
            return 0 if set(ends) <= {"applied", "stale", "skipped"} else 1
        elif action == "purge":
            removed = letters.purge(app.letters, which)
            print(json.dumps({"removed": removed}) if as_json else f"{removed} removed")
        else:
            raise SettingsError(f"dead-letters takes list, show, redrive or purge, not {action!r}")
    return 0


def counted(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"


def show_settings(chosen: Chosen) -> int:
    rows = chosen.configuration.shown()
    name_width = max(len(row.name) for row in rows)
    value_width = max(len(row.value) for row in rows)
    origin_width = max(len(row.origin) for row in rows)
    for row in rows:
        print(f"{row.name:{name_width}}  {row.value:{value_width}}  {row.origin:{origin_width}}  {row.variable}")
    return 0


def letter_options() -> Sequence[type]:
    from ..operations.letters import Elsewhere, Filter

    return [Filter, Elsewhere, Output]


@dataclass(frozen=True)
class Command:
    """What a command does, the names of its operands, and what else declares options for it."""

    run: Callable[[Chosen], int]
    operands: Sequence[str] = ()
    options: Callable[[], Sequence[type]] = tuple


COMMANDS: Mapping[str, Command] = {
    "run": Command(run_container),
    "replay": Command(replay_recording, ("FILES",)),
    "dead-letters": Command(dead_letters, ("ACTION",), letter_options),
    "settings": Command(show_settings),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; errors are one line on standard error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if words else 2
    try:
        return run_command(words[0], words[1:])
    except StreamdexError as error:
        print(f"streamdex: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run_command(name: str, words: Sequence[str]) -> int:
    """Raises SettingsError for a command or an option that is not there."""
    if name not in COMMANDS:
        raise SettingsError(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    program = f"python -m service {name}"
    return command.run(choose(*command.options(), arguments=words, operands=command.operands, program=program))
