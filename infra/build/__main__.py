"""`python -m infra.build TARGET`: build one artifact into `dist/` and print its file, size and digest."""

from __future__ import annotations

import argparse
import hashlib
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from service.errors import StreamdexError

from .archive import unzipped_bytes
from .declared import ROOT, declared

TARGETS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "layer": ("layer", ("python",)),
    "lambda": ("function", ("env",)),
    "image": ("image", ()),
    "wheel": ("wheel", ()),
    "examples": ("examples", ()),
}
"""The module of each target, and the options that its `build` takes in addition to FUNC, ARCH and the folder."""

ARCHITECTURES: Final = ("x86_64", "arm64")


def main(words: Sequence[str] | None = None) -> int:
    """Build, and return the exit code. An error is one line on standard error."""
    options = parser().parse_args(words)
    module, takes = TARGETS[options.target]
    func = tuple(name for name in options.func.split(",") if name)
    further = {name: getattr(options, name) for name in takes}
    try:
        build = import_module(f".{module}", __package__).build
        for made in build(func, options.arch, options.out, **further):
            print(described(made))
    except StreamdexError as error:
        print(f"build: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("python -m infra.build", description=__doc__, allow_abbrev=False)
    made.add_argument("target", choices=sorted(TARGETS))
    made.add_argument("--func", default="", help="only these route modules, separated by commas")
    made.add_argument(
        "--arch", default=here(), choices=ARCHITECTURES, help="the processor (default: the one of this machine)"
    )
    made.add_argument("--env", default="", help="the deployment whose names are added to the configuration")
    made.add_argument(
        "--python",
        default=declared().python,
        help="the Python version of the Lambda runtime; `here`: this interpreter",
    )
    made.add_argument("--out", default=ROOT / "dist", type=Path, help="the output folder")
    return made


def here() -> str:
    """Return the AWS name of this machine's processor."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def described(made: Path) -> str:
    """Return a line with the file, its size in bytes (packed and unpacked) and its digest."""
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    unzipped = unzipped_bytes(made)
    sizes = f"{made.stat().st_size} bytes" + (f", {unzipped} unzipped" if unzipped is not None else "")
    return f"{made}: {sizes}, sha256 {digest}"


if __name__ == "__main__":
    sys.exit(main())
