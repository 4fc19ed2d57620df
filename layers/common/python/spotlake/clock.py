"""Clocks that are passed as arguments: the wall clock, a run's own clock, or a manual one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from spotlake.errors import DeadlineError


class Clock(Protocol):
    """Tells the time as an aware UTC datetime."""

    def now(self) -> datetime:
        """The present moment, aware and in UTC."""
        ...


class WallClock:
    """The machine's own time, which runs on AWS use."""

    def now(self) -> datetime:
        """The machine's time in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class RunClock:
    """A clock that is set to a run's slot when the run begins, and then runs at normal speed.

    Local runs use this clock. So slots that run back to back are ten minutes apart for quota, tokens and ages too. The
    simulator is set to the same moment.
    """

    slot_at: datetime
    started_at: datetime
    wall: Clock

    def now(self) -> datetime:
        """The slot plus the time that has passed since the run began."""
        return self.slot_at + (self.wall.now() - self.started_at)


class ManualClock:
    """A clock that moves only when a test or benchmark moves it."""

    def __init__(self, now_at: datetime) -> None:
        """Start at ``now_at`` (aware)."""
        self._now_at = now_at

    def now(self) -> datetime:
        """The time that was set."""
        return self._now_at

    def advance(self, **duration: float) -> None:
        """Move forward by ``timedelta(**duration)``."""
        self._now_at += timedelta(**duration)


class Deadline:
    """The time that is left, from a Lambda context or a number of seconds."""

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        """``seconds_left`` is called each time."""
        self.seconds_left = seconds_left

    @classmethod
    def after(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Deadline:
        """A deadline ``seconds`` from now."""
        end = monotonic() + seconds
        return cls(lambda: end - monotonic())

    def check(self, doing: str, needs_seconds: float = 0.0) -> None:
        """Raise ``DeadlineError`` when fewer than ``needs_seconds`` are left for ``doing``."""
        left = self.seconds_left()
        if left <= needs_seconds:
            raise DeadlineError(f"{doing}: {left:.1f} s left, needs {needs_seconds:.1f} s")
