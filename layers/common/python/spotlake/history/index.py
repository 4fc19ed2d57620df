"""The index of the change history: what there is, written after all that it names (docs/history.md)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Self, TypedDict

from spotlake.models import from_iso, to_iso

SCHEMA = 1


class IndexJson(TypedDict):
    """The index as JSON: times are ISO text in UTC, days are ISO dates."""

    made_at: str | None
    first_slot_at: str | None
    last_slot_at: str | None
    days: list[list[str]]
    latest: str
    compacted_until: str | None
    compacted: dict[str, str]
    regions: list[str]


@dataclass(frozen=True, kw_only=True)
class Index:
    """What there is.

    Attributes:
        made_at: When it was written, by the wall clock; None before.
        first_slot_at, last_slot_at: The first and the last slot of the history; None before the first one.
        days: The days that have a run, as ranges: first and last day of each.
        latest: Digest of the state that the newest slot's table shows.
        compacted_until: The first day that is not in the files by region; None when no day is. These files hold
            every day before it.
        compacted: Entity tag of the day files that the files by region were made from, of the days that the chain
            has, whose slots may still change.
        regions: All regions that the history has.
    """

    made_at: datetime | None = None
    first_slot_at: datetime | None = None
    last_slot_at: datetime | None = None
    days: tuple[tuple[date, date], ...] = ()
    latest: str = ""
    compacted_until: date | None = None
    compacted: dict[date, str] = field(default_factory=dict)
    regions: tuple[str, ...] = ()

    @classmethod
    def of(cls, content: Any) -> Self:
        """Read the JSON of any schema so far. Raises KeyError, ValueError or TypeError for another form."""
        read: IndexJson = content
        return cls(
            made_at=_moment(read["made_at"]),
            first_slot_at=_moment(read["first_slot_at"]),
            last_slot_at=_moment(read["last_slot_at"]),
            days=tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in read["days"]),
            latest=read["latest"],
            compacted_until=date.fromisoformat(read["compacted_until"]) if read["compacted_until"] else None,
            compacted={date.fromisoformat(day): tag for day, tag in read["compacted"].items()},
            regions=tuple(read["regions"]),
        )

    def with_day(self, day: date) -> Self:
        """The index with one more day that has a run.

        >>> Index().with_day(date(2026, 12, 2)).with_day(date(2026, 12, 1)).days
        ((datetime.date(2026, 12, 1), datetime.date(2026, 12, 2)),)
        """
        ranges: list[tuple[date, date]] = []
        for first, last in sorted({*self.days, (day, day)}):
            if ranges and first <= ranges[-1][1] + timedelta(days=1):
                ranges[-1] = ranges[-1][0], max(last, ranges[-1][1])
            else:
                ranges.append((first, last))
        return replace(self, days=tuple(ranges))

    def first_day_of_month(self, day: date) -> date:
        """The first day of a day's month that has a run, or the day. Its state has the times of all values."""
        return min((one for one in self.days_between(day.replace(day=1), day)), default=day)

    def last_day_until(self, day: date) -> date | None:
        """The last day with a run that is not after ``day``; None for none."""
        return max((min(last, day) for first, last in self.days if first <= day), default=None)

    def days_between(self, first: date, last: date) -> list[date]:
        """The days with a run from ``first`` to ``last``, in order."""
        spans = ((max(first, begin), min(last, end)) for begin, end in self.days)
        return [begin + timedelta(days=number) for begin, end in spans for number in range((end - begin).days + 1)]

    def to_json(self) -> IndexJson:
        """The index as JSON."""
        return {
            "made_at": to_iso(self.made_at) if self.made_at else None,
            "first_slot_at": to_iso(self.first_slot_at) if self.first_slot_at else None,
            "last_slot_at": to_iso(self.last_slot_at) if self.last_slot_at else None,
            "days": [[first.isoformat(), last.isoformat()] for first, last in self.days],
            "latest": self.latest,
            "compacted_until": self.compacted_until.isoformat() if self.compacted_until else None,
            "compacted": {day.isoformat(): tag for day, tag in sorted(self.compacted.items())},
            "regions": sorted(self.regions),
        }


def _moment(text: str | None) -> datetime | None:
    return from_iso(text) if text else None
