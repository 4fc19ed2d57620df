"""Puts finished days of the change history into the files by region and month."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from spotlake.history.blocks import Block
from spotlake.history.index import Index
from spotlake.state.history_files import DayFiles, HistoryFiles


@dataclass
class Compaction:
    """One compaction.

    Attributes:
        files: The files of the write bucket.
        index: The index of the change history.
        is_late: Whether there is no time for another day.
        days, days_left: Days that were compacted, and that time did not suffice for.
    """

    files: HistoryFiles
    index: Index
    is_late: Callable[[], bool]
    days: int = 0
    days_left: int = 0

    def compact(self, newest: date, tags: Mapping[date, str]) -> Index:
        """Compact the days before the newest slot's, those that changed since too.

        Args:
            newest: Day of the newest slot, which is not finished.
            tags: Entity tags of the files of the chain's days.

        Returns:
            The index with what is compacted now.

        Raises:
            ConflictError: Somebody else wrote a file meanwhile.
            DamagedStateError: A day's files are damaged.
        """
        compacted = {day: tag for day, tag in self.index.compacted.items() if day in tags}
        until = self.index.compacted_until
        for day in self._due_days(newest, tags):
            if self.is_late():
                self.days_left += 1
                continue
            files = self.files.day(day)
            self._compact_day(files)
            if files.rows.etag is not None and day in tags:
                compacted[day] = files.rows.etag
            self.days += 1
            until = max(until or day, day + timedelta(days=1))
        if not self.days_left:
            until = max(until or newest, newest)  # days without a run too
        return replace(self.index, compacted=compacted, compacted_until=until)

    def _due_days(self, newest: date, tags: Mapping[date, str]) -> list[date]:
        """Days before the newest slot's that are not compacted, or have other changes than were compacted."""
        first = self.index.first_slot_at
        begin = self.index.compacted_until or (first.date() if first else newest)
        fresh = self.index.days_between(begin, newest - timedelta(days=1))
        again = [day for day, tag in tags.items() if day < min(begin, newest) and self.index.compacted.get(day) != tag]
        return sorted({*fresh, *again})

    def _compact_day(self, files: DayFiles) -> None:
        rows = files.rows.block
        again = self.index.compacted_until is not None and files.day < self.index.compacted_until
        regions = {*regions_of(rows), *(self.index.regions if again else ())}  # a region may have lost its rows
        days = self._compacted_days_of_month(files.day)
        for region in sorted(regions):
            mine = rows.take(rows["region"] == rows.place(region))
            self.files.replace_day_of_region(files.day, region, mine, days)

    def _compacted_days_of_month(self, day: date) -> list[date]:
        """Days that the month's files have once this day is in them: days are compacted in order."""
        last = max(day, (self.index.compacted_until or day) - timedelta(days=1))
        days = self.index.days_between(day.replace(day=1), last)
        return [one for one in days if (one.year, one.month) == (day.year, day.month)]


def regions_of(rows: Block) -> set[str]:
    """The regions of rows that are in order."""
    return set(rows.take(np.diff(rows["region"], prepend=-1) != 0).text("region"))
