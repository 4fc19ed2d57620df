"""The change history at full size: bytes, CPU seconds, and what a question over HTTP costs.

``python -m benchmarks.history --days 30`` makes a month in memory: 150,000 workloads, 2 % of them change in a slot, one
count is asked a slot, a price wave on the first day. A year is said to be extrapolated. Nothing here measures real AWS.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from benchmarks.history_world import World
from spotlake import keys
from spotlake.archive.archive import Archive
from spotlake.archive.places import Part
from spotlake.history.fields import ZONE_NAMES
from spotlake.history.files import DAY, to_parquet
from spotlake.history.frames import view_of
from spotlake.history.index import Index
from spotlake.merge.files import Files
from spotlake.merge.state import slot_number, slot_time
from spotlake.models import SLOTS_A_DAY
from spotlake.state.history_files import HistoryFiles, Kept, SlotFacts
from spotlake.stores.objects import MemoryObjects, StoredObject

FIRST = datetime(2026, 12, 1, tzinfo=UTC)
DAYS_A_YEAR = 365.0


class CountedPlace:
    """Objects in memory, read as a web server would serve them; counts requests and bytes."""

    def __init__(self, objects: MemoryObjects) -> None:
        self._objects, self.bucket = objects, "memory"
        self.requests = self.sent = 0

    def get(self, key: str) -> StoredObject | None:
        """See ``Place``."""
        found = self._objects.get(key)
        self._count(len(found.body) if found else 0)
        return found

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``Place``."""
        return self._objects.keys(prefix)

    def tail(self, key: str, length: int) -> Part | None:
        """See ``Place``."""
        body = self._objects.objects.get(key)
        self._count(min(length, len(body or b"")))
        return None if body is None else Part(max(0, len(body) - length), body[-length:], len(body))

    def part(self, key: str, begin: int, length: int) -> Part:
        """See ``Place``."""
        body = self._objects.objects[key]
        self._count(length)
        return Part(begin, body[begin : begin + length], len(body))

    def _count(self, sent: int) -> None:
        self.requests += 1
        self.sent += sent


def cpu_of[T](work: Callable[[], T], repeats: int = 1) -> tuple[float, T]:
    """The least CPU seconds of some repeats, and the last result."""
    least = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        result = work()
        least = min(least, time.process_time() - began)
    return least, result


def say(what: str, figure: str, goal: str = "") -> None:
    sys.stdout.write(f"{what:<58} {figure:>18}  {goal}\n")
    sys.stdout.flush()


def build(world: World, days: int) -> tuple[MemoryObjects, Index, list[float], list[float]]:
    """A month of history. Returns the objects, the index, and CPU seconds of writing and of compacting each day."""
    objects = MemoryObjects()
    files, index = HistoryFiles(objects), Index(first_slot_at=FIRST)
    writing, compacting = [], []
    for number in range(days):
        day = FIRST.date() + timedelta(days=number)
        files.write_state(day, world.frame, times=number == 0)
        first = slot_number(FIRST) + number * SLOTS_A_DAY
        changes = world.day(first)
        runs = [f"{slot_time(first + one):%Y%m%dT%H%MZ}" for one in range(SLOTS_A_DAY)]
        kept = {run: Kept("0" * 8, "1" * 8) for run in runs}
        facts = {run: SlotFacts(desired_count=1, name_casing="source", retire_after_days=14) for run in runs}
        before = files.day(day)
        began = time.process_time()
        files.write_day(before, changes, kept, facts)
        writing.append(time.process_time() - began)
        if number < days - 1:
            compacting.append(compact(files, day, world))
        index = replace(index, last_slot_at=slot_time(first + SLOTS_A_DAY - 1)).with_day(day)
    index = replace(index, compacted_until=index.last_slot_at.date() if index.last_slot_at else None)
    files.write_index(index, None)
    return objects, index, writing, compacting


def compact(files: HistoryFiles, day: date, world: World) -> float:
    """Put a day into the files by region. Returns the CPU seconds."""
    began = time.process_time()
    rows = files.day(day).rows.block
    days = [FIRST.date() + timedelta(days=number) for number in range((day - FIRST.date()).days + 1)]
    for region in world.regions:
        files.replace_day_of_region(day, region, rows.take(rows["region"] == rows.place(region)), days)
    return time.process_time() - began


