"""Files of gaps word for word: which slots lack something, why, and what is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from spotlake.errors import DamagedStateError
from spotlake.history.gaps import Gap, gap_of, missing_between, with_gaps
from spotlake.run_files import Manifest
from tests.support.errors import says

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
SLOT = timedelta(minutes=10)
HEAD = "slot_at,status,coverage_percent,stale_regions,reason\n"


def manifest(**changes: Any) -> Manifest:
    return cast(
        "Manifest",
        {
            "status": "complete", "filtered": False, "coverage_percent": 100.0, "stale_regions": 0,
            "coverage_reasons": {}, "stale": [], **changes,
        },
    )  # fmt: skip


def stale(dataset: str, error: str) -> dict[str, str]:
    return {"dataset": dataset, "error": error}


def test_a_slot_that_has_all_it_owed_is_no_gap() -> None:
    assert gap_of(AT, manifest()) is None
    assert gap_of(AT, None) == Gap(slot_at=AT, status="unfinished", reason="the run wrote no manifest")
    assert gap_of(AT, manifest(filtered=True, coverage_percent=99.5)) == Gap(
        slot_at=AT, status="part", coverage_percent="99.5", stale_regions="0", reason="only parts were asked for"
    )
    assert gap_of(AT, manifest(status="failed", coverage_percent=0.0, stale_regions=12)) == Gap(
        slot_at=AT, status="failed", coverage_percent="0", stale_regions="12", reason=""
    )


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"coverage_reasons": {"sps": "b", "price": "a"}}, "price: a; sps: b"),
        ({"coverage_reasons": {"price": "its turn is a later slot", "sps": "b"}}, "sps: b"),
        (
            {"stale": [stale("sps", "E"), stale("spot_price", ""), stale("sps", "E"), stale("sps", "F")]},
            "sps: E in 2 regions; spot_price: missing in 1 region; sps: F in 1 region",
        ),
        (
            {"filtered": True, "coverage_reasons": {"sps": "b"}, "stale": [stale("sps", "E")]},
            "only parts were asked for; sps: b; sps: E in 1 region",
        ),
        (
            {"stale": [stale("sps", name) for name in "ABCDE"]},
            "; ".join(f"sps: {name} in 1 region" for name in "ABCDE"),
        ),
        (
            {"stale": [stale("sps", name) for name in "ABCDEFG"]},
            "; ".join([*(f"sps: {name} in 1 region" for name in "ABCDE"), "and 2 more"]),
        ),
    ],
)
def test_the_reasons_of_a_gap_are_told_in_words(told: Mapping[str, Any], reason: str) -> None:
    gap = gap_of(AT, manifest(status="partial", **told))
    assert gap is not None
    assert (gap.status, gap.reason) == ("partial", reason)


def missing(number: int) -> Gap:
    return Gap(slot_at=AT + number * SLOT, status="missing", reason="no run")


def test_slots_without_a_run_are_those_between_two_that_have_one() -> None:
    assert list(missing_between([])) == []
    assert list(missing_between([AT])) == []
    slots = [AT, AT + SLOT, AT + 4 * SLOT, AT + 6 * SLOT]
    assert list(missing_between(slots)) == [missing(2), missing(3), missing(5)]


def test_a_month_s_file_keeps_what_was_not_looked_at_and_replaces_what_was() -> None:
    found = {
        AT: Gap(slot_at=AT, status="partial", coverage_percent="50", stale_regions="3", reason='odd, "quoted"'),
        AT + 2 * SLOT: missing(2),
        AT + 3 * SLOT: None,
        AT + timedelta(days=31): Gap(slot_at=AT + timedelta(days=31), status="failed", reason="another month"),
        AT.replace(year=2024): Gap(slot_at=AT.replace(year=2024), status="failed", reason="another year"),
    }
    body = with_gaps(None, date(2025, 12, 1), found, between=(AT, AT))
    assert body.decode() == (
        HEAD + '2025-12-15T10:00:00Z,partial,50,3,"odd, ""quoted"""\n2025-12-15T10:20:00Z,missing,,,no run\n'
    )
    earlier = {AT - SLOT: Gap(slot_at=AT - SLOT, status="failed", reason="early"), AT: None}
    again = with_gaps(body, date(2025, 12, 31), earlier, between=(AT, AT + SLOT))
    assert again.decode() == (HEAD + "2025-12-15T09:50:00Z,failed,,,early\n2025-12-15T10:20:00Z,missing,,,no run\n")
    for between in ((AT + 2 * SLOT, AT + 3 * SLOT), (AT + SLOT, AT + 2 * SLOT)):  # it came after all
        assert with_gaps(again, date(2025, 12, 1), {}, between=between).decode() == (
            HEAD + "2025-12-15T09:50:00Z,failed,,,early\n"
        )
    for between in ((AT + 3 * SLOT, AT + 4 * SLOT), (AT, AT + SLOT)):
        assert with_gaps(again, date(2025, 12, 1), {}, between=between) == again
    wide = with_gaps(again, date(2025, 12, 1), {}, between=(AT - 9 * SLOT, AT + 9 * SLOT))
    assert wide.decode() == HEAD + "2025-12-15T09:50:00Z,failed,,,early\n"  # a gap that is no missing slot stays


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"slot_at,status\n2025-12-15T10:00:00Z,?\n", "KeyError: 'coverage_percent'"),
        (HEAD.encode() + b"yesterday,a,b,c,d\n", "ValueError: Invalid isoformat string: 'yesterday'"),
        (HEAD.encode() + b'2025-12-15T10:00:00Z,"a"b,c,d\n', "Error: ',' expected after '\"'"),
        (HEAD.encode() + b"2025-12-15T10:00:00Z,partial,50\n", "ValueError: a row is cut off"),
        (b"\xff", "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_damaged_file_of_gaps_is_named(body: bytes, why: str) -> None:
    with says(DamagedStateError, f"a file of gaps is damaged ({why})"):
        with_gaps(body, date(2025, 12, 1), {}, between=(AT, AT))
