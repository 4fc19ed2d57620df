"""Finds the slots of an archive, and the attempts that a merge has folded or began to fold, without the chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Dataset, run_id_of
from spotlake.planning.attempt import FIRST_FORM
from spotlake.run_files import parse_manifest
from spotlake.state.attempts import attempts_of, has_ended, known_record
from spotlake.state.merged_states import Head
from spotlake.stores.objects import ReadOnlyObjects

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class MergedSlot:
    """A slot and the sorted numbers of its merged attempts."""

    slot_at: datetime
    attempts: tuple[int, ...]


def find_merged_slots(
    objects: ReadOnlyObjects, head: Head, *, since: datetime | None, until: datetime
) -> list[MergedSlot]:
    """Slots with merged attempts, in order of time.

    Args:
        objects: The write bucket.
        head: The chain, as far as it can be read.
        since: The first slot to look for; None: the archive's first.
        until: The last day to look at.

    Raises:
        StoreError: The bucket cannot be listed or read.
    """
    found = set(_slots_of_keys(objects, since, until))
    merged = (MergedSlot(slot_at, merged_attempts(objects, head, slot_at)) for slot_at in sorted(found))
    return [one for one in merged if one.attempts]


def _slots_of_keys(objects: ReadOnlyObjects, since: datetime | None, until: datetime) -> Iterator[datetime]:
    for folder in keys.folders_of_slots():
        for part in _parts(folder, since, until):
            for key in objects.keys(part):
                slot_at = keys.slot_in(folder, key)
                if slot_at is not None and (since is None or slot_at >= since):
                    yield slot_at


def _parts(folder: str, since: datetime | None, until: datetime) -> Sequence[str]:
    """The folder's days from ``since`` on: older years are not listed."""
    if since is None:
        return [folder]
    days = range((until.date() - since.date()).days + 1)
    return [keys.folder_of_day(folder, since.date() + day * _DAY) for day in days]


def merged_attempts(objects: ReadOnlyObjects, head: Head, slot_at: datetime) -> tuple[int, ...]:
    """Attempts of a slot that reached a merge: by the chain, the manifest, and the ends that merges write first.

    An attempt that died before its merge counts only where others count on it, or where nothing but raw shards is left
    of the slot.
    """
    entry = head.run(run_id_of(slot_at))
    recorded = attempts_of(objects, slot_at)
    merged = {
        *(entry.attempts if entry is not None else ()),
        *_attempts_in_manifest(objects, slot_at),
        *(number for number in recorded if number == FIRST_FORM or has_ended(objects, slot_at, number)),
    }
    with_shards = _attempts_with_shards(objects, slot_at)
    merged |= with_shards & {FIRST_FORM} if merged or recorded else with_shards
    for number in sorted(merged):
        merged.update(known_record(objects, slot_at, number).includes)
    return tuple(sorted(merged))


def _attempts_in_manifest(objects: ReadOnlyObjects, slot_at: datetime) -> set[int]:
    key = keys.manifest(slot_at)
    stored = objects.get(key)
    try:
        return set() if stored is None else {one["attempt"] for one in parse_manifest(stored.body, key)["attempts"]}
    except StoreError:  # damaged: the other sources are asked alone
        return set()


def _attempts_with_shards(objects: ReadOnlyObjects, slot_at: datetime) -> set[int]:
    return {
        keys.region_and_attempt(key)[1]
        for dataset in Dataset
        for key in objects.keys(keys.shards_of_slot(dataset, slot_at))
    }
