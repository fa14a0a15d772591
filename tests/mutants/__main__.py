"""`make test-mutants`: mutate the core for MINUTES minutes, and count the mutants that its tests catch.

Mutmut keeps its results in `mutants/`, and the next run continues there. With `--since REV`, only modules that
differ from that revision are mutated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

CORE: Final = (
    "service/model",
    "service/routing",
    "service/pipeline",
    "service/sources",
    "service/sinks",
    "service/checkpoints",
)
MUTMUT: Final = Path(sys.executable).with_name("mutmut")
STATISTICS: Final = Path("mutants/mutmut-cicd-stats.json")


def changed_modules(revision: str) -> list[str]:
    """Return mutmut's patterns for the modules of the core that differ from a revision."""
    command = ["git", "diff", "--name-only", "--diff-filter=d", revision, "--", *CORE]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [f"{name.removesuffix('.py').replace('/', '.')}.*" for name in names if name.endswith(".py")]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-mutants")
    parser.add_argument("--minutes", type=float, required=True, help="the time after which it stops")
    parser.add_argument("--since", default="", help="mutate only modules that differ from this revision")
    given = parser.parse_args()
    patterns = changed_modules(given.since) if given.since else []
    if given.since and not patterns:
        print(f"No module of the core differs from {given.since}.")
        return 0
    print(f"Running mutmut for up to {given.minutes:g} minutes.", flush=True)
    # On SIGINT, mutmut saves its results before it exits.
    limit = ["timeout", "--signal=INT", "--kill-after=60", f"{given.minutes * 60:.0f}"]
    subprocess.run([*limit, MUTMUT, "run", *patterns], check=False)
    subprocess.run([MUTMUT, "results"], check=True)
    subprocess.run([MUTMUT, "export-cicd-stats"], check=True, stdout=subprocess.DEVNULL)
    found = json.loads(STATISTICS.read_text())
    caught = found["killed"] + found["timeout"]
    tried = caught + found["survived"] + found["suspicious"] + found["no_tests"]
    print(f"{caught} of {tried} mutants that were tried were caught ({found['total']} in all).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
