"""Reads what a slot's attempts collected: their plans, and every shard that they should have written."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import blake2b

from spotlake import keys
from spotlake.errors import ShardRefusedError
from spotlake.merge.columns import Columns
from spotlake.merge.slot import AttemptRead, RefusedShard, SlotRead
from spotlake.models import Dataset, Mode, run_id_of
from spotlake.planning.run_input import matches
from spotlake.scores.accounts import Key, SlotAccount
from spotlake.shards import open_shard
from spotlake.state.attempts import known_end, known_record, known_work
from spotlake.stores.objects import ReadOnlyObjects

_READ_THREADS = 16


def read_slot(objects: ReadOnlyObjects, slot_at: datetime, attempts: Sequence[int]) -> SlotRead:
    """Read every shard that the attempts should have written. A missing or refused shard affects no other shard.

    Raises:
        StoreError: An object that exists cannot be read.
    """
    read = SlotRead(slot_at=slot_at, attempts=[])
    digest = blake2b(digest_size=8)
    for number in sorted(attempts):
        attempt = AttemptRead(
            record=known_record(objects, slot_at, number),
            work=known_work(objects, slot_at, number),
            failures=known_end(objects, slot_at, number),
        )
        read.attempts.append(attempt)
        digest.update(number.to_bytes(8))
        for body in _read_attempt(objects, attempt, read.columns):
            # Gzip ends in a checksum of the whole content.
            digest.update(b"-" if body is None else body[-64:] + len(body).to_bytes(8))
    read.columns.spell_once()
    if len(read.attempts) > 1:
        read.columns.settle()
    read.digest, read.unknown_zone_rows = digest.hexdigest(), read.columns.unknown_zone_rows
    read.account = SlotAccount.fold(
        _asked(read.attempts),
        read.columns.scored_pairs(),
        (account for report in read.reports for account in report.accounts),
    )
    return read


def _read_attempt(objects: ReadOnlyObjects, attempt: AttemptRead, columns: Columns) -> Iterable[bytes | None]:
    """Read an attempt's shards into the columns. Yields the bodies of the shards, None for a missing one."""
    run = attempt.record.run
    expected = _expected(objects, attempt)
    regions = None if attempt.work is None else frozenset(attempt.work.items)
    globs = attempt.record.scope.instance_types
    wanted = functools.cache(lambda size: matches(size, globs)) if globs else None
    slot_at, run_id = run.slot_at, run_id_of(run.slot_at)
    shard_keys = [keys.shard(dataset, slot_at, region, run.attempt) for dataset, region in expected]
    with ThreadPoolExecutor(_READ_THREADS) as pool:
        for key, (dataset, region), stored in zip(shard_keys, expected, pool.map(objects.get, shard_keys), strict=True):
            body = None if stored is None else stored.body
            yield body
            if body is None:
                attempt.refused.append(RefusedShard(key=key, dataset=dataset, region=region, reason="missing"))
                continue
            try:
                shard = open_shard(
                    body,
                    key=key,
                    dataset=dataset,
                    run_id=run_id,
                    region=region,
                    attempt=run.attempt,
                )
                columns.read(shard, key, regions=regions, wanted=wanted)
                attempt.reports.append(shard.header.report)
            except ShardRefusedError as error:
                attempt.refused.append(RefusedShard(key=key, dataset=dataset, region=region, reason=error.reason))


def _expected(objects: ReadOnlyObjects, attempt: AttemptRead) -> list[tuple[Dataset, str]]:
    """The shards that an attempt should have written; for an attempt without a plan, the stored shards.

    They are in order of region and data set, so that a slot is folded the same with and without its plan. A full run
    lists prices before it plans. A region that turns out to sell nothing has no work, but its empty listing is a look.
    """
    run, work = attempt.record.run, attempt.work
    found = set() if work is None else set(work.shards())
    if work is None or run.mode is Mode.FULL:
        for dataset in Dataset if work is None else (Dataset.PRICE,):
            for key in objects.keys(keys.shards_of_slot(dataset, run.slot_at)):
                region, number = keys.region_and_attempt(key)
                if number == run.attempt:
                    found.add((dataset, region))
    order = {dataset: place for place, dataset in enumerate(Dataset)}
    return sorted(found, key=lambda one: (one[1], order[one[0]]))


def _asked(attempts: Iterable[AttemptRead]) -> dict[Key, set[str]]:
    """(scored region, desired count) -> owed sizes that the attempts' calls ask."""
    asked: defaultdict[Key, set[str]] = defaultdict(set)
    for attempt in attempts:
        if attempt.work is None:
            continue
        called: defaultdict[tuple[tuple[str, ...], int], set[str]] = defaultdict(set)
        for call in attempt.work.calls():  # many calls are through the same regions
            called[call.regions, call.desired_count].update(call.instance_types)
        owed = attempt.work.owed_sizes()
        for (regions, count), sizes in called.items():
            for region in regions:
                asked[region, count] |= sizes & owed.get(region, frozenset())
    return {key: sizes for key, sizes in asked.items() if sizes}
