"""Reads what the attempts of a slot have got so far. A resumed attempt asks only for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spotlake import keys
from spotlake.errors import ShardRefusedError
from spotlake.models import Dataset, run_id_of
from spotlake.reports import CollectorReport
from spotlake.shard_rows import ScoreRow
from spotlake.shards import open_shard, parse_rows
from spotlake.state.attempts import attempts_of, known_record, known_work
from spotlake.stores.objects import ReadOnlyObjects

type Key = tuple[str, int]  # region, desired count


@dataclass(frozen=True, kw_only=True)
class SlotAnswers:
    """Answers that a slot has.

    Attributes:
        attempts: Attempts that gave the answers. They are merged together with an attempt that counts on them.
        desired_counts: Counts that these attempts asked.
        answered: (scored region, desired count) -> sizes with an answer, with or without a score.
        whole: Region -> listings that the slot has whole. Placement scores are never among them.
    """

    attempts: tuple[int, ...] = ()
    desired_counts: tuple[int, ...] = ()
    answered: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    whole: Mapping[str, frozenset[Dataset]] = field(default_factory=dict)

    def missing_pairs(self, pairs: Mapping[str, Sequence[str]], desired_count: int) -> dict[str, list[str]]:
        """Region -> sizes of ``pairs`` without an answer at this count. A region without such sizes is left out."""
        missing = {
            region: [size for size in sizes if size not in self.answered.get((region, desired_count), ())]
            for region, sizes in pairs.items()
        }
        return {region: sizes for region, sizes in missing.items() if sizes}


def read_slot_answers(objects: ReadOnlyObjects, slot_at: datetime, instance_types: Sequence[str]) -> SlotAnswers:
    """Read every answer that the slot's attempts have stored, whether or not it is merged.

    A damaged shard counts as no answer. A listing of other sizes than those asked now does not count as whole.

    Args:
        objects: The write bucket.
        slot_at: The slot.
        instance_types: Globs of the sizes that are asked now.

    Raises:
        StoreError: A stored object cannot be read.
    """
    attempts = attempts_of(objects, slot_at)
    counts: dict[int, None] = {}
    answered: defaultdict[Key, set[str]] = defaultdict(set)
    whole: defaultdict[str, set[Dataset]] = defaultdict(set)
    wide: set[int] = set()
    for attempt in attempts:
        work, record = known_work(objects, slot_at, attempt), known_record(objects, slot_at, attempt)
        counts.update(dict.fromkeys(work.run.desired_counts if work else ()))
        if record.known and set(record.scope.instance_types) in (set(), set(instance_types)):
            wide.add(attempt)
    for dataset in Dataset:
        for key in objects.keys(keys.shards_of_slot(dataset, slot_at)):
            region, attempt = keys.region_and_attempt(key)
            report, rows = _read_shard(objects, key, dataset, slot_at, region, attempt)
            if report is None:
                continue
            if dataset is not Dataset.SPS and report.status == "complete" and attempt in wide:
                whole[region].add(dataset)
            for row in rows:
                answered[row.region, row.desired_count].add(row.instance_type)
            for account in report.accounts:
                for sizes in account.without_score.values():
                    answered[account.region, account.desired_count].update(sizes)
    return SlotAnswers(
        attempts=attempts,
        desired_counts=tuple(counts),
        answered={key: frozenset(sizes) for key, sizes in answered.items()},
        whole={region: frozenset(datasets) for region, datasets in whole.items()},
    )


def _read_shard(
    objects: ReadOnlyObjects, key: str, dataset: Dataset, slot_at: datetime, region: str, attempt: int
) -> tuple[CollectorReport | None, list[ScoreRow]]:
    """A shard's report, and its rows if they are scores; (None, []) for a missing or damaged shard."""
    stored = objects.get(key)
    if stored is None:
        return None, []
    run_id = run_id_of(slot_at)
    try:
        shard = open_shard(stored.body, key=key, dataset=dataset, run_id=run_id, region=region, attempt=attempt)
        rows = parse_rows(shard, key, ScoreRow) if dataset is Dataset.SPS else []
    except ShardRefusedError:
        return None, []
    return shard.header.report, rows
