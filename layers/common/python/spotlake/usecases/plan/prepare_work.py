"""Prepare a collection: the calls of this run under quota, one work item a region, the request's record.

Plan does it for an incremental run, the full run's job for itself after it has rebuilt the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Self

import orjson

from spotlake import keys
from spotlake.models import DESIRED_COUNTS, Dataset, Mode, Run, WorkItem
from spotlake.planning.catalogue import Catalogue, Difference, pairs_of
from spotlake.planning.cover import Block, cover_pairs
from spotlake.planning.lessons import Learnt
from spotlake.planning.rotation import count_of_slot, parse_sps_metadata
from spotlake.planning.run_input import RunRequest, matches
from spotlake.planning.schedule import Schedule, schedule_calls
from spotlake.planning.sweep import Sweep, cycle_minutes, move_to_plan, slots_of_window
from spotlake.planning.urgency import Priorities
from spotlake.scores.quota import QuotaRules
from spotlake.settings import Settings
from spotlake.state.call_plan import read_plan, write_plan
from spotlake.state.last_good import LastGood, read_last_good
from spotlake.state.lessons import read_learnt
from spotlake.state.sweep import read_sweep, write_sweep
from spotlake.stores.ledger import QuotaLedger
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects, read_json, write_json

REQUEST_SCHEMA = ITEM_SCHEMA = 1
_FILTERED_EFFORT_SECONDS = 1.0
_THREADS = 16


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run was asked to cover: the input's filters, or else the settings' ones."""

    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    desired_counts: tuple[int, ...] = ()
    resume: bool = False
    filtered: bool = False

    @classmethod
    def of(cls, request: RunRequest, settings: Settings) -> Self:
        """From the checked input."""
        return cls(
            regions=request.regions or settings.regions,
            instance_types=request.instance_types or settings.instance_types,
            desired_counts=request.desired_counts,
            resume=request.resume,
            filtered=bool(request.regions or request.instance_types),
        )

    def is_whole(self, settings: Settings) -> bool:
        """Whether every region that the settings collect is asked for."""
        return set(self.regions) == set(settings.regions)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """From the request's record."""
        names = ("regions", "instance_types", "desired_counts")
        return cls(
            **{name: tuple(content[name]) for name in names}, resume=content["resume"], filtered=content["filtered"]
        )

    def to_dict(self) -> dict[str, Any]:
        """For the request's record."""
        return {
            "regions": self.regions,
            "instance_types": self.instance_types,
            "desired_counts": self.desired_counts,
            "resume": self.resume,
            "filtered": self.filtered,
        }


