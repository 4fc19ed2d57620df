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


@dataclass(frozen=True)
class ProductionPosition:
    """The position in production's file, or the reason why the file is not used. One of the two is None."""

    index: int | None
    ignored: str | None


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
    try:
        content: Any = yaml.safe_load(body)
        index, text = content["desired_count_index"], str(content["workload_date"])
        written = date.fromisoformat(text)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        return ProductionPosition(None, f"production's sps_metadata.yaml cannot be read ({type(error).__name__})")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(DESIRED_COUNTS):
        return ProductionPosition(
            None, f"production's desired_count_index {index!r} is not 0 to {len(DESIRED_COUNTS) - 1}"
        )
    if not day - timedelta(days=1) <= written <= day:
        return ProductionPosition(None, f"production's sps_metadata.yaml is of {written.isoformat()}")
    return ProductionPosition(index, None)


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
