from __future__ import annotations

import inspect
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from spotlake.models import DESIRED_COUNTS
from spotlake.planning.production_position import parse_sps_metadata
from spotlake.planning.rotation import count_of_slot, next_count

DAY = date(2025, 12, 15)


def metadata(index: object = 3, day: str = "2025-12-15") -> bytes:
    return f"desired_count_index: {index}\nworkload_date: '{day}'\n".encode()


def test_eleven_slots_ask_every_count_once() -> None:
    first_at = datetime(2025, 12, 15, 23, 30, tzinfo=UTC)
    counts = [count_of_slot(first_at + timedelta(minutes=10 * number)) for number in range(12)]
    assert sorted(counts[:11]) == list(DESIRED_COUNTS)
    assert counts[11] == counts[0]
    assert counts[1:] == [next_count(count) for count in counts[:-1]]


@pytest.mark.parametrize("day", ["2025-12-15", "2025-12-14"])
def test_a_fresh_position_is_used(day: str) -> None:
    assert parse_sps_metadata(metadata(10, day), DAY).index == 10


def test_a_date_that_yaml_reads_as_a_date_is_one_too() -> None:
    assert parse_sps_metadata(b"desired_count_index: 0\nworkload_date: 2025-12-15\n", DAY).index == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "no sps_metadata"),
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"- 1", "cannot be read"),
        (metadata(3) + b"#" * 4_096, "has 4"),  # whatever it says, and before it is parsed
        (b"desired_count_index: 3", "cannot be read"),
        (metadata(day="soon"), "cannot be read"),
        (metadata(11), "11 is not 0 to 10"),
        (metadata(-1), "-1 is not 0 to 10"),
        (metadata("true"), "True is not 0 to 10"),
        (metadata("1.5"), "1.5 is not 0 to 10"),
        (metadata(day="2025-12-13"), "is of 2025-12-13"),
        (metadata(day="2025-12-16"), "is of 2025-12-16"),
    ],
)
def test_anything_else_is_ignored_for_a_reason(body: bytes | None, reason: str) -> None:
    position = parse_sps_metadata(body, DAY)
    assert position.index is None
    assert reason in (position.ignored or "")


def test_a_body_that_nests_too_deep_is_ignored_for_a_reason() -> None:
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)  # Hypothesis raises it in a process that it ran in before
    try:
        position = parse_sps_metadata(b"[" * 4_000, DAY)
    finally:
        sys.setrecursionlimit(usual)
    assert position.ignored == "production's sps_metadata.yaml cannot be read (RecursionError)"
