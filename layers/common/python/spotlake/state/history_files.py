"""The files of the change history: truth, replaced on condition only (docs/history.md)."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from spotlake import keys
from spotlake.errors import DamagedStateError
from spotlake.history.blocks import Block, joined, ordered
from spotlake.history.changes import SlotChanges
from spotlake.history.fields import CHANGES, FRAME, KEYS, TIME_NOTES, TIMES, VALUES
from spotlake.history.files import DAY, NOTES, REGION, STATE, STATE_WITH_TIMES, from_parquet, replaced, to_parquet
from spotlake.history.index import SCHEMA, Index
from spotlake.history.replay import replay
from spotlake.merge.state import slot_number
from spotlake.models import slot_of_run_id
from spotlake.stores.documents import decode_json, write_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

CONTENT_TYPE = "application/vnd.apache.parquet"
_COMPACTED_AGAIN_DAYS = 31  # by an index that was made again; what the chain may still change is in it


@dataclass(frozen=True)
class Kept:
    """Which states the changes of a slot are the difference of, by short digests of their names."""

    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class SlotFacts:
    """What a slot's snapshot was made with, beside its frame.

    Attributes:
        desired_count: The count of its scores.
        name_casing: The casing of its names.
        retire_after_days: After how many days of absence a workload was left out.
    """

    desired_count: int
    name_casing: str
    retire_after_days: int


@dataclass(frozen=True, kw_only=True)
class DayPart:
    """One of the two files of a day.

    Attributes:
        block: Its rows.
        kept: By run id: what the slot's rows were made from.
        facts: By run id, in the file of times alone.
        etag: Entity tag; None when there is no file yet.
    """

    block: Block
    kept: dict[str, Kept] = field(default_factory=dict)
    facts: dict[str, SlotFacts] = field(default_factory=dict)
    etag: str | None = None


@dataclass(frozen=True, kw_only=True)
class DayFiles:
    """A day as read: its rows, and the times that do not follow from them."""

    day: date
    rows: DayPart
    times: DayPart

    def kept(self, run_id: str) -> Kept | None:
        """What the slot is made from; None when it is in neither file, or not the same in both."""
        rows, times = self.rows.kept.get(run_id), self.times.kept.get(run_id)
        return rows if rows == times else None


class HistoryReader:
    """The files of one bucket, as read."""

    def __init__(self, objects: ReadOnlyObjects) -> None:
        """Bind the bucket."""
        self._read_from = objects

    def day(self, day: date) -> DayFiles:
        """Read the files of a day. Raises DamagedStateError when one is damaged."""
        return DayFiles(
            day=day,
            rows=_part(self._read_from, keys.history_day(day), CHANGES),
            times=_part(self._read_from, keys.history_times(day), TIME_NOTES),
        )


class HistoryFiles(HistoryReader):
    """The files of the write bucket. A file is replaced only if nobody else replaced it since it was read."""

    def __init__(self, objects: ObjectStore) -> None:
        """Bind the write bucket."""
        super().__init__(objects)
        self._objects = objects

    def write_day(
        self, day: DayFiles, changes: SlotChanges, kept: Mapping[str, Kept], facts: Mapping[str, SlotFacts]
    ) -> str:
        """Replace some slots of a day. Returns the entity tag of the rows.

        Raises:
            ConflictError: Somebody else wrote the day meanwhile.
        """
        slots = [slot_number(slot_of_run_id(run_id)) for run_id in kept]
        names = {run_id: [one.before, one.after] for run_id, one in sorted({**day.times.kept, **kept}.items())}
        told = {run_id: asdict(one) for run_id, one in sorted({**day.times.facts, **facts}.items())}
        times = to_parquet(replaced(day.times.block, slots, changes.times), NOTES, {"kept": names, "facts": told})
        self._put(keys.history_times(day.day), times, day.times.etag)
        names = {run_id: [one.before, one.after] for run_id, one in sorted({**day.rows.kept, **kept}.items())}
        rows = to_parquet(replaced(day.rows.block, slots, changes.rows), DAY, {"kept": names})
        return self._put(keys.history_day(day.day), rows, day.rows.etag)

    def write_run(self, slot_at: datetime, changes: SlotChanges) -> None:
        """Write the changes of one slot."""
        self._objects.put(keys.history_run(slot_at), to_parquet(changes.rows, DAY), content_type=CONTENT_TYPE)

    def write_state(self, day: date, frame: Block, *, times: bool) -> None:
        """Write all workloads before the first slot of a day, with or without the times of their values."""
        layout = STATE_WITH_TIMES if times else STATE
        self._objects.put(keys.history_state(day), to_parquet(frame, layout), content_type=CONTENT_TYPE)

    def replace_day_of_region(self, day: date, region: str, rows: Block, days: Collection[date]) -> None:
        """Put the rows of one day into the month's file of a region.

        Args:
            day: The day.
            region: The region.
            rows: The region's rows of the day.
            days: The days that the file has. A damaged file is made again from them.

        Raises:
            ConflictError: Somebody else wrote the file meanwhile.
        """
        key = keys.history_region(day, region)
        before, etag = self._region(key, region, days)
        first = slot_number(datetime.combine(day, time(), UTC))
        last = slot_number(datetime.combine(day + timedelta(days=1), time(), UTC))
        self._put(key, to_parquet(replaced(before, range(first, last), rows), REGION), etag)

    def _region(self, key: str, region: str, days: Collection[date]) -> tuple[Block, str | None]:
        """A month of a region, and the file's entity tag."""
        try:
            rows, _, etag = _read(self._objects, key, CHANGES)
        except DamagedStateError:
            found = self._objects.get(key)
            parts = [Block.empty(CHANGES), *(self.day(one).rows.block for one in sorted(days))]
            rows = joined(*(part.take(part["region"] == part.place(region)) for part in parts))
            return ordered(rows, "slot"), found.etag if found else None
        return rows, etag

    def index(self) -> tuple[Index | None, str | None]:
        """The index and its entity tag; None before the first. A lost or damaged one is made again from the files."""
        found = self._objects.get(keys.HISTORY_INDEX)
        if found is None:
            again = self._index_again()
            return (again if again.days else None), None
        try:
            return read_index(found.body), found.etag
        except DamagedStateError:
            return self._index_again(), found.etag

    def _index_again(self) -> Index:
        """The index that the keys tell. The days of this month and the one before are compacted again."""
        days = sorted(map(_partition, self._objects.keys(keys.HISTORY_DAYS_PREFIX)))
        regions = {
            key.rsplit("/", 1)[1].removesuffix(".parquet") for key in self._objects.keys(keys.HISTORY_REGIONS_PREFIX)
        }
        if not days:
            return Index()
        again = max(days[0], days[-1] - timedelta(days=_COMPACTED_AGAIN_DAYS))
        slots = [slot_of_run_id(run_id) for day in (days[0], days[-1]) for run_id in self.day(day).rows.kept]
        index = Index(
            first_slot_at=min(slots, default=None),
            last_slot_at=max(slots, default=None),
            compacted_until=again,
            regions=tuple(regions),
        )
        return functools.reduce(Index.with_day, days, index)

    def write_index(self, index: Index, etag: str | None) -> None:
        """Replace the index. Raises ConflictError when somebody else replaced it meanwhile."""
        write_json(
            self._objects,
            keys.HISTORY_INDEX,
            dict(index.to_json()),
            schema=SCHEMA,
            if_absent=etag is None,
            if_etag=etag,
        )

    def _put(self, key: str, body: bytes, etag: str | None) -> str:
        return self._objects.put(key, body, content_type=CONTENT_TYPE, if_absent=etag is None, if_etag=etag)