@dataclass(frozen=True, kw_only=True)
class PrepareDeps:
    """What preparing works with.

    Attributes:
        objects: The write bucket.
        production: Production's bucket, only read.
        ledger: Quota.
        subscriptions: Ids, the reference first.
        routing: Routing locations of placement-score calls.
        settings: All of them.
        effort_seconds: How long a call plan may be improved.
    """

    objects: ObjectStore
    production: ReadOnlyObjects
    ledger: QuotaLedger
    subscriptions: tuple[str, ...]
    routing: tuple[str, ...]
    settings: Settings
    effort_seconds: float


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What was prepared.

    Attributes:
        run: The run, with the counts that were chosen.
        regions: That have a collector in this run.
        calls_planned, calls_waiting: Placement-score calls in this run, and those that do not fit.
        quota_left: Calls that could be reserved before this run.
        oldest_score_age_minutes: See ``planning.schedule``.
        notes: Why a count was chosen or a file ignored, for the log.
    """

    run: Run
    regions: tuple[str, ...]
    calls_planned: int
    calls_waiting: int
    quota_left: int
    oldest_score_age_minutes: float | None
    notes: tuple[str, ...]


def prepare_collection(
    run: Run, asked: Asked, catalogue: Catalogue, deps: PrepareDeps, *, changed: Difference | None = None
) -> Prepared:
    """Choose counts and calls, write the work items, then the request's record.

    Args:
        run: Its counts are the fallback when nothing else says which.
        asked: Filters and explicit counts.
        catalogue: Pairs that can be spot.
        deps: Stores and settings.
        changed: What a full run's listing changed, for the manifest.
    """
    learnt, last_good = read_learnt(deps.objects), read_last_good(deps.objects)
    pairs = _pairs_to_score(catalogue, asked, learnt, run.mode)
    blocks, sweep = _plan_blocks(pairs, asked, deps)
    share = _share_percent(deps)
    rules = QuotaRules.of(
        quota_calls=deps.settings.quota_calls,
        window_minutes=deps.settings.quota_window_minutes,
        share_percent=share,
    )
    free = deps.ledger.free(deps.routing, now_at=run.slot_at, subscriptions=deps.subscriptions, rules=rules)
    window_calls = len(deps.routing) * len(deps.subscriptions) * rules.calls
    short = len(blocks) > window_calls // slots_of_window(deps.settings.quota_window_minutes)
    in_sweep = short and run.mode is not Mode.FULL and not asked.desired_counts
    run, notes = _with_counts(run, asked, sweep, deps.production, in_sweep=in_sweep)
    if in_sweep and window_calls:
        hours = cycle_minutes(len(blocks), window_calls, deps.settings.quota_window_minutes) / 60
        notes = (*notes, f"with this quota every score is asked again after about {hours:.1f} hours")
    regions = tuple(sorted(pairs_of(catalogue, asked.regions or None)))
    schedule = schedule_calls(
        blocks,
        desired_counts=None if in_sweep else run.desired_counts,
        free=free,
        health=learnt.weights(deps.routing, run.slot_at),
        collectors=regions,
        sweep=sweep,
        now_at=run.slot_at,
        priorities=Priorities(
            regions=deps.settings.priority_regions, instance_types=deps.settings.priority_instance_types
        ),
    )
    run = replace(run, desired_counts=schedule.desired_counts)
    items = [_item(run, region, catalogue, asked, schedule, share, last_good, deps) for region in regions]
    _write_items(deps.objects, run, items)
    write_request(
        deps.objects,
        run,
        asked,
        schedule=schedule,
        items=items,
        changed=changed,
        collected_at=last_good.collected_at,
    )
    return Prepared(
        run=run,
        regions=regions,
        calls_planned=schedule.planned,
        calls_waiting=schedule.waiting,
        quota_left=sum(free.values()),
        oldest_score_age_minutes=schedule.oldest_age_minutes,
        notes=notes,
    )


def write_request(
    objects: ObjectStore,
    run: Run,
    asked: Asked,
    *,
    schedule: Schedule | None = None,
    items: Sequence[WorkItem] = (),
    changed: Difference | None = None,
    collected_at: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Record what was asked of a run and which shards it should leave; a full run's job completes it."""
    content: dict[str, Any] = {"run": run.to_dict(), "asked": asked.to_dict(), "prepared": schedule is not None}
    if schedule is not None:
        regions = [item.region for item in items]
        content |= {
            "regions": regions,
            "shards": {
                Dataset.SPS.value: [item.region for item in items if item.calls],
                Dataset.PRICE.value: regions,
                Dataset.EVICTION.value: regions,
            },
            "pairs": sum(len(item.instance_types) for item in items),
            "calls_planned": schedule.planned,
            "calls_waiting": schedule.waiting,
            "oldest_score_age_minutes": schedule.oldest_age_minutes,
            "blocks": schedule.blocks,
            "calls_by_region": {item.region: [call.call_id for call in item.calls] for item in items if item.calls},
            "catalogue": changed.to_dict() if changed else None,
            "collected_at": {region: (collected_at or {}).get(region, {}) for region in regions},
        }
    write_json(objects, keys.run_request(run.slot_at), content, schema=REQUEST_SCHEMA)


def read_item(objects: ReadOnlyObjects, run: Run, region: str) -> WorkItem | None:
    """The work item of a region, or None when none was written."""
    content, _ = read_json(objects, keys.work_item(run.slot_at, region), schema=ITEM_SCHEMA)
    return WorkItem.from_dict(content) if content else None


