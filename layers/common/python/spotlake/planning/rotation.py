"""Chooses the desired count of a run (pure).

The counts take turns in the order 1, 5, 10, ..., 50, one count per run. The position comes from the input, else from
production's ``sps_metadata.yaml`` when that file is fresh, else from the timestamp. A full run asks for count 1. While
the quota is short, the count changes after each finished sweep instead (``planning.sweep``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import yaml

from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES

_LARGEST_BYTES = 4_096  # production's own file has a hundred; deep nesting of 64 kB took the parser half a minute


@dataclass(frozen=True)
class ProductionPosition:
    """What production's file says: a position and its day, or why it is not used (one of the two)."""

    index: int | None
    ignored: str | None
    day: date | None = None


def parse_sps_metadata(body: bytes | None, day: date) -> ProductionPosition:
    r"""Read production's ``sps_metadata.yaml``.

    The file is fresh when ``workload_date`` is the run's UTC day or the day before. Production writes the new date only
    after its first run of the day.

    Args:
        body: The object's bytes; None when there is no object.
        day: UTC day of the run.

    >>> parse_sps_metadata(b"desired_count_index: 3\nworkload_date: '2025-12-15'", date(2025, 12, 15)).index
    3
    """
    if body is None:
        return ProductionPosition(None, "production has no sps_metadata.yaml")
    if len(body) > _LARGEST_BYTES:
        return ProductionPosition(None, f"production's sps_metadata.yaml has {len(body)} bytes")
    try:
        content: Any = yaml.safe_load(body)
        index, given = content["desired_count_index"], content["workload_date"]
        # Anything but a short text or a date may be built of aliases, and grow when it is printed.
        written = date.fromisoformat(str(given)[:10] if isinstance(given, date) else given)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        return ProductionPosition(None, f"production's sps_metadata.yaml cannot be read ({type(error).__name__})")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(DESIRED_COUNTS):
        shown = str(index)[:20] if isinstance(index, int | float | str) else type(index).__name__
        return ProductionPosition(
            None, f"production's desired_count_index {shown} is not 0 to {len(DESIRED_COUNTS) - 1}"
        )
    if not day - timedelta(days=1) <= written <= day:
        return ProductionPosition(None, f"production's sps_metadata.yaml is of {written.isoformat()}")
    return ProductionPosition(index, None, written)


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
