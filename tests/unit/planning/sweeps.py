"""Slots by number, and a run's answers folded into a sweep."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from spotlake.planning.sweep import Sweep, record_answers

_FIRST_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)


def slot(number: int) -> datetime:
    return _FIRST_AT + timedelta(minutes=10 * number)


def iso(number: int) -> str:
    return slot(number).strftime("%Y-%m-%dT%H:%M:%SZ")


def fold(
    sweep: Sweep,
    number: int,
    answered: Iterable[str] = (),
    failed: Iterable[str] = (),
    *,
    count: int = 1,
    plan: str = "abc",
) -> Sweep:
    """The sweep after the run of a slot; each letter of ``plan`` is a block."""
    return record_answers(sweep, slot_at=slot(number), count=count, answered=answered, failed=failed, plan=plan)
