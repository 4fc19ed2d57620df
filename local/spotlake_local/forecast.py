"""Says before a run what the quota of placement-score calls will give, and proposes filters where it is short."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from spotlake.models import MAX_CALL_INSTANCE_TYPES, MAX_CALL_REGIONS, SLOT_MINUTES
from spotlake.planning.cover import lower_bound
from spotlake.planning.run_input import matches

_FAMILIES = ("Standard_D*", "Standard_E*", "Standard_N*", "Standard_D*_v5")
_PREFIXES = (16, 8, 4, 2, 1)  # numbers of regions to try
_WIDE = 16  # regions of the example


@dataclass(frozen=True)
class Forecast:
    """What the quota gives for one desired count.

    Attributes:
        calls_a_window: Calls of all routes in one window of the quota.
        window_minutes: Length of the window.
        needed: Calls that ask every pair once: the smallest number that any plan could have.
        regions, sizes: Numbers of what is asked.
    """

    calls_a_window: int
    window_minutes: int
    needed: int
    regions: int
    sizes: int

    @property
    def calls_a_run(self) -> int:
        """Calls that every ten-minute run may send for ever."""
        return self.calls_a_window * SLOT_MINUTES // self.window_minutes

    @property
    def hours(self) -> float:
        """Hours until every pair was asked once, for one desired count."""
        return self.needed / self.calls_a_window * self.window_minutes / 60

    def sentences(self, subscriptions: int) -> list[str]:
        """Sentences for people."""
        several = "s" if subscriptions > 1 else ""
        first = (
            f"{subscriptions} subscription{several}: the quota gives {self.calls_a_window:,} score calls in "
            f"{self.window_minutes} minutes, {self.calls_a_run:,} for each ten-minute run"
        )
        asked = f"{self.regions} regions x {self.sizes:,} sizes need {self.needed:,} calls for one desired count"
        if self.needed <= self.calls_a_run:
            return [first, f"{asked}: every score in every run"]
        wide = min(self.regions, _WIDE)
        deep = self.calls_a_run // -(-wide // MAX_CALL_REGIONS) * MAX_CALL_INSTANCE_TYPES
        return [
            first,
            f"{asked}: about {wide} regions x {deep:,} sizes every run, all of them every {self.hours:.1f} hours",
        ]


def forecast(
    pairs: Mapping[str, Collection[str]], *, subscriptions: int, locations: int, quota_calls: int, window_minutes: int
) -> Forecast:
    """Compute the forecast.

    Args:
        pairs: Region -> sizes to ask.
        subscriptions: Number of subscriptions that may ask.
        locations: Number of routing locations.
        quota_calls: Calls of one route in a window.
        window_minutes: Length of the window.
    """
    return Forecast(
        calls_a_window=max(1, subscriptions * locations * quota_calls),
        window_minutes=window_minutes,
        needed=lower_bound(pairs),
        regions=len(pairs),
        sizes=len({size for sizes in pairs.values() for size in sizes}),
    )


def proposals(pairs: Mapping[str, Collection[str]], found: Forecast) -> list[str]:
    """Filters with which every score is asked in every run: a family of sizes, where needed of the largest regions."""
    fitting = []
    names = sorted(pairs, key=lambda region: (-len(pairs[region]), region))
    for glob in _FAMILIES:
        part = {name: [size for size in pairs[name] if matches(size, [glob])] for name in names}
        for number in (len(names), *(one for one in _PREFIXES if one < len(names))):
            needed = lower_bound({name: part[name] for name in names[:number]})
            if 0 < needed <= found.calls_a_run:
                regions = f"--regions {','.join(names[:number])} " if number < len(names) else ""
                fitting.append(f"{regions}--instance-types '{glob}' ({needed} calls a run)")
                break
    return fitting
