"""75 regions that each sell 1,700 sizes: ``python -m benchmarks.many_regions`` (two minutes) tries every step on them.

Today's catalogue has 58 regions and 63,371 pairs; regions of the lists of 2025 and 2026 that do not sell yet stand for
the others. Each step runs in a process of its own. Exit code 1 when one takes more than its Lambda has.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.merge.__main__ import best
from benchmarks.merge.prepared import prepare
from cdk.settings import FUNCTION_SIZES
from spotlake.azure.price_rules import choose_prices
from spotlake.clock import ManualClock
from spotlake.models import Mode, Run, run_id_of
from spotlake.planning.attempt import AttemptRecord
from spotlake.planning.catalogue import Catalogue, fold_listing
from spotlake.planning.scope import Scope
from spotlake.settings import Settings
from spotlake.state.attempts import write_record
from spotlake.state.catalogue import change_catalogue, read_catalogue
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.prepare_work import PrepareDeps, prepare_collection
from spotlake_local.azure.retail_rows import PriceList
from spotlake_local.azure.world import Region, World

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
REGIONS, SIZES, SUBSCRIPTIONS = 75, 1_700, 20
# Names seen in lists of 2025 and 2026, besides those that sell today.
COMING = (
    "taiwannorth", "indiasouthcentral", "israelnorthwest", "eastus3", "southeastus", "southeastus3", "southeastus5",
    "southwestus", "southcentralus2", "northeastus5", "saudiarabiaeast", "southeastasia3", "northeurope3",
    "taiwannorthwest", "malaysiasouth", "singaporecentral", "singaporenorth",
)  # fmt: skip


def many_regions() -> World:
    """The simulated world with so many regions and sizes; every pair has a price."""
    world = World()
    known = [region for region in world.regions if world.spot_sizes(region)]
    codes = [*known, *COMING][:REGIONS]
    sizes = sorted({size for region in known for size in world.spot_sizes(region)})
    sizes = [*sizes, *(f"Standard_D{number}s_v9" for number in range(2, 100))][:SIZES]
    world.regions = {
        code: world.regions.get(code) or Region(code, code.upper(), code.title(), 3, "", "") for code in codes
    }
    world.ondemand = {code: dict.fromkeys(sizes, 1.0) for code in codes}
    return world


def plan() -> dict[str, Any]:
    """What Plan does in a slot: the call plan anew, then again when it is known."""
    world, objects = many_regions(), MemoryObjects()
    listing = {region: list(sizes) for region, sizes in world.ondemand.items()}
    change_catalogue(objects, lambda one: fold_listing(one, SLOT_AT.date(), listing, {}, keep_days=7))
    deps = PrepareDeps(
        objects=objects,
        production=MemoryObjects(),
        ledger=MemoryLedger(),
        clock=ManualClock(SLOT_AT),
        subscriptions=tuple(map(str, range(SUBSCRIPTIONS))),
        routing=tuple(world.regions),
        settings=Settings(),
        effort_seconds=1.0,
    )
    seconds = []
    for attempt in (1, 2):
        run = Run(
            run_id=run_id_of(SLOT_AT),
            mode=Mode.INCREMENTAL,
            desired_counts=(1,),
            started_at=SLOT_AT,
            owner="benchmark",
            attempt=attempt,
        )
        began = time.process_time()
        record = write_record(objects, AttemptRecord(run=run, scope=Scope()))
        work = prepare_collection(record, read_catalogue(objects) or Catalogue(), deps).work
        seconds.append(time.process_time() - began)
    pairs = sum(len(item.instance_types) for item in work.items.values())
    said = f"{pairs:,} pairs, {work.calls_planned:,} calls, then {seconds[1]:.1f} s with the plan known"
    return {"cpu_seconds": seconds[0], "said": said}


def prices() -> dict[str, Any]:
    """What the price collector does with one region's on-demand and spot rows."""
    world = many_regions()
    region = next(iter(world.ondemand))
    rows = [row for row in PriceList(world).rows(region, SLOT_AT) if row["type"] == "Consumption"]
    began = time.process_time()
    chosen = choose_prices(rows, region=region, now_at=SLOT_AT)
    seconds = time.process_time() - began
    return {"cpu_seconds": seconds, "said": f"{len(rows):,} rows, {len(chosen.spot):,} spot prices of one region"}


STEPS: Mapping[str, Callable[[], dict[str, Any]]] = {"plan": plan, "price": prices}


def main() -> int:
    found = {name: _in_its_own_process(name) for name in STEPS}
    with tempfile.TemporaryDirectory(prefix="spotlake-bench-") as name:
        folder = Path(name)
        prepare(folder, azure=many_regions())
        merged = best("benchmarks.merge.ours", folder, folder / "ours", times=1)
    found["merge"] = merged | {"said": f"{merged['changed']:,} items changed"}
    print("| step | CPU seconds | peak MB | of | what |")
    print("|---|---:|---:|---:|---|")
    for name, one in found.items():
        memory_mb = FUNCTION_SIZES[name].memory_mb
        print(f"| {name} | {one['cpu_seconds']:.1f} | {one['peak_mb']:.0f} | {memory_mb} | {one['said']} |")
    return int(any(one["peak_mb"] > FUNCTION_SIZES[name].memory_mb for name, one in found.items()))


def _in_its_own_process(step: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", __spec__.name, step], stdout=subprocess.PIPE, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(main())
    result = STEPS[sys.argv[1]]()
    print(json.dumps(result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
