"""The code of the examples: `service`, `routes` and `examples`, for functions with their own handlers."""

from __future__ import annotations

from pathlib import Path

from .archive import write_zip
from .declared import ROOT
from .function import PAGE, code, contents


def build(func: tuple[str, ...], arch: str, out: Path) -> list[Path]:
    """Build one zip for all examples and architectures: `streamdex-examples.zip`."""
    examples = dict(code(ROOT / "examples", lambda name: not name.endswith(".py")))
    found = {name: content for name, content in contents(func).items() if not name.startswith(PAGE)}
    return [write_zip(out / "streamdex-examples.zip", found | examples)]