def read_index(body: bytes) -> Index:
    """The index as stored. Raises DamagedStateError when it is damaged."""
    content = decode_json(body, keys.HISTORY_INDEX, schema=SCHEMA)
    try:
        return Index.of(content)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DamagedStateError(f"{keys.HISTORY_INDEX}: damaged ({type(error).__name__}: {error})") from error


def _partition(key: str) -> date:
    """The day that a key's folder names: ``.../day=2026-12-06/changes.parquet``."""
    return date.fromisoformat(key.rsplit("/", 2)[1].removeprefix("day="))


def frame_at(objects: ReadOnlyObjects, index: Index, slot_at: datetime) -> Block:
    """The frame of a past slot, with all times: from the first state of its month, and the changes since.

    Raises:
        DamagedStateError: A file is missing or damaged.
    """
    last = index.last_day_until(slot_at.date())
    if last is None:
        return Block.empty(FRAME)
    first = index.first_day_of_month(last)
    key = keys.history_state(first)
    frame, _, etag = _read(objects, key, (*KEYS, *VALUES, *TIMES))
    if etag is None:
        raise DamagedStateError(f"{key} is missing, though the index of the history names it")
    for day in index.days_between(first, slot_at.date()):
        rows, _, _ = _read(objects, keys.history_day(day), CHANGES)
        times, _, _ = _read(objects, keys.history_times(day), TIME_NOTES)
        frame = replay(frame, SlotChanges(rows, times), slot_number(slot_at))
    return frame


def _part(objects: ReadOnlyObjects, key: str, names: tuple[str, ...]) -> DayPart:
    block, about, etag = _read(objects, key, names)
    if etag is None:
        return DayPart(block=block)
    try:
        kept = {run_id: Kept(*names) for run_id, names in about["kept"].items()}
        facts = {run_id: SlotFacts(**told) for run_id, told in about.get("facts", {}).items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedStateError(f"{key}: damaged (its footer does not say which slots it has)") from error
    return DayPart(block=block, kept=kept, facts=facts, etag=etag)


def _read(objects: ReadOnlyObjects, key: str, names: tuple[str, ...]) -> tuple[Block, Any, str | None]:
    found = objects.get(key)
    if found is None:
        return Block.empty(names), None, None
    rows, about = from_parquet(found.body, names, key)
    return rows, about, found.etag
