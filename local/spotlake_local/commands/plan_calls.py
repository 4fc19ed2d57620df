"""``spotlake plan-calls``: plans the fewest placement-score calls that cover a catalogue."""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from spotlake.errors import InvalidInputError
from spotlake.names import is_collected_region, is_spot_eligible
from spotlake.planning.cover import CallPlan, cover_pairs
from spotlake.planning.run_input import matches, require_known_regions
from spotlake_local.arguments import add_command

if TYPE_CHECKING:
    from rich.console import Console

_EPILOG = """\
examples:
  spotlake plan-calls --catalogue prices.csv.gz --out plan.json
  spotlake plan-calls --catalogue prices.csv.gz --regions eastus westus --instance-types 'Standard_D*' --out plan.json

plan.json: {"calls": [{"regions": [...], "instance_types": [...]}, ...], "lower_bound": N}"""
_COLUMNS = ("armRegionName", "armSkuName")
type Catalogue = dict[str, set[str]]


def add_parser(subparsers: Any) -> None:
    """Add ``plan-calls`` to the command line."""
    parser = add_command(
        subparsers,
        "plan-calls",
        summary="plan the fewest placement-score calls for a catalogue of regions and sizes",
        description="Covers every (region, size) pair of a catalogue with calls of at most 8 regions x 5 sizes, and "
        "says how near that is to the number that no plan can beat. The same input and effort give the same plan.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--catalogue", type=Path, required=True, metavar="FILE", help=f"csv or csv.gz with {', '.join(_COLUMNS)}"
    )
    parser.add_argument("--regions", nargs="+", default=[], metavar="CODE", help="only these ARM codes (default: all)")
    parser.add_argument(
        "--instance-types", nargs="+", default=[], metavar="GLOB", help="only sizes that fit (default: all)"
    )
    parser.add_argument(
        "--effort-seconds", type=float, default=1.0, metavar="S", help="how long to improve, about (default: 1)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write the plan (JSON)")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Plan the calls, write the plan, print its size."""
    from rich.console import Console

    console = Console()
    if not 0 <= arguments.effort_seconds <= 3600:
        raise InvalidInputError("--effort-seconds", arguments.effort_seconds, "0 to 3600")
    pairs, dropped = read_catalogue(arguments.catalogue)
    require_known_regions(arguments.regions, pairs)
    pairs = filtered(pairs, arguments.regions, arguments.instance_types)
    if not pairs:
        text = " ".join(arguments.instance_types)
        raise InvalidInputError("--instance-types", text, "globs that fit a size of the catalogue")
    began = time.perf_counter()
    plan = _planned(pairs, arguments.effort_seconds, console)
    seconds = time.perf_counter() - began
    write_plan(plan, arguments.out)
    for reason, number in sorted(dropped.items()):
        console.print(f"dropped {number:,} rows: {reason}")
    calls, bound = len(plan.blocks), plan.lower_bound
    console.print(f"pairs {sum(map(len, pairs.values())):,}  calls {calls:,}  lower bound {bound:,}  "
                  f"ratio {calls / bound:.4f}  seconds {seconds:.2f}")  # fmt: skip
    return 0


def _planned(pairs: Catalogue, effort_seconds: float, console: Console) -> CallPlan:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("planning"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("planning", total=1.0)
        return cover_pairs(
            pairs, effort_seconds=effort_seconds, on_progress=lambda part: progress.update(task, completed=part)
        )


def read_catalogue(path: Path) -> tuple[Catalogue, Counter[str]]:
    """Region -> sizes that can be spot, and why the other rows were dropped.

    Raises:
        InvalidInputError: The file is not there, is not gzip as its name says, or lacks a column.
    """
    pairs: Catalogue = {}
    dropped: Counter[str] = Counter()
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for row in _checked_rows(file, path):
                region, size = row["armRegionName"].strip(), row["armSkuName"].strip()
                if not is_collected_region(region):
                    dropped["not a public region"] += 1
                elif not is_spot_eligible(size):
                    dropped["never spot (B series, promo, no Standard size)"] += 1
                else:
                    pairs.setdefault(region, set()).add(size)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InvalidInputError("--catalogue", str(path), f"a readable csv or csv.gz ({error})") from None
    return pairs, dropped


def _checked_rows(file: TextIO, path: Path) -> csv.DictReader[str]:
    rows = csv.DictReader(file)
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise InvalidInputError("--catalogue", str(path), f"a csv that has the columns {', '.join(missing)}")
    return rows


def filtered(pairs: Catalogue, regions: list[str], globs: list[str]) -> Catalogue:
    """Keep some regions and sizes. A region without sizes is dropped."""
    found = {
        region: {size for size in sizes if matches(size, globs)}
        for region, sizes in pairs.items()
        if not regions or region in regions
    }
    return {region: sizes for region, sizes in found.items() if sizes}


def write_plan(plan: CallPlan, path: Path) -> None:
    """Write ``{"calls": [{"regions", "instance_types"}], "lower_bound"}``; InvalidInputError when that cannot be."""
    calls = [{"regions": block.regions, "instance_types": block.instance_types} for block in plan.blocks]
    try:
        path.write_bytes(orjson.dumps({"calls": calls, "lower_bound": plan.lower_bound}))
    except OSError as error:
        raise InvalidInputError("--out", str(path), f"a file that can be written ({error.strerror})") from None
