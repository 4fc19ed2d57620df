"""Facts of all sizes of all regions, asked of the simulated Azure: ``python -m benchmarks.sizes`` (seconds).

Only the store is in memory. docs/sizes.md shows the figures.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from spotlake import keys
from spotlake.azure.http import new_session
from spotlake.azure.tokens import TokenSource
from spotlake.clock import Deadline, ManualClock
from spotlake.models import Mode, Run, run_id_of
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.settings import Settings
from spotlake.state.sizes import read_sizes
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.sizes import SizesDeps, collect_sizes
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.azure import credentials_of

SLOT_AT = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)


def main() -> None:
    objects = MemoryObjects()
    with tempfile.TemporaryDirectory() as folder, SimulatedAzure.start(Path(folder), subscriptions=1) as azure:
        azure.set_clock(SLOT_AT)
        world = azure.world()
        pairs = {region: sizes for region in world.ondemand if (sizes := world.spot_sizes(region))}
        deps = SizesDeps(
            objects=objects,
            session=new_session(),
            tokens=TokenSource(credentials_of(azure), authority_url=azure.authority_url, ca_file=azure.ca_file),
            subscriptions=azure.subscriptions,
            zones=ZoneMap({}, reference=subscription_digest(azure.subscriptions[0])),
            geographies={},
            clock=ManualClock(SLOT_AT),
            deadline=Deadline.after(600.0),
            settings=Settings(**cast("dict[str, Any]", azure.settings())),
        )
        run = Run(
            run_id=run_id_of(SLOT_AT), mode=Mode.FULL, desired_counts=(1,), started_at=SLOT_AT, owner="one", attempt=1
        )
        wall, cpu = time.monotonic(), time.process_time()
        collect_sizes(run, pairs, deps)
        print(f"{time.monotonic() - wall:.1f} s, of which {time.process_time() - cpu:.1f} s CPU of the collector")
        print(f"answers: {azure.stats()['answers']}")
    cpu = time.process_time()
    known = read_sizes(objects)
    print(f"{sum(len(one.offers) for one in known.regions.values())} offers of {len(known.regions)} regions")
    print(f"read in {time.process_time() - cpu:.2f} s CPU; failed: {dict(known.failed)}")
    for key in (keys.SIZES, keys.LATEST_SIZES):
        print(f"{key}: {len(objects.objects[key]):,} bytes")


if __name__ == "__main__":
    main()
