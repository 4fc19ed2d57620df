"""Chooses the calls of a run, and the routing location of each call (pure).

Calls that failed in an earlier run come first. Then come all calls of the run's counts, if the quota allows. Otherwise
the calls that have waited longest come first; regions and sizes with priority count twice. Calls are spread over the
routing locations by free quota and health. Each location belongs to the collector of exactly one region: its own
region, or else a region chosen in turn.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from spotlake.models import ScoreCall
from spotlake.planning.cover import Block
from spotlake.planning.sweep import Sweep
from spotlake.planning.urgency import Priorities, Wanted, failed_at_other_counts, wanted_at_counts, wanted_in_sweep

_FALLBACKS = 6
_SMALLEST_WEIGHT = 0.01
_MOST_AGAIN = 10  # after an outage no run grows by more than a tenth; the other calls wait for their count's turn


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The calls of a run.

    Attributes:
        calls: Collecting region -> calls that the region's collector sends, most important first.
        desired_counts: Counts that are asked: the given ones or the sweep's, then those of calls that failed lately.
        fallbacks: Locations for calls whose own location fails, healthiest first.
        planned: Number of calls.
        waiting: Number of calls that are due and do not fit into the quota.
        blocks: Call id -> id of the block that the call asks.
        oldest_age_minutes: Age of the oldest score that waits, in minutes. 0: no score waits. None: a score waits that
            was never asked.
    """

    calls: Mapping[str, tuple[ScoreCall, ...]]
    desired_counts: tuple[int, ...]
    fallbacks: tuple[str, ...]
    planned: int
    waiting: int
    blocks: Mapping[str, str]
    oldest_age_minutes: float | None


def schedule_calls(
    blocks: Sequence[Block],
    *,
    desired_counts: Sequence[int] | None,
    free: Mapping[str, int],
    health: Mapping[str, float],
    collectors: Sequence[str],
    sweep: Sweep,
    now_at: datetime,
    priorities: Priorities,
    wanted: Sequence[Wanted] | None = None,
) -> Schedule:
    """Choose and spread the calls of one run.

    Args:
        blocks: The blocks of the call plan.
        desired_counts: Counts of this run; None to continue the sweep, because the quota is short.
        free: Routing location -> number of calls that can be reserved now.
        health: Routing location -> weight, from near 0 (bad) to 1.0 (good). A missing location has 1.0.
        collectors: Regions that have a collector in this run.
        sweep: When each block was last answered.
        now_at: The run's slot.
        priorities: Regions and sizes that wait half as long.
        wanted: The blocks of a resumed attempt, most urgent first; no other block is asked. None: choose the blocks.
    """
    room = sum(free.values()) if collectors else 0
    if wanted is not None:
        sent, left = list(wanted[:room]), list(wanted[room:])
        counts = tuple(desired_counts or ())
    else:
        first, ahead = _urgent(blocks, desired_counts, sweep, now_at, priorities)
        sent, left = [*first, *ahead][:room], list(first[room:])
        usual = [sweep.desired_count] if desired_counts is None else desired_counts
        counts = tuple(dict.fromkeys([*usual, *(one.count for one in sent)]))
    owners = owners_of(sorted(free), collectors)
    calls: dict[str, list[ScoreCall]] = {region: [] for region in collectors}
    named: dict[str, str] = {}
    for number, location in enumerate(spread(free, health, len(sent))):
        call = _call(number, sent[number], location)
        named[call.call_id] = sent[number].block_id
        calls[owners[location]].append(call)
    return Schedule(
        calls={region: tuple(own) for region, own in calls.items()},
        desired_counts=counts,
        fallbacks=tuple(sorted(free, key=lambda name: (-health.get(name, 1.0), -free[name], name))[:_FALLBACKS]),
        planned=len(sent),
        waiting=len(left),
        blocks=named,
        oldest_age_minutes=_oldest(left),
    )


def _urgent(
    blocks: Sequence[Block],
    desired_counts: Sequence[int] | None,
    sweep: Sweep,
    now_at: datetime,
    priorities: Priorities,
) -> tuple[Sequence[Wanted], Sequence[Wanted]]:
    """Calls that are due, most urgent first; and calls of the next sweep, for quota that is left."""
    if desired_counts is None:
        need = wanted_in_sweep(blocks, sweep, now_at, priorities)
        return need.owed, need.ahead
    failed = failed_at_other_counts(blocks, desired_counts, sweep, now_at, priorities)
    due = wanted_at_counts(blocks, desired_counts, sweep, now_at, priorities)
    return failed[: len(blocks) // _MOST_AGAIN] + due, []


def owners_of(locations: Sequence[str], collectors: Sequence[str]) -> dict[str, str]:
    """Routing location -> region whose collector sends the calls of that location."""
    known = set(collectors)
    strangers = [name for name in locations if name not in known]
    owners = {name: name for name in locations if name in known}
    if collectors:
        owners.update((name, collectors[number % len(collectors)]) for number, name in enumerate(strangers))
    return owners


def spread(free: Mapping[str, int], health: Mapping[str, float], number: int) -> list[str]:
    """Choose locations for ``number`` calls, in proportion to the free quota and the health of each location.

    No location gets more calls than it has free. So the quota that is left is even too, for calls that must be sent
    again.

    >>> spread({"eastus": 4, "westus": 2}, {}, 3)
    ['eastus', 'eastus', 'westus']
    """
    weights = {name: room * max(health.get(name, 1.0), _SMALLEST_WEIGHT) for name, room in free.items() if room > 0}
    queue = [(1 / weight, name, 1) for name, weight in sorted(weights.items())]
    heapq.heapify(queue)
    chosen: list[str] = []
    while len(chosen) < number and queue:
        _, name, used = heapq.heappop(queue)
        chosen.append(name)
        if used < free[name]:
            heapq.heappush(queue, ((used + 1) / weights[name], name, used + 1))
    return chosen


def _call(number: int, one: Wanted, location: str) -> ScoreCall:
    return ScoreCall(
        call_id=f"c{number:04d}-{one.count}",
        location=location,
        regions=one.block.regions,
        instance_types=one.block.instance_types,
        desired_count=one.count,
    )


def _oldest(left: Iterable[Wanted]) -> float | None:
    ages = [one.age_minutes for one in left]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None