def _pairs_to_score(catalogue: Catalogue, asked: Asked, learnt: Learnt, mode: Mode) -> dict[str, list[str]]:
    """Region -> sizes: the catalogue's, filtered; names that Azure refused wait for the next full run."""
    retry = mode is Mode.FULL
    found = {}
    for region, sizes in pairs_of(catalogue, asked.regions or None).items():
        if region in learnt.invalid.regions and not retry:
            continue
        kept = [
            size
            for size in sizes
            if matches(size, asked.instance_types) and (retry or size not in learnt.invalid.instance_types)
        ]
        if kept:
            found[region] = kept
    return found


def _plan_blocks(
    pairs: Mapping[str, Sequence[str]], asked: Asked, deps: PrepareDeps
) -> tuple[tuple[Block, ...], Sweep]:
    """The call plan for these pairs, and the sweep that goes with it; stored unless the input filtered."""
    digest = sha256(orjson.dumps({region: sorted(sizes) for region, sizes in sorted(pairs.items())})).hexdigest()[:16]
    known_digest, known = read_plan(deps.objects)
    if digest == known_digest:
        return known, read_sweep(deps.objects)
    if asked.filtered:
        return cover_pairs(pairs, effort_seconds=_FILTERED_EFFORT_SECONDS).blocks, Sweep()
    blocks = cover_pairs(pairs, effort_seconds=deps.effort_seconds, start=known).blocks
    sweep = move_to_plan(read_sweep(deps.objects), known, blocks, pairs)
    write_sweep(deps.objects, sweep)
    write_plan(deps.objects, digest, blocks)
    return blocks, sweep


def _share_percent(deps: PrepareDeps) -> int:
    """Our share of the quota: the setting, or half where production's configuration shows that it uses it too."""
    if deps.settings.quota_share_percent:
        return deps.settings.quota_share_percent
    return 50 if deps.production.get(keys.PRODUCTION_SPS_METADATA) is not None else 100


def _with_counts(
    run: Run, asked: Asked, sweep: Sweep, production: ReadOnlyObjects, *, in_sweep: bool
) -> tuple[Run, tuple[str, ...]]:
    """The run with its counts, and why they were chosen."""
    if asked.desired_counts:
        return replace(run, desired_counts=asked.desired_counts), ()
    if run.mode is Mode.FULL:
        return replace(run, desired_counts=(1,)), ()
    if in_sweep:
        note = f"the quota is short: desired count {sweep.desired_count} until its sweep is finished"
        return replace(run, desired_counts=(sweep.desired_count,)), (note,)
    stored = production.get(keys.PRODUCTION_SPS_METADATA)
    position = parse_sps_metadata(stored.body if stored else None, run.slot_at.date())
    if position.index is None:
        note = f"{position.ignored}; the desired count follows the timestamp"
        return replace(run, desired_counts=(count_of_slot(run.slot_at),)), (note,)
    return replace(run, desired_counts=(DESIRED_COUNTS[position.index],)), ()


def _item(
    run: Run,
    region: str,
    catalogue: Catalogue,
    asked: Asked,
    schedule: Schedule,
    share_percent: int,
    last_good: LastGood,
    deps: PrepareDeps,
) -> WorkItem:
    sizes = tuple(size for size in catalogue.pairs[region] if matches(size, asked.instance_types))
    due = last_good.ondemand_is_due(region, run.slot_at, deps.settings.ondemand_refresh_hours)
    return WorkItem(
        run_id=run.run_id,
        region=region,
        instance_types=sizes,
        calls=schedule.calls.get(region, ()),
        fallback_locations=schedule.fallbacks,
        ondemand=run.mode is Mode.FULL or due,
        filtered=bool(asked.instance_types),
        quota_share_percent=share_percent,
        last_good_rows=dict(last_good.rows.get(region, {})),
        stored=_stored_datasets(run, region, deps.objects) if asked.resume else (),
    )


def _stored_datasets(run: Run, region: str, objects: ReadOnlyObjects) -> tuple[str, ...]:
    return tuple(one.value for one in Dataset if objects.get(keys.shard(one, run.slot_at, region)) is not None)


def _write_items(objects: ObjectStore, run: Run, items: Sequence[WorkItem]) -> None:
    def write(item: WorkItem) -> None:
        write_json(objects, keys.work_item(run.slot_at, item.region), item.to_dict(), schema=ITEM_SCHEMA)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(write, items))