def sizes(objects: MemoryObjects, days: int) -> None:
    """Bytes by kind of file, and what they are in a year."""
    total = 0.0
    kinds = {
        "days": keys.HISTORY_DAYS_PREFIX,
        "times": keys.HISTORY_PREFIX + "times/",
        "states": keys.HISTORY_STATES_PREFIX,
        "by region": keys.HISTORY_REGIONS_PREFIX,
    }
    for name, prefix in kinds.items():
        size = sum(len(body) for key, body in objects.objects.items() if key.startswith(prefix))
        year = size / days * DAYS_A_YEAR / 1e9
        total += year
        goal = "<= 0.6 GB" if name == "by region" else ""
        say(f"{name}: MB in {days} days, GB a year (extrapolated)", f"{size / 1e6:.1f}, {year:.2f}", goal)
    say("everything: GB a year (extrapolated)", f"{total:.2f}", "<= 1.8 GB")


def questions(objects: MemoryObjects, index: Index, world: World) -> None:
    """What questions cost: requests, bytes, CPU."""
    busiest = world.frame.take(np.array([int(np.argmax(world.changes_by_workload))]))
    (region,), (size,), zone = busiest.text("region"), busiest.text("instance_type"), ZONE_NAMES[busiest["zone"][0]]
    assert index.last_slot_at is not None
    for name, until in (("finished days", index.last_slot_at - timedelta(days=1)), ("up to now", index.last_slot_at)):
        place = CountedPlace(objects)
        archive = Archive(place)
        began = time.process_time()
        result = archive.history(size, region, zone, until=until)
        seconds = time.process_time() - began
        told = f"{place.requests}, {place.sent / 1e3:.0f}, {len(result)}, {seconds:.3f}"
        say(f"one workload, {name}: requests, kB, rows, CPU s", told, "<= 6, <= 200 kB")
    moment = index.last_slot_at - timedelta(hours=5)
    archive = Archive(CountedPlace(objects))
    seconds, block = cpu_of(lambda: archive._values(moment), 3)
    say("all workloads at a moment: CPU s", f"{seconds:.2f}", "<= 0.5 s")
    from_csv, _ = cpu_of(lambda: csv_of_a_slot(world))
    say("  one csv.gz snapshot read by DuckDB: CPU s, ratio", f"{from_csv:.2f}, {seconds / from_csv:.2f}")
    del block


def csv_of_a_slot(world: World) -> int:
    """Read one snapshot with DuckDB, as a question to the snapshots does for every slot."""
    import tempfile

    import duckdb

    body = Files(view_of(world.frame), "source").snapshot(FIRST, 1)
    with tempfile.NamedTemporaryFile(suffix=".csv.gz") as file:
        file.write(body)
        file.flush()
        with duckdb.connect() as database:
            return len(database.read_csv(file.name).aggregate("count(SpotPrice)").fetchall())


def slots(world: World) -> None:
    """A slot's file at two sizes."""
    for rows, goal in ((3_000, "<= 15 ms"), (128_000, "<= 150 ms")):
        block = world.some_rows(rows)
        seconds, body = cpu_of(lambda block=block: to_parquet(block, DAY), 5)  # type: ignore[misc]
        say(f"a slot's file of {rows:,} rows: CPU ms, kB", f"{seconds * 1e3:.1f}, {len(body) / 1e3:.0f}", goal)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the change history")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    world = World(seed=arguments.seed)
    say("workloads, seed", f"{len(world.frame):,}, {arguments.seed}")
    slots(world)
    objects, index, writing, compacting = build(world, arguments.days)
    say("changes a slot, % of workloads", f"{world.changed_percent:.2f}")
    say("a day's file: CPU s (median, most)", f"{np.median(writing):.2f}, {max(writing):.2f}", "<= 2 s")
    say("a day into the files by region: CPU s (median, most)", f"{np.median(compacting):.1f}, {max(compacting):.1f}")
    sizes(objects, arguments.days)
    questions(objects, index, world)


if __name__ == "__main__":
    main()
