"""Compaction by itself: which days are put into the files by region, and what the index says of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from spotlake.history.blocks import Block
from spotlake.history.fields import CHANGES, KINDS
from spotlake.history.index import Index
from spotlake.usecases.keep_history.compaction import Compaction, regions_of


class Files:
    """Days that have one row of each named region; notes what is put into the files by region."""

    def __init__(self, days: dict[date, str]) -> None:
        self.days = days
        self.put: list[tuple[date, str, int, list[date]]] = []

    def day(self, day: date) -> Any:
        regions = sorted(self.days.get(day, ""))
        texts = ["", *sorted({*regions})]
        columns = {name: [0] * len(regions) for name in CHANGES}
        columns["region"] = [texts.index(one) for one in regions]
        block = Block(texts, {name: np.array(values, KINDS[name][0]) for name, values in columns.items()})
        part = type("Part", (), {"block": block, "etag": f"tag-{day.day}" if day in self.days else None})()
        return type("Day", (), {"day": day, "rows": part})()

    def replace_day_of_region(self, day: date, region: str, rows: Block, days: list[date]) -> None:
        assert set(rows.text("region")) <= {region}
        self.put.append((day, region, len(rows), days))


def december(day: int) -> date:
    return date(2025, 12, day)


def compacted(index: Index, files: Files, newest: int, tags: dict[int, str], *, late: tuple[bool, ...] = ()) -> Any:
    looks = iter(late)
    one = Compaction(files, index, lambda: next(looks, False))  # type: ignore[arg-type]
    return one.compact(december(newest), {december(day): tag for day, tag in tags.items()}), one


def with_days(first: int, last: int, **changes: Any) -> Index:
    at = datetime(2025, 12, first, 10, tzinfo=UTC)
    values: dict[str, Any] = {"first_slot_at": at, "days": ((december(first), december(last)),), **changes}
    return Index(**values)


def test_finished_days_are_put_into_the_files_of_their_regions_in_order() -> None:
    files = Files({december(15): "aab", december(16): "b", december(17): "a"})
    known = with_days(15, 17, regions=("a", "b", "z"))
    index, one = compacted(known, files, 17, {15: "tag-15", 16: "tag-16", 17: "tag-17"})
    assert files.put == [
        (december(15), "a", 2, [december(15)]),
        (december(15), "b", 1, [december(15)]),
        (december(16), "b", 1, [december(15), december(16)]),
    ]
    assert (one.days, one.days_left) == (2, 0)
    assert index.compacted_until == december(17)
    assert index.compacted == {december(15): "tag-15", december(16): "tag-16"}


def test_a_day_that_changed_is_compacted_again_for_every_region_that_is_known() -> None:
    files = Files({december(day): "a" for day in (14, 15, 16)})
    known = with_days(
        14, 16, compacted_until=december(16), regions=("a", "z"),
        compacted={december(14): "old", december(15): "tag-15", december(1): "gone"},
    )  # fmt: skip
    index, one = compacted(known, files, 16, {14: "tag-14", 15: "tag-15", 16: "tag-16"})
    days = [december(14), december(15)]
    assert files.put == [(december(14), "a", 1, days), (december(14), "z", 0, days)]
    assert (one.days, index.compacted_until) == (1, december(16))
    assert index.compacted == {december(14): "tag-14", december(15): "tag-15"}  # the chain has forgotten the other


def test_the_first_day_that_was_not_compacted_is_not_compacted_again() -> None:
    files = Files({december(day): "a" for day in (14, 15)})
    known = with_days(
        14, 15, compacted_until=december(15), regions=("a", "z"), compacted={december(14): "tag-14"}
    )  # fmt: skip
    compacted(known, files, 16, {14: "tag-14", 15: "tag-15"})
    assert files.put == [(december(15), "a", 1, [december(14), december(15)])]


def test_days_that_come_too_late_are_counted_and_nothing_is_said_of_them() -> None:
    files = Files({december(day): "a" for day in (14, 15, 16)})
    tags = {14: "tag-14", 15: "tag-15", 16: "tag-16"}
    index, one = compacted(with_days(14, 16), files, 16, tags, late=(False, True))
    assert (one.days, one.days_left) == (1, 1)
    assert (index.compacted_until, index.compacted) == (december(15), {december(14): "tag-14"})
    index, one = compacted(with_days(14, 16), files, 16, tags, late=(True, True))
    assert (one.days, one.days_left, index.compacted_until) == (0, 2, None)


@pytest.mark.parametrize(
    ("newest", "late"),
    [(18, (False, True)), (15, ())],
    ids=["no time is left for the day that follows", "the chain ends earlier now"],
)
def test_days_that_are_compacted_stay_so_when_an_older_one_changes(newest: int, late: tuple[bool, ...]) -> None:
    files = Files({december(day): "a" for day in range(14, 19)})
    known = with_days(14, 18, compacted_until=december(17), compacted={december(14): "old"})
    index, _ = compacted(known, files, newest, {14: "tag-14"}, late=late)
    assert [day.day for day, *_ in files.put] == [14]
    assert index.compacted_until == december(17)


def test_a_new_history_without_a_finished_day_is_compacted_up_to_now() -> None:
    index, one = compacted(with_days(16, 16), Files({december(16): "a"}), 16, {16: "tag-16"})
    assert (one.days, index.compacted_until, index.compacted) == (0, december(16), {})
    empty, _ = compacted(Index(), Files({}), 16, {})
    assert empty.compacted_until == december(16)


def test_a_day_that_the_chain_has_forgotten_is_compacted_and_its_tag_is_not_kept() -> None:
    files = Files({december(14): "a", december(16): "a"})
    index, one = compacted(with_days(14, 14), files, 16, {16: "tag-16"})
    assert (one.days, index.compacted, index.compacted_until) == (1, {}, december(16))


def test_files_of_a_month_have_the_days_of_their_month_alone() -> None:
    files = Files({date(2025, 11, 30): "a", december(1): "a", december(2): "a"})
    index = Index(
        first_slot_at=datetime(2025, 11, 30, tzinfo=UTC), days=((date(2025, 11, 30), december(2)),)
    )  # fmt: skip
    compacted(index, files, 3, {})
    assert [days for *_, days in files.put] == [
        [date(2025, 11, 30)], [december(1)], [december(1), december(2)]
    ]  # fmt: skip


def test_a_day_of_a_month_that_is_over_has_no_day_of_the_next_month() -> None:
    last = date(2025, 11, 30)
    files = Files({last: "a", december(1): "a"})
    index = Index(
        first_slot_at=datetime(2025, 11, 30, tzinfo=UTC), days=((last, december(2)),), compacted_until=december(2)
    )  # fmt: skip
    one = Compaction(files, index, lambda: False)  # type: ignore[arg-type]
    one.compact(december(2), {last: "changed"})
    assert files.put == [(last, "a", 1, [last])]


@pytest.mark.parametrize("regions", ["", "a", "ab", "aabbb", "abbc", "bbbd"])
def test_the_regions_of_rows(regions: str) -> None:
    block = Files({december(1): regions}).day(december(1)).rows.block
    assert regions_of(block) == {*regions}


def test_regions_are_those_of_rows_and_not_of_texts() -> None:
    block = Files({december(1): "abc"}).day(december(1)).rows.block
    assert regions_of(block.take(block["region"] == block.place("b"))) == {"b"}
