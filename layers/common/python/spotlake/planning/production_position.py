"""Reads where production stands in the rotation of desired counts, from its ``sps_metadata.yaml`` (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import yaml

from spotlake.models import DESIRED_COUNTS

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
