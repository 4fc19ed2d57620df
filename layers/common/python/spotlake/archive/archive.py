"""An archive, opened for reading. It needs no emulator, no account of Azure and no state of its own."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from spotlake import keys
from spotlake.archive.differences import difference_table
from spotlake.archive.facts import facts_table, with_facts
from spotlake.archive.filters import Where, region_key_pattern
from spotlake.archive.places import Place, place_of
from spotlake.archive.ranged import read_ranged
from spotlake.archive.result import Result
from spotlake.errors import InvalidInputError, StoreError
from spotlake.history.before import with_before
from spotlake.history.blocks import Block
from spotlake.history.fields import CHANGES, KEYS, VALUES
from spotlake.history.files import DAY, STATE, STATE_WITH_TIMES, from_parquet, read_table, to_table
from spotlake.history.frames import view_of
from spotlake.history.index import Index
from spotlake.history.replay import values_after
from spotlake.merge.files import Files
from spotlake.merge.state import slot_number
from spotlake.models import floor_to_slot, from_iso, run_id_of, to_iso
from spotlake.state.history_files import HistoryReader, frame_at, read_index

_BEFORE = datetime.min.replace(tzinfo=UTC)
_TEXTS = ("region", "instance_type", "zone", "physical_zone", "region_name")


@dataclass(frozen=True)
class Archive:
    """An archive.

    Attributes:
        place: The folder, bucket or web server that holds its objects.
    """

    place: Place

    @functools.cached_property
    def index(self) -> Index:
        """What the change history has. Raises StoreError when there is no history."""
        found = self.place.get(keys.HISTORY_INDEX)
        if found is None:
            raise StoreError(f"{self.place.bucket}: no {keys.HISTORY_INDEX}; is this an archive, and has it a run?")
        return read_index(found.body)

    @property
    def first_slot_at(self) -> datetime:
        """The first slot of the history."""
        return self._known(self.index.first_slot_at)

    @property
    def last_slot_at(self) -> datetime:
        """The newest slot of the history."""
        return self._known(self.index.last_slot_at)

    def latest(self, where: Where | None = None) -> Result:
        """The live workloads now: a row each, with the last known values, their times, and facts of the size.

        Args:
            where: Which workloads; all of them without it.

        Raises:
            StoreError: The archive has no such file yet.
        """
        found = self.place.get(keys.LATEST_TABLE)
        if found is None:
            raise StoreError(f"{self.place.bucket}: no {keys.LATEST_TABLE}; is this an archive, and has it a run?")
        table, about = read_table(found.body, f"{self.place.bucket}/{keys.LATEST_TABLE}")
        return self._answer(table, from_iso(about["slot_at"]), where)

    def at(self, moment: datetime, where: Where | None = None, *, times: bool = False) -> Result:
        """The live workloads at a moment, as the last slot until then has them.

        Args:
            moment: Any moment since the first slot.
            where: Which workloads; all of them without it. ``max_age`` needs ``times``.
            times: Whether to tell when each value began and was last confirmed. That reads the month from its begin.

        Raises:
            InvalidInputError: The moment is before the first slot.
        """
        slot_at = self._slot(moment)
        if times or (where is not None and where.max_age is not None):
            frame = frame_at(self.place, self.index, slot_at)
            return self._answer(to_table(frame, STATE_WITH_TIMES), slot_at, where)
        return self._answer(to_table(self._values(slot_at), STATE), slot_at, where)

    def _answer(self, table: pa.Table, slot_at: datetime, where: Where | None) -> Result:
        joined = with_facts(_plain(table), self.facts)
        return Result(where.chosen(joined, slot_at) if where else joined, slot_at)

    @functools.cached_property
    def facts(self) -> pa.Table:
        """Facts of sizes by region; empty when the archive has not asked for them."""
        return facts_table(self.place)

    def history(
        self,
        instance_type: str,
        region: str,
        zone: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Result:
        """The values of a size in a region, a row for each change, with all values from then on.

        Args:
            instance_type: ARM name, ``Standard_D4s_v5``, in any casing.
            region: ARM name, ``koreacentral``, or ``Korea Central``.
            zone: ``1``, ``2``, ``3``, ``Single`` or ``N/A``; all of them without it.
            since: Changes from here on, and the last one before, which tells the values at this moment. Without it all.
            until: Changes up to here.

        Returns:
            Rows with ``source``: ``spotlake``, or ``resource_graph`` for spot prices from before the first own row.
            These have no zone, and no other values.
        """
        region, instance_type = region_key_pattern(region), self._spelled(instance_type)
        first, last = self._slot(max(since or _BEFORE, self.first_slot_at)), self._slot(until or self.last_slot_at)
        begin = self.index.last_day_until(first.date()) or first.date()  # a day without a run has what was true before
        table = self._changes_of((region, instance_type), begin, last.date())
        if zone is not None:
            table = table.filter(pc.equal(table["zone"], zone))
        at = table["changed_at"]
        before = table.filter(pc.less_equal(at, pa.scalar(first, at.type)))
        if first > self.first_slot_at and not (zone and len(before)):
            # A zone that no file has a change of is as the day's state says.
            state = self._state_of((region, instance_type), zone, begin)
            state = state.filter(pc.invert(pc.is_in(state["zone"], pc.unique(before["zone"]))))
            before = pa.concat_tables([state, before.select(state.column_names)])
        after = _changed_between(table, first, last).select(before.column_names)
        own = _in_order(pa.concat_tables([_last_by_zone(before), after]))
        found = self.place.get(keys.history_before(region)) if first == self.first_slot_at else None
        past = read_table(found.body, keys.history_before(region))[0] if found else None
        return Result(with_before(own, past, instance_type, since=since, until=last), last)

    def changes(self, since: datetime, until: datetime | None = None) -> Result:
        """All changes after a moment: a row each, with all values of the workload from then on."""
        first, last = self._slot(since), self._slot(until or self.last_slot_at)
        days = self.index.days_between(first.date(), last.date())
        tables = [_plain(to_table(Block.empty(CHANGES), DAY)), *(_plain(to_table(self._day(day), DAY)) for day in days)]
        return Result(_changed_between(pa.concat_tables(tables), first, last), last)

    def differences(self, one: datetime, other: datetime) -> Result:
        """Each value that differs between two moments: before and after, as texts; "" is unknown.

        The value ``live`` tells the workloads that came or went.
        """
        first, last = self._slot(one), self._slot(other)
        return Result(difference_table(self._values(first), self._values(last)), last)

    def snapshot(self, moment: datetime) -> bytes:
        """The snapshot (csv.gz) of a slot, byte for byte as the merge wrote it.

        Raises:
            InvalidInputError: The history has no such slot.
        """
        slot_at = floor_to_slot(moment)
        facts = HistoryReader(self.place).day(slot_at.date()).times.facts.get(run_id_of(slot_at))
        if facts is None:
            raise InvalidInputError("time", to_iso(slot_at), "a slot that has a run; `spotlake runs` lists them")
        view = view_of(frame_at(self.place, self.index, slot_at))
        return Files(view, facts.name_casing).snapshot(slot_at, facts.desired_count)

    # -- files -----------------------------------------------------------------------------------

    def _values(self, slot_at: datetime) -> Block:
        day = self.index.last_day_until(slot_at.date())
        if day is None:
            return Block.empty((*KEYS, *VALUES))
        key = keys.history_state(day)
        found = self.place.get(key)
        if found is None:
            raise StoreError(f"{self.place.bucket}/{key} is missing, though the index names its day")
        state, _ = from_parquet(found.body, (*KEYS, *VALUES), key)
        rows = self._day(day)
        return values_after(state, rows.take(rows["slot"] <= slot_number(slot_at)))

    def _day(self, day: date) -> Block:
        return HistoryReader(self.place).day(day).rows.block

    def _files_of(self, region: str, first: date, last: date) -> list[str]:
        """The fewest files that hold a region's changes of these days: months by region, then single days."""
        until = self.index.compacted_until or first
        days = self.index.days_between(first, last)
        months = dict.fromkeys(keys.history_region(day, region) for day in days if day < until)
        return [*months, *(keys.history_day(day) for day in days if day >= until)]

    def _changes_of(self, workloads: tuple[str, str], first: date, last: date) -> pa.Table:
        """All changes of a region and size in the files of these days."""
        nothing = _plain(to_table(Block.empty(CHANGES), DAY))
        files = self._files_of(workloads[0], first, last)
        return pa.concat_tables([nothing, *(self._part(key, workloads, nothing.column_names) for key in files)])

    def _state_of(self, workloads: tuple[str, str], zone: str | None, day: date) -> pa.Table:
        """The values before a day, where no change tells them; when they began is not known from here."""
        names = [name for name in DAY.columns if name not in ("slot", "live")]
        table = self._part(keys.history_state(day), workloads, names)
        unknown = pa.nulls(len(table), pa.timestamp("ms", "UTC")), pa.array([True] * len(table), pa.bool_())
        table = table.add_column(3, "changed_at", unknown[0]).add_column(4, "live", unknown[1])
        return table if zone is None else table.filter(pc.equal(table["zone"], zone))

    def _part(self, key: str, workloads: tuple[str, str], names: Sequence[str]) -> pa.Table:
        """A region's and size's rows of a file; the row groups that may have them are read."""
        found = read_ranged(self.place, key, lambda low, high: low[:2] <= workloads <= high[:2], _TEXTS)
        if found is None:
            return _plain(to_table(Block.empty(CHANGES), DAY)).select(names)
        table = _plain(found.select(names))
        region, instance_type = workloads
        return table.filter(pc.and_(pc.equal(table["region"], region), pc.equal(table["instance_type"], instance_type)))

    def _slot(self, moment: datetime) -> datetime:
        """The slot of a moment, not after the newest one."""
        slot_at = min(floor_to_slot(moment), self.last_slot_at)
        if slot_at < self.first_slot_at:
            raise InvalidInputError("time", to_iso(moment), f"from {to_iso(self.first_slot_at)} on, the first slot")
        return slot_at

    def _spelled(self, instance_type: str) -> str:
        """A size's name in ARM's casing, as the newest slot's table has it."""
        if instance_type.startswith("Standard_") and instance_type[9:10].isupper():
            return instance_type  # as ARM spells it: no file is read for it
        wanted = instance_type.lower()
        found = self.place.get(keys.LATEST_TABLE)
        table = read_table(found.body, keys.LATEST_TABLE)[0] if found else self.facts
        names = pc.unique(table["instance_type"]).to_pylist()
        return next((name for name in names if name.lower() in (wanted, f"standard_{wanted}")), instance_type)

    def _known(self, moment: datetime | None) -> datetime:
        if moment is None:
            raise StoreError(f"{self.place.bucket}: the change history has no slot yet")
        return moment


