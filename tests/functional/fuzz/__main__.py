"""``python -m tests.functional.fuzz --examples 10000 --seed 7``: many generated answers for each API.

Each API is tried in a process of its own. What that process needs beyond its first runs, less what drawing the same
answers needs in another process, and what a collector needs that has done nothing yet, must be less than the memory of
the API's function.
"""

from __future__ import annotations

import argparse
import logging
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from cdk.settings import FUNCTION_SIZES
from tests.functional.fuzz.answers import Reply
from tests.functional.fuzz.apis import APIS
from tests.functional.fuzz.worlds import FuzzedWorld, in_memory
from tests.functional.merge.test_real_store import Site
from tests.support.emulator import start_emulator
from tests.support.words import say, seed_of, whole_number

_IDLE = """
import resource, boto3, azure.identity
from spotlake import telemetry, wiring
made = [boto3.Session(region_name="us-west-2").client(name) for name in ("s3", "dynamodb")]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
_FIRST = 20  # examples, after which all is imported and was used once
_TOLD_EVERY_SECONDS = 10.0
_FROM_0, _FROM_1 = partial(whole_number, least=0), partial(whole_number, least=1)
_BATCH = 1000


def main() -> int:
    """Try every API, or one. Returns 0 when all held."""
    parser = argparse.ArgumentParser(prog="python -m tests.functional.fuzz", description=__doc__)
    parser.add_argument("--examples", type=_FROM_1, default=10_000, help="answers for each API")
    parser.add_argument(
        "--on-aws",
        type=_FROM_0,
        default=100,
        help="of them so many over S3 and DynamoDB of the local AWS",
    )
    parser.add_argument("--seed", type=_FROM_0, default=None, help="the same seed tries the same answers")
    parser.add_argument("--api", choices=APIS, action="append", help="this one alone; may be given several times")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--draw", action="store_true", help=argparse.SUPPRESS)
    given_words = parser.parse_args()
    number = seed_of(given_words.seed)
    if given_words.draw:
        say(str(_draw(given_words.api[0], given_words.examples - given_words.on_aws, number)))
        return 0
    if given_words.here:
        _try_one(given_words.api[0], given_words.examples, number, given_words.on_aws)
        return 0
    say(f"seed {number}")
    failed = []
    for name in given_words.api or APIS:
        words = ["--api", name, "--seed", number, "--examples", given_words.examples, "--on-aws", given_words.on_aws]
        command = [sys.executable, "-m", "tests.functional.fuzz", "--here", *map(str, words)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    say(f"{', '.join(failed)}: see above; --seed {number} tries the same again" if failed else "all held")
    return int(bool(failed))


class _Tally:
    """How the examples of one API ended."""

    def __init__(self, name: str, drawing_mb: int) -> None:
        self.name, self.ended = name, Counter[str]()
        self.idle_mb, self.before_mb, self.drawing_mb = _idle_mb(), 0, drawing_mb
        self.memory_mb = FUNCTION_SIZES[APIS[name].function].memory_mb
        self.began = self.told = time.monotonic()

    def add(self, ended: str) -> None:
        self.ended[ended] += 1
        if time.monotonic() - self.told > _TOLD_EVERY_SECONDS:
            self.told = time.monotonic()
            say(f"{self.name}: {self.ended.total()} so far")

    def warm(self) -> None:
        """All is imported and was used once."""
        self.before_mb = _peak_mb()

    def end(self, *, alone: bool = True) -> None:
        """Say how the examples ended. With nothing else in the process, hold their memory against the function's."""
        megabytes = self.idle_mb + max(0, _peak_mb() - self.before_mb - self.drawing_mb)
        ways = ", ".join(f"{number} {way}" for way, number in self.ended.most_common())
        seconds = time.monotonic() - self.began
        say(f"{self.name}: {self.ended.total()} in {seconds:.0f} s, at most {megabytes} of {self.memory_mb} MB; {ways}")
        assert megabytes < self.memory_mb or not alone


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _idle_mb() -> int:
    """Memory of a collector that has only been imported."""
    return int(subprocess.run([sys.executable, "-c", _IDLE], check=True, capture_output=True, text=True).stdout)


def _drawing_mb(name: str, examples: int, number: int) -> int:
    """Memory that drawing the same answers takes, and doing nothing with them."""
    words = ["--draw", "--api", name, "--seed", number, "--examples", examples, "--on-aws", 0]
    command = [sys.executable, "-m", "tests.functional.fuzz", *map(str, words)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _draw(name: str, examples: int, number: int) -> int:
    _for_all(name, _FIRST, number, lambda _: None)
    before = _peak_mb()
    _in_batches(name, examples - _FIRST, number, lambda _: None)
    return _peak_mb() - before


def _in_batches(name: str, examples: int, number: int, use: Callable[[list[Reply]], None]) -> None:
    for batch, count in enumerate(range(examples, 0, -_BATCH), 1):  # Hypothesis remembers every example of a batch
        _for_all(name, min(count, _BATCH), number + batch, use)


def _for_all(name: str, count: int, number: int, use: Callable[[list[Reply]], None]) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        use(data.draw(APIS[name].answers))

    run()


def _try_one(name: str, examples: int, number: int, on_aws: int) -> None:
    """Raise AssertionError, or whatever a collector or the merge lets out, for the first answer that breaks a rule."""
    logging.disable(logging.CRITICAL)
    api, tally = APIS[name], _Tally(name, _drawing_mb(name, examples - on_aws, number))

    def try_in(new_world: Callable[[], FuzzedWorld]) -> Callable[[list[Reply]], None]:
        return lambda replies: tally.add(new_world().run_all(api.dataset, api.collect(replies)))

    _for_all(name, _FIRST, number, try_in(in_memory))
    tally.warm()
    _in_batches(name, examples - on_aws - _FIRST, number, try_in(in_memory))
    tally.end()
    if on_aws:
        with start_emulator() as aws:

            def on_local_aws() -> FuzzedWorld:
                site = Site(aws)
                return FuzzedWorld(site, site.items)

            _for_all(name, on_aws, number, try_in(on_local_aws))
        tally.end(alone=False)  # the clients of AWS take memory of their own


if __name__ == "__main__":
    sys.exit(main())
