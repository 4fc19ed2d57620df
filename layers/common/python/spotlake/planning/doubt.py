"""Doubt: a listing far smaller or larger than before is believed once it has repeated often enough (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spotlake.models import from_iso, to_iso

LOOKS_TO_BELIEVE = 3
HOURS_TO_BELIEVE = 6
# No listing beyond this is believed, however long it lasts.
MOST_SIZES = 5000
_JUMP_FACTOR, _JUMP_SIZES = 3, 500
_SAME_SHARE = 0.05  # two listings that differ by no more agree
_SAME_ROWS = 2  # nor do those of small regions have to be the same to the row
_LOOKS_END_AFTER = timedelta(days=8)  # after so long without a look, counting starts again; some collect once a week


def is_jump(found: int, known: int) -> bool:
    """Whether a listing has grown beyond belief: more than three times the known sizes, and more than 500 new ones.

    >>> is_jump(1600, 500), is_jump(1500, 500), is_jump(400, 1), is_jump(1600, 0)
    (True, False, False, False)
    """
    return bool(known) and found > _JUMP_FACTOR * known and found - known > _JUMP_SIZES


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Consecutive listings of one region and data set that agree, each much smaller or larger than the last whole one.

    Attributes:
        rows: Number of rows in the first of them.
        first_at, last_at: Slots of the first and the last of them (ISO); "" before the first.
        looks: Number of these listings.
        believed: Whether these listings are believed.
    """

    rows: int = 0
    first_at: str = ""
    last_at: str = ""
    looks: int = 0
    believed: bool = False

    def after(self, rows: int, slot_at: datetime, good_at: str) -> Doubt:
        """Add one more listing to a doubt.

        Args:
            rows: Number of rows in the listing.
            slot_at: Slot of the listing.
            good_at: Slot of the region's last whole listing (ISO); "" for none. A whole listing since the doubt began
                ends the doubt, because a listing that comes and goes is no other region.
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
        most = max(_SAME_ROWS, _SAME_SHARE * max(rows, self.rows))
        says_the_same = abs(rows - self.rows) <= most and bool(rows) == bool(self.rows)
        return says_the_same and (self.believed or good_at < self.first_at)
