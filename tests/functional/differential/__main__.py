"""``python -m tests.functional.differential --examples 10000 --seed 7``: random histories, merged and told again.

Each is merged by the library over stores in memory. What it publishes is compared with what a plain model of
docs/data.md says: every row of every snapshot, of latest and of the table, and the numbers of known values.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from itertools import islice

from spotlake.usecases.merge import read_shards
from tests.functional.differential.compare import differences, shortest, told
from tests.functional.differential.histories import history
from tests.support.words import say, seed_of, whole_number

_TOLD_EVERY_SECONDS = 10.0
_FROM_0, _FROM_1 = partial(whole_number, least=0), partial(whole_number, least=1)


class _InTurn(Executor):
    """A pool without threads: over stores in memory they only wait for each other, for half of the time."""

    def __init__(self, _: int) -> None:
        """So many threads were wanted."""

    def map[Given, Made](self, make: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:  # type: ignore[override]
        """One after the other."""
        return map(make, given)


_SHOWN = 10
_COMMAND = ".venv/bin/python -m tests.functional.differential"
_STOPPED = 130  # a shell's code for what Ctrl-C ended


def main() -> int:
    """Try them. Returns 0 when the two never differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.functional.differential", description=__doc__)
    parser.add_argument("--examples", type=_FROM_1, default=10_000, help="number of histories")
    parser.add_argument("--seed", type=_FROM_0, default=None, help="the same seed tries the same histories")
    parser.add_argument("--first", type=_FROM_0, default=0, help="number of the first history of the seed")
    words = parser.parse_args()
    seed = seed_of(words.seed)
    logging.disable(logging.CRITICAL)
    vars(read_shards)["ThreadPoolExecutor"] = _InTurn
    say(f"seed {seed}")
    began = last = time.monotonic()
    merges = 0
    for number in range(words.first, words.first + words.examples):
        tried = history(seed, number)
        if any(differences(tried)):
            fewest = shortest(tried)
            say(f"history {number} of seed {seed} differs; as short as it gets:\n{told(fewest)}")
            say("\n".join(islice(differences(fewest), _SHOWN)))
            say(f"{_COMMAND} --seed {seed} --first {number} --examples 1 tries it again")
            return 1
        merges += len(tried.order)
        if time.monotonic() - last > _TOLD_EVERY_SECONDS:
            last = time.monotonic()
            say(f"{number - words.first + 1} of {words.examples} so far")
    say(f"{words.examples} histories, {merges} merges in {time.monotonic() - began:.0f} s: no difference")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("stopped: no difference so far")
        sys.exit(_STOPPED)
