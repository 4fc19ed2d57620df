"""Files of gaps: which slots are looked at, which months are written, and what stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake import keys
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.keep_history.keep_gaps import keep_gaps
from tests.functional.merge.conftest import FIRST, World

HEAD = "slot_at,status,coverage_percent,stale_regions,reason\n"
MISSING = "missing,,,no run\n"
UNFINISHED = "unfinished,,,the run wrote no manifest\n"
PARTIAL = "partial,66.66,1,spot_if: ShardRefusedError in 1 region\n"


def at(number: int) -> datetime:
    return FIRST + number * timedelta(minutes=10)


class Noting(MemoryObjects):
    def __init__(self) -> None:
        super().__init__()
        self.options: list[tuple[str, dict[str, Any]]] = []

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self.options.append((key, options))
        return super().put(key, body, **options)


@pytest.fixture
def objects() -> Noting:
    """Slots 0 (whole), 1 (without rates) and 3 (whole) are merged, and slot 4 has a damaged manifest."""
    world = World(store := Noting())
    for number in (0, 1, 3):
        world.merge(world.collected(number, scores={"1": 3}, band=None if number == 1 else "0-5"))
    store.put(keys.manifest(at(4)), b"{")
    store.options.clear()
    return store


def text(objects: Noting, month: datetime = FIRST) -> str:
    return objects.objects[keys.gaps(month)].decode()


def test_missing_slots_and_those_that_lack_something(objects: Noting) -> None:
    merged = [at(number) for number in (0, 1, 3, 4, 6)]
    keep_gaps(objects, merged, [at(number) for number in (0, 1, 3, 4, 6)])
    assert text(objects) == HEAD + (
        f"2025-12-15T10:10:00Z,{PARTIAL}2025-12-15T10:20:00Z,{MISSING}2025-12-15T10:40:00Z,{UNFINISHED}"
        f"2025-12-15T10:50:00Z,{MISSING}2025-12-15T11:00:00Z,{UNFINISHED}"
    )
    key = "history/azure/gaps/month=2025-12.csv"
    assert objects.options == [(key, {"content_type": "text/csv", "if_absent": True, "if_etag": None})]


def test_only_slots_that_are_looked_at_change_and_an_equal_file_is_not_written(objects: Noting) -> None:
    keep_gaps(objects, [at(0), at(1), at(3)], [at(0), at(1)])
    before, etag = text(objects), objects.etag(keys.gaps(FIRST))
    objects.options.clear()
    keep_gaps(objects, [at(0), at(1), at(3)], [])
    assert (text(objects), objects.options) == (before, [])
    keep_gaps(objects, [at(0), at(1), at(2), at(3)], [at(2)])  # it came late, and has no manifest
    assert text(objects) == before.replace(MISSING, UNFINISHED)
    assert [options for _, options in objects.options] == [
        {"content_type": "text/csv", "if_absent": False, "if_etag": etag}
    ]  # fmt: skip


def test_each_month_has_a_file_of_its_own(objects: Noting) -> None:
    december, january = datetime(2025, 12, 31, 23, 40, tzinfo=UTC), datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    keep_gaps(objects, [december, january], [january])
    assert text(objects, december) == f"{HEAD}2025-12-31T23:50:00Z,{MISSING}"
    assert text(objects, january) == f"{HEAD}2026-01-01T00:00:00Z,{MISSING}2026-01-01T00:10:00Z,{UNFINISHED}"
    assert [key for key, _ in objects.options] == [keys.gaps(december), keys.gaps(january)]


def test_a_month_whose_every_slot_is_whole_has_an_empty_file(objects: Noting) -> None:
    keep_gaps(objects, [at(0)], [at(0)])
    assert text(objects) == HEAD


def test_a_damaged_file_stays_as_evidence_and_other_months_are_written(objects: Noting) -> None:
    december, january = datetime(2025, 12, 31, 23, 40, tzinfo=UTC), datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    objects.put(keys.gaps(december), b"damaged\nfile\n")
    objects.options.clear()
    keep_gaps(objects, [december, january], [])
    assert text(objects, december) == "damaged\nfile\n"
    assert [key for key, _ in objects.options] == [keys.gaps(january)]


def test_missing_slots_outside_of_what_is_remembered_stay(objects: Noting) -> None:
    keep_gaps(objects, [at(0), at(3)], [])
    keep_gaps(objects, [at(3), at(5)], [])  # the chain has forgotten the first
    assert text(objects) == HEAD + "".join(f"2025-12-15T10:{minute}:00Z,{MISSING}" for minute in (10, 20, 40))
