"""The index of the history as JSON, and its days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from spotlake.history.index import Index

AT = datetime(2026, 12, 2, 10, 0, tzinfo=UTC)
FULL = Index(
    made_at=AT, first_slot_at=AT.replace(month=11), last_slot_at=AT.replace(hour=9),
    days=((date(2026, 11, 2), date(2026, 11, 5)), (date(2026, 12, 1), date(2026, 12, 2))), latest="ab12",
    compacted_until=date(2026, 12, 1), compacted={date(2026, 11, 5): "t5", date(2026, 11, 2): "t2"},
    regions=("westus", "eastus"),
)  # fmt: skip
FULL_JSON: dict[str, Any] = {
    "made_at": "2026-12-02T10:00:00Z", "first_slot_at": "2026-11-02T10:00:00Z", "last_slot_at": "2026-12-02T09:00:00Z",
    "days": [["2026-11-02", "2026-11-05"], ["2026-12-01", "2026-12-02"]], "latest": "ab12",
    "compacted_until": "2026-12-01", "compacted": {"2026-11-02": "t2", "2026-11-05": "t5"},
    "regions": ["eastus", "westus"],
}  # fmt: skip
EMPTY_JSON: dict[str, Any] = {
    "made_at": None, "first_slot_at": None, "last_slot_at": None, "days": [], "latest": "", "compacted_until": None,
    "compacted": {}, "regions": [],
}  # fmt: skip


def test_the_index_is_written_and_read_as_it_stands() -> None:
    assert FULL.to_json() == FULL_JSON
    assert list(FULL.to_json()["compacted"]) == ["2026-11-02", "2026-11-05"]
    found = Index.of(FULL_JSON)
    assert found == Index(**{**{name: getattr(FULL, name) for name in FULL_JSON}, "regions": ("eastus", "westus")})
    assert Index().to_json() == EMPTY_JSON
    assert Index.of(EMPTY_JSON) == Index()


@pytest.mark.parametrize("name", list(FULL_JSON))
def test_an_index_that_lacks_something_is_refused(name: str) -> None:
    with pytest.raises(KeyError, match=f"^'{name}'$"):
        Index.of({key: value for key, value in FULL_JSON.items() if key != name})


def days(*ranges: tuple[int, int]) -> tuple[tuple[date, date], ...]:
    return tuple((date(2026, 12, first), date(2026, 12, last)) for first, last in ranges)


@pytest.mark.parametrize(
    ("before", "day", "after"),
    [
        ((), 5, ((5, 5),)),
        (((5, 5),), 6, ((5, 6),)),
        (((5, 5),), 4, ((4, 5),)),
        (((5, 5),), 7, ((5, 5), (7, 7))),
        (((5, 5),), 3, ((3, 3), (5, 5))),
        (((3, 4), (6, 9)), 5, ((3, 9),)),
        (((3, 9),), 5, ((3, 9),)),
        (((3, 4), (8, 9)), 6, ((3, 4), (6, 6), (8, 9))),
    ],
)
def test_days_that_follow_each_other_are_one_range(
    before: tuple[tuple[int, int], ...], day: int, after: tuple[tuple[int, int], ...]
) -> None:
    found = Index(days=days(*before), latest="x").with_day(date(2026, 12, day))
    assert found == Index(days=days(*after), latest="x")


def test_days_are_found_in_their_ranges() -> None:
    index = FULL
    assert index.days_between(date(2026, 11, 4), date(2026, 12, 1)) == [
        date(2026, 11, 4), date(2026, 11, 5), date(2026, 12, 1),
    ]  # fmt: skip
    assert index.days_between(date(2026, 11, 6), date(2026, 11, 30)) == []
    assert index.days_between(date(2026, 12, 2), date(2026, 12, 9)) == [date(2026, 12, 2)]
    until = {
        (11, 1): None, (11, 2): (11, 2), (11, 4): (11, 4), (11, 20): (11, 5), (12, 1): (12, 1), (12, 9): (12, 2),
    }  # fmt: skip
    for (month, day), last in until.items():
        expected = None if last is None else date(2026, *last)
        assert index.last_day_until(date(2026, month, day)) == expected
    assert index.first_day_of_month(date(2026, 11, 5)) == date(2026, 11, 2)
    assert index.first_day_of_month(date(2026, 12, 2)) == date(2026, 12, 1)
    assert index.first_day_of_month(date(2026, 10, 7)) == date(2026, 10, 7)
