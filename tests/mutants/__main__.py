"""``python -m tests.mutants --sample 12 --seed 7``: how many small changes of the library do the quick tests notice?

mutmut makes the changes (an operator, a number, a text, an argument, a branch) and tries each in a fork with the
tests that reach it. A mutant that no test notices has survived: a fault there could come in unseen.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from pathlib import Path

from tests.mutants.scores import below_their_floors, table
from tests.mutants.trials import Trials
from tests.mutants.workspace import prepare

_TOLD_EVERY_SECONDS = 10.0


def main() -> int:
    """Try a sample of mutants. Returns 0 when every module reaches its floor."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=12, help="mutants of each module; 0 tries all of them")
    parser.add_argument("--seed", type=int, default=None, help="the same seed tries the same mutants")
    parser.add_argument("--module", action="append", default=[], help="this one alone, as stores.objects or merge.*")
    given = parser.parse_args()
    seed = secrets.randbelow(2**32) if given.seed is None else given.seed
    say(f"seed {seed}")
    workspace = prepare(Path(__file__).parents[2])
    os.chdir(workspace)
    os.environ["TZ"] = "Asia/Kathmandu"  # a change from UTC to the machine's own time must show
    time.tzset()
    trials = Trials.generate(workspace)
    names = trials.sample(modules=given.module, most=given.sample, seed=seed)
    if not trials.pass_unchanged(names):
        say("tests fail on the library as it is (above): no verdict would mean anything")
        return 1
    survivors = workspace / "survivors.txt"
    verdicts = []
    told_at = time.monotonic()
    with survivors.open("w", encoding="utf-8") as file:
        for verdict in trials.verdicts(names):
            verdicts.append(verdict)
            if verdict.survived:
                file.write(verdict.told)
                file.flush()
            if time.monotonic() - told_at > _TOLD_EVERY_SECONDS:
                told_at = time.monotonic()
                lived = sum(verdict.survived for verdict in verdicts)
                say(f"{len(verdicts):,} of {len(names):,} tried, {lived:,} survived")
    say(table(verdicts))
    say(f"what survived: {survivors}")
    below = below_their_floors(verdicts)
    for line in below:
        say(f"BELOW ITS FLOOR: {line}")
    return 1 if below else 0


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
