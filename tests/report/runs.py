"""Runs that went wrong, stored as the merge stores them, and manifests of the first schema."""

from __future__ import annotations

from typing import Any

import orjson

from spotlake import keys
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.run_files import JobRecord
from spotlake.state.attempts import write_record, write_work
from spotlake.state.checkpoints import write_job_record
from tests.functional.merge.conftest import FIRST, REGION, SIZE, World
from tests.report.conftest import reported

SENTENCE = "sign-in: Failed to resolve 'login.microsoftonline.com'"
EXIT = Failure(error="AzureError", cause="the job ended with exit code 69: Azure failed for good")


def failed_run() -> tuple[World, Run]:
    """A full run of which nothing came: its job could not sign in. The manifest has the state machine's words."""
    world = World()
    run = Run.from_dict({**world.run(0).to_dict(), "mode": Mode.FULL.value})
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    job: JobRecord = {
        "attempts": 1, "seconds": 40.0, "instance_type": None, "collectors": [], "memory": [],
        "error": "SignInUnavailableError", "cause": SENTENCE,
    }  # fmt: skip
    write_job_record(world.objects, run, job)
    world.merge(run, failures=[EXIT])
    reported(world, run, azure="live", collectors=[])
    return world, run


def starved_run() -> tuple[World, Run]:
    """Prices and rates came; no score could be asked, for the quota was used up."""
    world = World()
    run = world.run(0)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    items = {REGION: WorkItem(region=REGION, instance_types=(SIZE,))}
    write_work(world.objects, Work(run=run, items=items, calls_waiting=319, oldest_waiting_minutes=None))
    world.shard(run, Dataset.PRICE, [world.price(SIZE, 0.01)])
    world.shard(run, Dataset.EVICTION, [{"region": REGION, "instance_type": SIZE, "eviction_band": "0-5",
                                         "interruption_frequency": 3.0}])  # fmt: skip
    world.merge(run)
    reported(world, run)
    return world, run


def first_schema(**changes: Any) -> dict[str, Any]:
    """A manifest as it was written before attempts had numbers (schema 1)."""
    return {
        "schema": 1, "complete": True, "run_id": "20251215T1000Z", "mode": "full", "desired_counts": [1],
        "filtered": False, "status": "complete", "regions_requested": 1, "regions_complete": 1, "pairs": 1,
        "coverage": {"sps": 100.0, "price": 100.0, "eviction": 100.0}, "coverage_percent": 100.0,
        "coverage_sufficient": True, "sps_calls": 3, "calls_planned": 3, "calls_unsent": 0, "calls_waiting": 0,
        "throttled_calls": 0, "oldest_score_age_minutes": 0.0, "stale": [], "stale_regions": 0, "refused_shards": [],
        "collectors": [
            {"dataset": name, "region": REGION, "status": "complete", "rows": 1, "seconds": 1.0, "counts": {}}
            for name in ("sps", "spot_price", "spot_if")
        ],
        "rows": {"sps": 1, "price": 1, "eviction": 1, "merged": 1}, "rows_difference_percent": None,
        "changed_rows": 1, "written_items": 1, "items_left": 0, "consumed_write_units": 1.0, "write_throttles": 0,
        "seconds": {"read": 0.1, "fold": 0.1, "upsert": 0.1, "write": 0.1, "total": 0.4},
        "merged_at": "2025-12-15T10:01:00Z", "outputs": [],
        **changes,
    }  # fmt: skip


# As it was stored on 2026-11-25 of a run in which nothing came (only what matters here).
NOTHING_CAME: dict[str, Any] = {
    "regions_requested": 0,
    "regions_complete": 0,
    "pairs": 0,
    "coverage": {"sps": 100.0, "price": 0.0, "eviction": 0.0},
    "coverage_percent": 33.33,
    "coverage_sufficient": False,
    "sps_calls": 0,
    "calls_planned": 0,
    "collectors": [],
    "rows": {"sps": 0, "price": 0, "eviction": 0, "merged": 0},
}
# The same of a second run with one subscription, whose quota was used up.
NOTHING_ASKED: dict[str, Any] = {
    "mode": "incremental",
    "sps_calls": 0,
    "calls_planned": 0,
    "calls_waiting": 319,
    "oldest_score_age_minutes": None,
    "rows": {"sps": 0, "price": 1, "eviction": 1, "merged": 1},
}


def stored_first_schema(**changes: Any) -> World:
    """An archive with one run of the first schema and its snapshot."""
    world = World()
    world.merge(world.collected(0, scores={"1": 3}))
    world.objects.put(keys.manifest(FIRST), orjson.dumps(first_schema(**changes)))
    return world
