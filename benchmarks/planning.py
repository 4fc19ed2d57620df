"""Call planning: ``python -m benchmarks.planning`` prints calls, bound, ratio, CPU seconds and memory of each case.

The cases are the whole catalogue, catalogues with pairs left out at random (the same every time), 13 random
regions, single families, and a plan that starts from yesterday's. Exit code 1 when a case misses its figure.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rich.console import Console

from spotlake.planning.cover import Block, cover_pairs, lower_bound
from spotlake_local.commands.plan_calls import read_catalogue

CATALOGUE = Path(__file__).parents[1] / "local/spotlake_local/azure/data/azure-ondemand-prices.csv.gz"
_SEED = 20251215

type Sizes = dict[str, set[str]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A set of pairs, and the calls and seconds it may take.

    Attributes:
        name: For the table.
        pairs: Region -> sizes.
        most_calls, most_seconds: Figures to keep.
        effort_seconds, start: As ``cover_pairs`` takes them.
    """

    name: str
    pairs: Sizes
    most_calls: int
    most_seconds: float
    effort_seconds: float = 1.0
    start: Sequence[Block] = ()


def cases(pairs: Sizes, effort_seconds: Sequence[float]) -> Iterator[Case]:
    """Every case; ``effort_seconds`` are those of the whole catalogue besides the default."""
    yield Case(name="whole catalogue", pairs=pairs, most_calls=1_735, most_seconds=1.0)
    for effort in effort_seconds:
        name, most_calls = f"whole catalogue, effort {effort:g} s", 1_728 if effort >= 60 else 1_735
        yield Case(name=name, pairs=pairs, most_calls=most_calls, most_seconds=effort * 1.2, effort_seconds=effort)
    for percent, most_ratio in ((1, 1.03), (5, 1.05), (20, 0.0)):
        ragged = without(pairs, percent)
        most_calls = int(most_ratio * lower_bound(ragged)) if most_ratio else 1_690
        yield Case(name=f"{percent} % left out", pairs=ragged, most_calls=most_calls, most_seconds=10)
    yesterday = cover_pairs(pairs).blocks
    lost = without(pairs, 5)
    yield Case(
        name="5 % left out, from yesterday", pairs=lost, most_calls=len(yesterday), most_seconds=10, start=yesterday
    )
    some = Random(_SEED).sample(sorted(pairs), 13)  # noqa: S311 - the same regions every time
    parts = {"13 regions": {region: pairs[region] for region in some}}
    for family in ("Standard_D", "Standard_E"):
        found = {region: {size for size in sizes if size.startswith(family)} for region, sizes in pairs.items()}
        parts[f"{family} alone"] = found
    for name, part in parts.items():
        yield Case(name=name, pairs=part, most_calls=int(1.01 * lower_bound(part)), most_seconds=10)


def without(pairs: Sizes, percent: int) -> Sizes:
    """The pairs without so many percent of them, chosen at random: the same ones every time."""
    every = sorted((region, size) for region, sizes in pairs.items() for size in sizes)
    gone = set(Random(_SEED).sample(every, len(every) * percent // 100))  # noqa: S311 - the same pairs every time
    return {region: {size for size in sizes if (region, size) not in gone} for region, sizes in pairs.items()}


def _measure(case: Case, console: Console) -> bool:
    began = time.process_time()  # of one core, whatever else the machine does
    plan = cover_pairs(case.pairs, effort_seconds=case.effort_seconds, start=case.start)
    seconds = time.process_time() - began
    calls, bound = len(plan.blocks), plan.lower_bound
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    good = calls <= case.most_calls and seconds <= case.most_seconds
    console.print(
        f"{case.name:30} pairs {sum(map(len, case.pairs.values())):6,}  calls {calls:5,} (at most "
        f"{case.most_calls:,})  bound {bound:5,}  ratio {calls / bound:.4f}  {seconds:5.2f} s  {megabytes:3.0f} MB"
        f"{'' if good else '  MISSED'}"
    )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.planning", description="Measure call planning.")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="csv or csv.gz (default: the simulator's)")
    parser.add_argument("--effort-seconds", type=float, nargs="*", default=[60.0], metavar="S")
    arguments = parser.parse_args()
    console = Console(width=160, highlight=False)
    pairs, _ = read_catalogue(arguments.catalogue)
    missed = [case.name for case in cases(pairs, arguments.effort_seconds) if not _measure(case, console)]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
