"""How good plans are that nobody tuned for: ``python -m benchmarks.planning_seeds`` (half an hour on one core).

The planner's seed and temperature were chosen on the real catalogue. So here the same method plans, with seeds 1 to 5,
the real catalogue, ten listings from which 30 sizes are removed at random, and one without 5 % of its pairs. The
distance is the number of calls above the bound, below which no plan can be.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from random import Random

from benchmarks.planning import CATALOGUE, Sizes, without
from spotlake.planning.cover import cover_pairs
from spotlake_local.commands.plan_calls import read_catalogue

SEEDS = range(1, 6)
EFFORTS_SECONDS = (1.0, 10.0)
LISTINGS, REMOVED_SIZES = 10, 30


def instances() -> Iterator[tuple[str, list[Sizes]]]:
    """The groups of listings, by name."""
    pairs, _ = read_catalogue(CATALOGUE)
    yield "the real catalogue", [pairs]
    sizes = sorted(set[str]().union(*pairs.values()))
    fewer = []
    for number in range(LISTINGS):
        gone = set(Random(number).sample(sizes, REMOVED_SIZES))  # noqa: S311 - the same listings every time
        fewer.append({region: there - gone for region, there in pairs.items()})
    yield f"{LISTINGS} listings without {REMOVED_SIZES} sizes", fewer
    yield "5 % of the pairs left out", [without(pairs, 5)]


def main() -> None:
    """Print the table, a line as soon as it is known."""
    _say("| listings | effort | plans | bound | calls above it, mean | least | most | mean share | CPU s a plan |")
    _say("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, listings in instances():
        for effort in EFFORTS_SECONDS:
            began = time.process_time()
            plans = [cover_pairs(one, effort_seconds=effort, seed=seed) for one in listings for seed in SEEDS]
            seconds = (time.process_time() - began) / len(plans)
            above = [len(plan.blocks) - plan.lower_bound for plan in plans]
            bounds = [plan.lower_bound for plan in plans]
            share = statistics.mean(one / bound for one, bound in zip(above, bounds, strict=True))
            bound_text = f"{min(bounds):,}" if min(bounds) == max(bounds) else f"{min(bounds):,} to {max(bounds):,}"
            _say(
                f"| {name} | {effort:g} | {len(plans)} | {bound_text} | {statistics.mean(above):.1f} | {min(above)} | "
                f"{max(above)} | {share:.2%} | {seconds:.1f} |"
            )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