def _plain(table: pa.Table) -> pa.Table:
    """The table with its texts as texts, so that tables of different files are alike."""
    fields = [
        pa.field(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type)
        for field in table.schema
    ]  # fmt: skip
    return table.cast(pa.schema(fields))


def _changed_between(table: pa.Table, first: datetime, last: datetime) -> pa.Table:
    """The changes after ``first``, up to ``last``."""
    at = table["changed_at"]
    return table.filter(pc.and_(pc.greater(at, pa.scalar(first, at.type)), pc.less_equal(at, pa.scalar(last, at.type))))


def _in_order(table: pa.Table) -> pa.Table:
    """By zone and time; what began at an unknown time is first."""
    found = list(zip(table["zone"].to_pylist(), table["changed_at"].to_pylist(), strict=True))
    order = sorted(range(len(found)), key=lambda place: (found[place][0], found[place][1] or _BEFORE))
    return table.take(pa.array(order, pa.int64()))


def _last_by_zone(table: pa.Table) -> pa.Table:
    """The last row of each zone."""
    ordered = _in_order(table)
    zones = ordered["zone"].to_pylist()
    last = [place for place, zone in enumerate(zones) if place + 1 == len(zones) or zones[place + 1] != zone]
    return ordered.take(pa.array(last, pa.int64()))


def open_archive(address: str) -> Archive:
    """Open an archive: a folder, ``s3://bucket``, or the https address under which its keys are served."""
    return Archive(place_of(address))
