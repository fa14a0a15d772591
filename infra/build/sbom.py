"""`python -m infra.build.sbom`: list the packages of an image from the lock file, as CycloneDX 1.6 in JSON."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from service.errors import SettingsError, StreamdexError

from .contents import PAGE, requirements
from .declared import ROOT

TOOL: Final = ROOT / "build/sbom/bin/cyclonedx-py"


def main(words: Sequence[str] | None = None) -> int:
    """Write the list, and return the exit code. An error is one line on standard error."""
    parser = argparse.ArgumentParser("python -m infra.build.sbom", allow_abbrev=False)
    parser.add_argument("--func", default="", help="only the packages of these route modules, separated by commas")
    parser.add_argument("--out", default=ROOT / "dist/streamdex.cdx.json", type=Path, help="the output file")
    options = parser.parse_args(words)
    try:
        write(tuple(name for name in options.func.split(",") if name), options.out)
    except StreamdexError as error:
        print(f"build: {error}", file=sys.stderr)
        return error.exit_code
    print(options.out)
    return 0


def write(func: Sequence[str], out: Path) -> None:
    """Write the list of the packages that the routes of FUNC need. The same input gives the same bytes.

    The tool validates the list against the CycloneDX schema. Raises SettingsError.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as lines:
        lines.write("\n".join(requirements(func, [PAGE])) + "\n")
        lines.flush()
        command = [str(TOOL), "requirements", f"--pyproject={ROOT / 'pyproject.toml'}", "--output-reproducible"]
        command += ["--spec-version=1.6", "--output-format=JSON", f"--output-file={out}", "--validate", lines.name]
        if subprocess.run(command, check=False).returncode:
            raise SettingsError("cyclonedx-py could not write the list. Its output is above")


if __name__ == "__main__":
    sys.exit(main())
