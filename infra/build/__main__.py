"""`python -m infra.build TARGET`: builds one thing into `dist/` and says what it has become."""

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
"""For each target its module, and which options its `build` takes beyond FUNC, ARCH and the folder."""

ARCHITECTURES: Final = ("x86_64", "arm64")


def main(words: Sequence[str] | None = None) -> int:
    """Builds; errors are one line on standard error."""
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
    made.add_argument("--func", default="", help="only these modules of routes (commas between them)")
    made.add_argument(
        "--arch", default=here(), choices=ARCHITECTURES, help="the processor; without it, this one's"
    )
    made.add_argument("--env", default="", help="the deployment whose names go into the configuration")
    made.add_argument(
        "--python", default=declared().python, help="the version of Lambda's Python, or `here`: this interpreter"
    )
    made.add_argument("--out", default=ROOT / "dist", type=Path, help="the folder to build into")
    return made


def here() -> str:
    """This machine's processor, by its name at AWS."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def described(made: Path) -> str:
    """Name, bytes as they are and unpacked, and the digest, in one line."""
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    unzipped = unzipped_bytes(made)
    sizes = f"{made.stat().st_size} bytes" + (f", {unzipped} unzipped" if unzipped is not None else "")
    return f"{made}: {sizes}, sha256 {digest}"


if __name__ == "__main__":
    sys.exit(main())
