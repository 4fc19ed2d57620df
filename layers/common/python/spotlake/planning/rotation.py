"""Chooses the desired count of a run (pure).

The counts take turns in the order 1, 5, 10, ..., 50, one count per run. The position comes from the input, else from
production's ``sps_metadata.yaml`` when that file is fresh, else from the timestamp. A full run asks for count 1. While
the quota is short, the count changes after each finished sweep instead (``planning.sweep``).
"""

from __future__ import annotations

from datetime import datetime

from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES


def count_of_slot(slot_at: datetime) -> int:
    """The count that follows from the timestamp alone: a cycle of 11 slots since the epoch.

    >>> from datetime import UTC
    >>> [count_of_slot(datetime(2025, 12, 15, 10, minute, tzinfo=UTC)) for minute in (0, 10)]
    [20, 25]
    """
    return DESIRED_COUNTS[int(slot_at.timestamp()) // (SLOT_MINUTES * 60) % len(DESIRED_COUNTS)]


def next_count(count: int) -> int:
    """The next count in the rotation.

    >>> next_count(5), next_count(50)
    (10, 1)
    """
    return DESIRED_COUNTS[(DESIRED_COUNTS.index(count) + 1) % len(DESIRED_COUNTS)]
