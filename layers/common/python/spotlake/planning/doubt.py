"""Doubt: a listing that is far smaller than it was is believed once it has said the same often enough (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spotlake.models import from_iso, to_iso

LOOKS_TO_BELIEVE = 3
HOURS_TO_BELIEVE = 6
_SAME_SHARE = 0.05  # two listings that differ by no more say the same
_LOOKS_END_AFTER = timedelta(days=1)  # after so long without a look, counting begins again


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Smaller listings of one region and data set in a row that say the same.

    Attributes:
        rows: How many rows the first of them had.
        first_at, last_at: Slots (ISO) of the first and the last of them, "" before the first.
        looks: How many there were.
        believed: Whether they are believed by now.
    """

    rows: int = 0
    first_at: str = ""
    last_at: str = ""
    looks: int = 0
    believed: bool = False

    def after(self, rows: int, slot_at: datetime, good_at: str) -> Doubt:
        """The doubt after one more smaller listing.

        Args:
            rows: How many rows it had.
            slot_at: Its slot.
            good_at: Slot (ISO) of the last listing of the region that was whole, "" for none. One that was whole
                while this doubt went on ends the doubt: a listing that comes and goes is no smaller region.
        """
        slot = to_iso(slot_at)
        if not self._goes_on(rows, slot_at, good_at):
            return Doubt(rows=rows, first_at=slot, last_at=slot, looks=1)
        if slot <= self.last_at:
            return self
        looks = self.looks + 1
        is_long = slot_at - from_iso(self.first_at) >= timedelta(hours=HOURS_TO_BELIEVE)
        return replace(
            self, last_at=slot, looks=looks, believed=self.believed or (looks >= LOOKS_TO_BELIEVE and is_long)
        )

    def _goes_on(self, rows: int, slot_at: datetime, good_at: str) -> bool:
        if not self.looks or slot_at - from_iso(self.last_at) > _LOOKS_END_AFTER:
            return False
        says_the_same = abs(rows - self.rows) <= _SAME_SHARE * max(rows, self.rows)
        return says_the_same and (self.believed or good_at < self.first_at)
