"""The quota of placement scores, as the simulated Azure counts and enforces it.

Public production code found ten calls in a sliding hour for each (subscription, routing location) (2025-09). Sources
disagree, so tests can change size and scope.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO


@dataclass
class Quota:
    """Calls in a sliding window.

    Attributes:
        calls: Number of calls.
        window_seconds: Length of the window.
        per_location: Whether each routing location of a subscription has its own quota.
        counts_invalid: Whether a call that is answered with 400 counts.
        retry_after: Whether a 429 carries Retry-After.
    """

    calls: int = 10
    window_seconds: float = 3600.0
    per_location: bool = True
    counts_invalid: bool = True
    retry_after: bool = False
    history: defaultdict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    _log: TextIO | None = field(default=None, repr=False)

    def take(self, subscription: str, location: str, now_at: datetime) -> bool:
        """Count a call. Returns False for a refused call, which is not counted."""
        at = now_at.timestamp()
        # Times ahead of a clock that was put back count too, unless they are a whole window ahead.
        recent = [time for time in self._of(subscription, location) if abs(at - time) < self.window_seconds]
        allowed = len(recent) < self.calls
        if allowed:
            recent.append(at)
            if self._log is not None:
                self._log.write(f"{subscription} {location} {at:.3f}\n")
        self.history[self._key(subscription, location)] = recent
        return allowed

    def used(self) -> dict[str, int]:
        """Calls in the window by route ("subscription location"), as of the route's last call."""
        return {" ".join(pair).strip(): len(times) for pair, times in self.history.items() if times}

    def keep_in(self, file: Path) -> None:
        """Load the history from a file, and append to the file from now on, so that a restart loses nothing."""
        calls = _read(file) if file.exists() else []
        newest = max((at for _, _, at in calls), default=0.0)
        calls = [call for call in calls if newest - call[2] < self.window_seconds]
        for subscription, location, at in calls:
            self._of(subscription, location).append(at)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{name} {location} {at:.3f}\n" for name, location, at in calls), encoding="utf-8")
        # Each line is written at once, so a killed simulator loses none.
        self._log = file.open("a", buffering=1, encoding="utf-8")

    def clear(self) -> None:
        """Clear the history, also in the file."""
        self.history.clear()
        if self._log is not None:
            self._log.truncate(0)

    def _of(self, subscription: str, location: str) -> list[float]:
        return self.history[self._key(subscription, location)]

    def _key(self, subscription: str, location: str) -> tuple[str, str]:
        return subscription, location if self.per_location else ""


def _read(file: Path) -> list[tuple[str, str, float]]:
    lines = [line.split(" ") for line in file.read_text(encoding="utf-8").splitlines()]
    # The last line of a killed process may be cut off.
    return [(parts[0], parts[1], float(parts[2])) for parts in lines if len(parts) == 3 and parts[2]]
