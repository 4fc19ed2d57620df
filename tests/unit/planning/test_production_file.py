"""Production's small file of the rotation: what is read of it, and the whole reason why not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from spotlake.models import DESIRED_COUNTS
from spotlake.planning.production_position import ProductionPosition, parse_sps_metadata
from spotlake.planning.rotation import count_of_slot, next_count

DAY = date(2025, 12, 15)
FILE = "production's sps_metadata.yaml"
USUAL = b"desired_count_index: 3\nworkload_date: '2025-12-15'\n"


def padded(size: int) -> bytes:
    return USUAL + b"#" * (size - len(USUAL))


@pytest.mark.parametrize(
    ("body", "index", "day"),
    [
        (USUAL, 3, DAY),
        (padded(4096), 3, DAY),
        (b"desired_count_index: 0\nworkload_date: 2025-12-14", 0, date(2025, 12, 14)),
        (b"desired_count_index: 10\nworkload_date: 2025-12-15 23:59:00", 10, DAY),
        (b"{workload_date: '2025-12-15', desired_count_index: 7, more: [1]}", 7, DAY),
    ],
)
def test_a_fresh_file_gives_position_and_day(body: bytes, index: int, day: date) -> None:
    assert parse_sps_metadata(body, DAY) == ProductionPosition(index, None, day)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "production has no sps_metadata.yaml"),
        (padded(4097), f"{FILE} has 4097 bytes"),
        (b"", f"{FILE} cannot be read (TypeError)"),
        (b"{", f"{FILE} cannot be read (ParserError)"),
        (b"desired_count_index: 3", f"{FILE} cannot be read (KeyError)"),
        (b"workload_date: 2025-12-15", f"{FILE} cannot be read (KeyError)"),
        (b"desired_count_index: 3\nworkload_date: '2025-12-15x'", f"{FILE} cannot be read (ValueError)"),
        (b"desired_count_index: 3\nworkload_date: [2025]", f"{FILE} cannot be read (TypeError)"),
        (b"desired_count_index: 11\nworkload_date: 2025-12-15", "production's desired_count_index 11 is not 0 to 10"),
        (b"desired_count_index: -1\nworkload_date: 2025-12-15", "production's desired_count_index -1 is not 0 to 10"),
        (
            b"desired_count_index: yes\nworkload_date: 2025-12-15",
            "production's desired_count_index True is not 0 to 10",
        ),
        (b"desired_count_index: 1.0\nworkload_date: 2025-12-15", "production's desired_count_index 1.0 is not 0 to 10"),
        (
            b"desired_count_index: 123456789012345678901\nworkload_date: 2025-12-15",
            "production's desired_count_index 12345678901234567890 is not 0 to 10",
        ),
        (
            b"desired_count_index: soon\nworkload_date: 2025-12-15",
            "production's desired_count_index soon is not 0 to 10",
        ),
        (
            b"desired_count_index: [1]\nworkload_date: 2025-12-15",
            "production's desired_count_index list is not 0 to 10",
        ),
        (b"desired_count_index: 3\nworkload_date: 2025-12-13", f"{FILE} is of 2025-12-13"),
        (b"desired_count_index: 3\nworkload_date: 2025-12-16", f"{FILE} is of 2025-12-16"),
    ],
)
def test_why_a_file_is_not_used(body: bytes | None, reason: str) -> None:
    assert parse_sps_metadata(body, DAY) == ProductionPosition(None, reason, None)


def test_counts_take_turns_of_ten_minutes_from_the_epoch_on() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    slots = [epoch + timedelta(minutes=10 * number) for number in range(23)]
    assert [count_of_slot(slot_at) for slot_at in slots] == [*DESIRED_COUNTS, *DESIRED_COUNTS, 1]
    assert count_of_slot(epoch + timedelta(minutes=19, seconds=59)) == 5
    assert [next_count(count) for count in DESIRED_COUNTS] == [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 1]
