"""What a run takes from production's place in the rotation, and what it remembers of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spotlake import keys
from spotlake.state.production_seen import PRODUCTION_SEEN, ProductionSeen
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.production_beside import Production, look_at_production

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)


def producing(index: int, day: str = "2025-12-15") -> MemoryObjects:
    production = MemoryObjects()
    production.put(keys.PRODUCTION_SPS_METADATA, f"desired_count_index: {index}\nworkload_date: {day}\n".encode())
    return production


def look(production: MemoryObjects, objects: MemoryObjects, minutes: int = 0) -> tuple[Production, list[str]]:
    notes: list[str] = []
    return look_at_production(production, objects, AT + timedelta(minutes=minutes), notes.append), notes


def test_a_position_is_followed_and_remembered_with_its_day() -> None:
    objects = MemoryObjects()
    assert look(producing(3), objects) == (Production(index=3, ignored="", shares_quota=True), [])
    assert PRODUCTION_SEEN.read(objects) == ProductionSeen(position="2025-12-15 3", since="2025-12-15T10:00:00Z")


@pytest.mark.parametrize(("minutes", "follows"), [(10, True), (29, True), (30, False), (40, False)])
def test_a_position_that_stands_for_half_an_hour_is_not_followed(minutes: int, *, follows: bool) -> None:
    objects = MemoryObjects()
    look(producing(3), objects)
    found, notes = look(producing(3), objects, minutes)
    stands = Production(
        ignored="production stands at index 3 since 2025-12-15T10:00:00Z", index=None, shares_quota=True
    )
    assert (found, notes) == (Production(index=3, shares_quota=True) if follows else stands, [])
    assert PRODUCTION_SEEN.read(objects).since == "2025-12-15T10:00:00Z"


@pytest.mark.parametrize(("index", "day"), [(4, "2025-12-15"), (3, "2025-12-14")])
def test_another_index_or_day_is_a_new_position(index: int, day: str) -> None:
    objects = MemoryObjects()
    look(producing(3), objects)
    assert look(producing(index, day), objects, 40)[0] == Production(index=index, shares_quota=True)
    assert PRODUCTION_SEEN.read(objects) == ProductionSeen(position=f"{day} {index}", since="2025-12-15T10:40:00Z")


def test_without_a_file_production_uses_no_quota_and_nothing_is_remembered() -> None:
    objects = MemoryObjects()
    alone = Production(index=None, ignored="production has no sps_metadata.yaml", shares_quota=False)
    assert look(MemoryObjects(), objects) == (alone, [])
    assert not objects.objects


def test_a_file_that_says_nothing_still_tells_of_a_production() -> None:
    objects = MemoryObjects()
    found, notes = look(producing(99), objects)
    said = "production's desired_count_index 99 is not 0 to 10"
    assert (found, notes) == (Production(index=None, ignored=said, shares_quota=True), [])
    assert not objects.objects


def test_without_a_bucket_a_note_says_why() -> None:
    found, notes = look(MemoryObjects(bucket=""), MemoryObjects())
    assert (found.index, found.shares_quota) == (None, False)
    assert notes == ["no production beside us: setting read_bucket is empty"]


def test_a_damaged_memory_begins_anew_and_is_noted() -> None:
    objects = MemoryObjects()
    objects.put(keys.PRODUCTION_SEEN, b"{")
    found, notes = look(producing(3), objects)
    assert found == Production(index=3, shares_quota=True)
    assert [note.endswith("; started empty") for note in notes] == [True]
    assert PRODUCTION_SEEN.read(objects).since == "2025-12-15T10:00:00Z"
