"""`python -m infra.build.contents FOLDER`: write the contents of an image, for the Dockerfile.

`FOLDER/app` is the code, `FOLDER/requirements.txt` the packages of the lock file that it needs, and
`FOLDER/lambda.txt` the additional packages of an image for Lambda.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from service.errors import StreamdexError

from .declared import ROOT, declared
from .function import contents
from .listing import chosen_modules
from .lock import closure, pins

PAGE: Final = "operations"
"""The extra of the container's page."""

LAMBDA: Final = "lambda-image"
"""The extra of the runtime client, which receives events from Lambda."""


def main(words: Sequence[str] | None = None) -> int:
    """Write the contents, and return the exit code. An error is one line on standard error."""
    parser = argparse.ArgumentParser("python -m infra.build.contents", allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--func", default="", help="only these route modules, separated by commas")
    options = parser.parse_args(words)
    func = tuple(name for name in options.func.split(",") if name)
    try:
        write_code(options.folder / "app", func)
        common = requirements(func, [PAGE])
        further = set(requirements(func, [PAGE, LAMBDA])) - set(common)
    except StreamdexError as error:
        print(f"build: {error}", file=sys.stderr)
        return error.exit_code
    (options.folder / "requirements.txt").write_text("\n".join(common) + "\n", encoding="utf-8")
    (options.folder / "lambda.txt").write_text("\n".join(sorted(further)) + "\n", encoding="utf-8")
    return 0


def write_code(folder: Path, func: Sequence[str]) -> None:
    """Write the code, the selected routes and the configuration as files. Raises SettingsError."""
    for name, content in contents(func).items():
        where = folder / name
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(content)


def requirements(func: Sequence[str], extras: Sequence[str]) -> list[str]:
    """Return the packages of the selected routes and of some extras, as requirement lines for this interpreter.

    Raises SettingsError.
    """
    said = declared()
    roots = said.needed_by(chosen_modules(ROOT / "routes", func))
    roots += [name for extra in extras for name in said.extras[extra]]
    locked = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    return [pin.line() for pin in closure(locked, roots, {}, said.leave_out)]


if __name__ == "__main__":
    sys.exit(main())
