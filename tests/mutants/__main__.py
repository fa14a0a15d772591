"""`make test-mutants`: mutate the core, and count the mutants that its tests or mypy catch.

Mutmut keeps its results in `mutants/`. Without a sample, it tries mutants for MINUTES minutes, quick ones first,
and the next run continues there. `--since REV` tries only mutants of modules that differ from that revision.
`--sample N` tries N mutants, selected at random, to the end. Their score estimates the score of the core.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from mutmut.__main__ import collect_source_file_mutation_data, create_mutants
from mutmut.stats import status_by_exit_code

CORE: Final = (
    "service/model",
    "service/routing",
    "service/pipeline",
    "service/sources",
    "service/sinks",
    "service/checkpoints",
)
MUTMUT: Final = Path(sys.executable).with_name("mutmut")
CAUGHT: Final = {"killed", "timeout", "segfault", "caught by type check"}
MISSED: Final = {"survived", "suspicious", "no tests"}


def changed_modules(revision: str) -> list[str]:
    """Return mutmut's patterns for the modules of the core that differ from a revision."""
    command = ["git", "diff", "--name-only", "--diff-filter=d", revision, "--", *CORE]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [f"{name.removesuffix('.py').replace('/', '.')}.*" for name in names if name.endswith(".py")]


def statuses() -> dict[str, str]:
    """Return the status of each mutant by its name, such as service.model.versions.x_stream_version__mutmut_9."""
    mutants, _ = collect_source_file_mutation_data(mutant_names=())
    return {name: status_by_exit_code[exit_code] for _, name, exit_code in mutants}


def sample(size: int, seed: int) -> list[str]:
    """Return the names of mutants selected at random. A change of one function keeps those of all others."""
    with contextlib.redirect_stdout(None):
        create_mutants(os.cpu_count() or 1)
    return sorted(statuses(), key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())[:size]


def report(found: dict[str, str]) -> None:
    """Print the mutants that nothing caught, and the score of each package and of the core."""
    tried, caught = Counter[str](), Counter[str]()
    for name, status in sorted(found.items()):
        if status in MISSED:
            print(f"    {name}: {status}")
        for scope in (".".join(name.split(".")[:2]), "core") if status in MISSED | CAUGHT else ():
            tried[scope] += 1
            caught[scope] += status in CAUGHT
    for scope, number in sorted(tried.items(), key=lambda item: item[0] == "core"):
        print(f"{scope}: {caught[scope]} of {number} mutants that were tried were caught")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-mutants")
    parser.add_argument("--minutes", type=float, required=True, help="the time after which it stops")
    parser.add_argument("--since", default="", help="mutate only modules that differ from this revision")
    parser.add_argument("--sample", type=int, default=0, help="try this many mutants, however long it takes")
    parser.add_argument("--seed", type=int, default=1, help="another number selects another sample")
    given = parser.parse_args()
    chosen = changed_modules(given.since) if given.since else []
    if given.since and not chosen:
        print(f"No module of the core differs from {given.since}.")
        return 0
    # On SIGINT, mutmut saves its results before it exits.
    limit = ["timeout", "--signal=INT", "--kill-after=60", f"{given.minutes * 60:.0f}"]
    if given.sample:
        chosen, limit = sample(given.sample, given.seed), []
        print(f"Running mutmut for a sample of {len(chosen)} mutants.", flush=True)
    else:
        print(f"Running mutmut for up to {given.minutes:g} minutes.", flush=True)
    subprocess.run([*limit, MUTMUT, "run", *chosen], check=False)
    found = statuses()
    report({name: found[name] for name in chosen} if given.sample else found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
