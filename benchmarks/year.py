"""A virtual year of an archive: 365 days, one slot in six hours, and everything that goes wrong in a year.

``python -m benchmarks.year`` prints the seed, what happened, and what is untrue at the end (nothing). After the year
come forty calm days, in which what was sold no longer is retired and forgotten. Exit code 1 when something is untrue,
or when the merged state is larger than 1.2 x that of an archive that begins now.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from random import SystemRandom

from rich.console import Console

from spotlake.settings import Settings
from tests.functional.archive.year import Year, fresh, made_again, newest_state
from tests.functional.archive.year_truth import state_bytes, untruths

CALM_DAYS = 40
MOST_GROWTH = 1.2
_LAST = 25


def main() -> int:
    """Live a year, compare, print."""
    parser = argparse.ArgumentParser(description="A virtual year of an archive.")
    parser.add_argument(
        "--seed", type=int, default=SystemRandom().randrange(10**6), help="(default: drawn, and printed)"
    )
    parser.add_argument("--days", type=float, default=365.0, help="(default: 365)")
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    logging.disable(logging.CRITICAL)  # damaged documents are what this is about
    console.print(f"seed {arguments.seed}")
    began = time.monotonic()
    # Forgetting takes 34 days in place of 104, so that the calm days show it.
    year = Year(seed=arguments.seed, settings=Settings(retired_ttl_days=20))
    with console.status("living") as status:
        for month in range(round(arguments.days / 30) + 1):
            status.update(f"living since {year.clock.now():%Y-%m-%d}")
            year.live(min(30.0, arguments.days - 30 * month))
        status.update("calm days")
        year.live(CALM_DAYS, calm=True)
    wrong = untruths(year)
    before = newest_state(year).encode()
    growth = state_bytes(year) / state_bytes(fresh(year))
    console.print(", ".join(f"{name} {number}" for name, number in sorted(year.happened.items())))
    console.print(
        f"{(time.monotonic() - began) / 60:.1f} minutes, until {year.clock.now():%Y-%m-%d}; "
        f"state {growth:.2f} x a fresh one's, at most {year.most_pairs} pairs; "
        f"{len(year.told)} messages; untrue: {len(wrong)}"
    )
    for one in wrong[:_LAST]:
        console.print(f"  {one}")
    with console.status("rebuilding from everything that was collected"):
        same = made_again(year) == before
    console.print(f"made again from raw shards, without records: the same bytes: {same}")
    return 0 if not wrong and same and growth <= MOST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
