"""``python -m tests.mutants --sample 12 --seed 7``: how many small changes of the library do the quick tests notice?

mutmut makes the changes (an operator, a number, a text, an argument, a branch) and tries each in a fork with the
tests that reach it. A mutant that no test notices has survived: a fault there could come in unseen.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.mutants.forks import Forks
from tests.mutants.scores import Verdict, below_their_floors, nothing_called, table
from tests.mutants.trials import Trials
from tests.mutants.workspace import prepare
from tests.support.words import say, seed_of, whole_number

_STOPPED = 130  # a shell's code for what Ctrl-C ended
_TOLD_EVERY_SECONDS = 10.0


def main() -> int:
    """Try a sample of mutants. Returns 0 when every module reaches its floor."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "--sample", type=partial(whole_number, least=0), default=12, help="mutants of each module; 0 tries all of them"
    )
    parser.add_argument(
        "--seed",
        type=partial(whole_number, least=0),
        nargs="+",
        help="the same seeds try the same mutants: a sample for each, judged together",
    )
    parser.add_argument("--module", action="append", default=[], help="this one alone, as stores.objects or merge.*")
    parser.add_argument(
        "--rest", action="store_true", help="what mutmut never changes: constants, f-strings, dropped statements, order"
    )
    given = parser.parse_args()
    seeds: list[int] = given.seed or [seed_of(None)]
    drawn = " ".join(map(str, seeds))
    workspace = Path(__file__).parents[2] / "build" / "mutants"
    survivors = workspace / "survivors.txt"
    verdicts: list[Verdict] = []
    stop_quietly(lambda: f"stopped: {tried(verdicts)}; SEED='{drawn}' tries the same changes again")
    say(f"seed {drawn}")
    os.environ["TZ"] = "Asia/Kathmandu"  # a change from UTC to the machine's own time must show
    time.tzset()
    prepare(workspace)
    trials = _forks(workspace) if given.rest else Trials.generate(workspace)
    if wrong := nothing_called(given.module, trials.modules):
        parser.error(f"argument --module: {wrong}")
    say("looking which tests reach what: minutes at first and after a change of the library, else seconds")
    trials.learn()
    names = trials.sample(modules=given.module, most=given.sample, seeds=seeds)
    if not trials.pass_unchanged(names):
        say("tests fail on the library as it is (above): no verdict would mean anything")
        return 1
    told_at = time.monotonic()
    with survivors.open("w", encoding="utf-8") as file:
        for verdict in trials.verdicts(names):
            verdicts.append(verdict)
            if verdict.survived:
                file.write(verdict.told)
                file.flush()
            if time.monotonic() - told_at > _TOLD_EVERY_SECONDS:
                told_at = time.monotonic()
                say(f"{tried(verdicts)}, of {len(names):,}")
    say(table(verdicts))
    if any(verdict.survived for verdict in verdicts):
        say(f"what survived: {survivors}")
        say("write a test that fails with each; one that nobody could see belongs into tests/mutants/equivalent.toml")
    below = below_their_floors(verdicts)
    for line in below:
        say(f"BELOW ITS FLOOR: {line}")
    return 1 if below else 0


def _forks(workspace: Path) -> Forks:
    return Forks(
        workspace.parents[1],
        statistics=workspace / "mutants/mutmut-stats.json",
        note=lambda: Trials.generate(workspace).learn(),
    )


def tried(verdicts: list[Verdict]) -> str:
    """How far the trial is."""
    return f"{sum(verdict.survived for verdict in verdicts):,} survived of {len(verdicts):,} tried"


def stop_quietly(told: Callable[[], str]) -> None:
    """On Ctrl-C say how far it came, and end at once: pytest and mutmut would make tracebacks of it."""
    parent, screen = os.getpid(), os.dup(1)  # pytest turns the first one away

    def stop(*_: object) -> None:
        if os.getpid() == parent:
            os.write(screen, f"\n{told()}\n".encode())
        os._exit(_STOPPED)

    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    sys.exit(main())
