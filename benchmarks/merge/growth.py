"""The merge of larger worlds: ``python -m benchmarks.merge.growth`` (ten minutes) prints CPU seconds and peak memory.

Every size is sold again under further names, so that a world of ten times has 626,660 pairs. Exit code 1 when the merge
of the largest world takes more than its function has, or when it grows faster than the worlds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.merge.__main__ import best
from benchmarks.merge.prepared import prepare
from cdk.settings import FUNCTION_SIZES
from spotlake.names import is_spot_eligible
from spotlake_local.azure.world import World

TIMES = (1, 2, 4, 10)
MOST_GROWTH = 1.25  # of CPU seconds a pair; a fresh process touches its memory for the first time


def larger(times: int) -> World:
    """The simulated world with so many times its sizes."""
    world = World()
    for sold in world.ondemand.values():
        spot = {size: price for size, price in sold.items() if is_spot_eligible(size)}
        sold |= {f"{size}_x{copy}": price for size, price in spot.items() for copy in range(2, times + 1)}
    return world


def main() -> int:
    """Measure each world in a process of its own, from the smallest on."""
    parser = argparse.ArgumentParser(description="Measure the merge of larger worlds.")
    parser.add_argument("--times", type=int, nargs="+", default=TIMES, metavar="N", help="how many times today's sizes")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="the best of N is shown (default: 3)")
    arguments = parser.parse_args()
    found = {}
    print("| world | CPU seconds | a pair, of 1 x | peak MB | changed items |")
    print("|---:|---:|---:|---:|---:|")
    for times in arguments.times:
        with tempfile.TemporaryDirectory(prefix="spotlake-bench-") as name:
            folder = Path(name)
            prepare(folder, azure=larger(times), for_others=False)
            one = found[times] = best("benchmarks.merge.in_folder", folder, folder / "merged", times=arguments.runs)
        growth = one["cpu_seconds"] / times / (found[arguments.times[0]]["cpu_seconds"] / arguments.times[0])
        print(f"| {times} x | {one['cpu_seconds']:.2f} | {growth:.2f} | {one['peak_mb']:.0f} | {one['changed']:,} |")
    last = found[arguments.times[-1]]
    return int(last["peak_mb"] > FUNCTION_SIZES["merge"].memory_mb or growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
