"""Which calls are sent in a run, and through which routing location (pure).

What failed in an earlier run goes first; then all calls of the run's counts when the quota allows, else
those that have waited longest, weighted by what the user marked as important. Calls are spread over the
locations by free quota and health, and every location belongs to exactly one region's collector: its own,
or for locations without one, one that is dealt out in turn.
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
_MOST_AGAIN = 10  # after an outage no run grows by more than a tenth; the rest waits for its count's turn


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What a run sends.

    Attributes:
        calls: Collecting region -> its calls, most important first.
        desired_counts: Counts that are asked: those given or the sweep's, then those of calls that failed lately.
        fallbacks: Locations for calls whose own fails, healthiest first.
        planned: Calls in all.
        waiting: Calls that were to be sent in this run (or, in a sweep, are still to be sent) and do not fit.
        blocks: Call id -> block id, to fold the answers.
        oldest_age_minutes: How old the oldest of the waiting scores is; 0 when nothing waits, None when
            something waits that has never been asked.
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
        blocks: The call plan.
        desired_counts: Asked in this run; None to go on with the sweep, because the quota is short.
        free: Routing location -> calls that can be reserved now.
        health: Routing location -> weight (1.0 good, near 0 bad); missing: 1.0.
        collectors: Regions that have a collector in this run.
        sweep: When each block was last answered.
        now_at: The run's slot.
        priorities: What waits half as long.
        wanted: Exactly these blocks, most urgent first, and nothing else (a resumed attempt); None to choose.
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
    for number, (one, location) in enumerate(zip(sent, spread(free, health, len(sent)), strict=True)):
        call = _call(number, one, location)
        named[call.call_id] = one.block_id
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
    """Routing location -> the region whose collector sends what is routed through it."""
    known = set(collectors)
    strangers = [name for name in locations if name not in known]
    owners = {name: name for name in locations if name in known}
    if collectors:
        owners.update((name, collectors[number % len(collectors)]) for number, name in enumerate(strangers))
    return owners


def spread(free: Mapping[str, int], health: Mapping[str, float], number: int) -> list[str]:
    """Locations for so many calls: each gets in proportion to what it has free and to its health.

    Never more than it has free. What is left after a run is then even too, for calls that must be sent again.

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
