"""The command line: `python -m service COMMAND`, or `streamdex COMMAND` if the package is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..bootstrap.selection import choose
from ..errors import SettingsError, StreamdexError
from ..program import PROGRAM
from ..settings.reading import Usage
from .command_list import MODULES, command_of

EXIT_CODES = """Exit codes: 0 success, 1 differences, findings, or records that were rejected or had no route,
2 invalid usage or settings, 3 halted, 4 a server is unreachable, 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors are printed as one line on standard error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview(), end="")
        return 0 if words else 2
    try:
        return run_command(words[0], words[1:])
    except StreamdexError as error:
        print(f"streamdex: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of the output has closed the pipe, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def script() -> int:
    """Run the command `streamdex`. Routes are imported from the working directory, as with `python -m`."""
    if not sys.flags.safe_path:
        sys.path.insert(0, "")
    return main()


def overview() -> str:
    """Return the help text with one line per command."""
    commands = {name: command_of(name) for name in MODULES}
    calls = {name: " ".join([name, *command.operands]) for name, command in commands.items()}
    width = max(map(len, calls.values()))
    lines = [f"  {calls[name]:{width}}  {command.summary}" for name, command in commands.items()]
    head = f"usage: {PROGRAM} COMMAND [options]\n\ncommands:\n"
    return (
        head
        + "\n".join(lines)
        + f"\n\nTo list the options of a command, run {PROGRAM} COMMAND --help.\n{EXIT_CODES}"
    )


def run_command(name: str, words: Sequence[str]) -> int:
    """Run one command and return its exit code. Raises SettingsError for an unknown command or option."""
    if name not in MODULES:
        raise SettingsError(f"there is no command {name!r}. Commands: {', '.join(MODULES)}")
    command = command_of(name)
    usage = Usage(f"{PROGRAM} {name}", command.summary, command.example, EXIT_CODES)
    return command.run(choose(*command.options, arguments=words, operands=command.operands, usage=usage))
