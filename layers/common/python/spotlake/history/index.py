"""The index of the change history: what there is, written after all that it names (docs/history.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self, TypedDict

from spotlake.models import from_iso, to_iso

SCHEMA = 1


class IndexJson(TypedDict):
    """The index as JSON: times are ISO text in UTC, days are ISO dates."""

    made_at: str | None
    first_slot_at: str | None
    last_slot_at: str | None
    states_with_times: list[str]
    compacted_until: str | None
    compacted: dict[str, str]
    regions: list[str]


@dataclass(frozen=True, kw_only=True)
class Index:
    """What there is.

    Attributes:
        made_at: When it was written, by the wall clock; None before.
        first_slot_at, last_slot_at: The first and the last slot of the history; None before the first one.
        states_with_times: Days whose state has the times of its values: the first day of each month that has a run.
        compacted_until: The first day that is not in the files by region; None when no day is. These files hold
            every day before it.
        compacted: Entity tag of the day files that the files by region were made from, of the days that the chain
            has, whose slots may still change.
        regions: All regions that the history has.
    """

    made_at: datetime | None = None
    first_slot_at: datetime | None = None
    last_slot_at: datetime | None = None
    states_with_times: tuple[date, ...] = ()
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
            states_with_times=tuple(map(date.fromisoformat, read["states_with_times"])),
            compacted_until=date.fromisoformat(read["compacted_until"]) if read["compacted_until"] else None,
            compacted={date.fromisoformat(day): tag for day, tag in read["compacted"].items()},
            regions=tuple(read["regions"]),
        )

    def to_json(self) -> IndexJson:
        """The index as JSON."""
        return {
            "made_at": to_iso(self.made_at) if self.made_at else None,
            "first_slot_at": to_iso(self.first_slot_at) if self.first_slot_at else None,
            "last_slot_at": to_iso(self.last_slot_at) if self.last_slot_at else None,
            "states_with_times": [day.isoformat() for day in sorted(self.states_with_times)],
            "compacted_until": self.compacted_until.isoformat() if self.compacted_until else None,
            "compacted": {day.isoformat(): tag for day, tag in sorted(self.compacted.items())},
            "regions": sorted(self.regions),
        }


def _moment(text: str | None) -> datetime | None:
    return from_iso(text) if text else None
