"""Which calls are sent in a run, and through which routing location (pure).

All of them when the quota allows; else those that have waited longest, weighted by what the user marked
as important. Calls are spread over the locations by free quota and health, and every location belongs to
exactly one region's collector: its own, or for locations without one, one that is dealt out in turn.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from spotlake.models import ScoreCall
from spotlake.planning.cover import Block
from spotlake.planning.sweep import Sweep, age_minutes, block_id

NEVER_ASKED_MINUTES = 10_000_000.0
PRIORITY_WEIGHT = 2.0  # what is marked waits half as long
_FALLBACKS = 6


@dataclass(frozen=True, kw_only=True)
class Priorities:
    """What the user marked: ARM codes, and globs of ARM sizes."""

    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()

    def weight(self, block: Block) -> float:
        """2.0 for a block with anything marked in it, else 1.0."""
        marked = any(region in self.regions for region in block.regions) or any(
            fnmatchcase(size.lower(), glob.lower()) for size in block.instance_types for glob in self.instance_types
        )
        return PRIORITY_WEIGHT if marked else 1.0


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What a run sends.

    Attributes:
        calls: Collecting region -> its calls, most important first.
        fallbacks: Locations for calls whose own fails, healthiest first.
        planned: Calls in all.
        waiting: Calls of this run's counts that do not fit in it.
        blocks: Call id -> block id, to fold the answers.
        oldest_age_minutes: How old the oldest score of these counts will be when this run is done; None when
            something has never been asked and is not asked now.
    """

    calls: Mapping[str, tuple[ScoreCall, ...]]
    fallbacks: tuple[str, ...]
    planned: int
    waiting: int
    blocks: Mapping[str, str]
    oldest_age_minutes: float | None


def schedule_calls(
    blocks: Sequence[Block],
    *,
    desired_counts: Sequence[int],
    free: Mapping[str, int],
    health: Mapping[str, float],
    collectors: Sequence[str],
    sweep: Sweep,
    now_at: datetime,
    priorities: Priorities,
) -> Schedule:
    """Choose and spread the calls of one run.

    Args:
        blocks: The call plan.
        desired_counts: Asked in this run.
        free: Routing location -> calls that can be reserved now.
        health: Routing location -> weight (1.0 good, near 0 bad); missing: 1.0.
        collectors: Regions that have a collector in this run.
        sweep: When each block was last answered.
        now_at: The run's slot.
        priorities: What waits half as long.
    """
    wanted = _in_order_of_need(blocks, desired_counts, sweep, now_at, priorities)
    room = sum(free.values())
    sent, left = wanted[:room], wanted[room:]
    owners = owners_of(sorted(free), collectors)
    calls: dict[str, list[ScoreCall]] = {region: [] for region in collectors}
    named: dict[str, str] = {}
    for number, ((_, count, block), location) in enumerate(zip(sent, _spread(free, health, len(sent)), strict=True)):
        call = ScoreCall(
            call_id=f"c{number:04d}-{count}",
            location=location,
            regions=block.regions,
            instance_types=block.instance_types,
            desired_count=count,
        )
        named[call.call_id] = block_id(block)
        calls[owners[location]].append(call)
    return Schedule(
        calls={region: tuple(own) for region, own in calls.items()},
        fallbacks=tuple(sorted(free, key=lambda name: (-health.get(name, 1.0), -free[name], name))[:_FALLBACKS]),
        planned=len(sent),
        waiting=len(left),
        blocks=named,
        oldest_age_minutes=_oldest(left, sweep, now_at),
    )


def owners_of(locations: Sequence[str], collectors: Sequence[str]) -> dict[str, str]:
    """Routing location -> the region whose collector sends what is routed through it."""
    known = set(collectors)
    strangers = [name for name in locations if name not in known]
    owners = {name: name for name in locations if name in known}
    if collectors:
        owners.update((name, collectors[number % len(collectors)]) for number, name in enumerate(strangers))
    return owners


def _in_order_of_need(
    blocks: Sequence[Block], counts: Sequence[int], sweep: Sweep, now_at: datetime, priorities: Priorities
) -> list[tuple[float, int, Block]]:
    """(urgency, count, block): what could not be sent last time, then the longest waiting."""
    first = set(sweep.unsent)
    wanted = []
    for block in blocks:
        name, weight = block_id(block), priorities.weight(block)
        for count in counts:
            age = age_minutes(sweep.answered_at(name, count), now_at)
            urgency = (NEVER_ASKED_MINUTES if age is None else age) * weight
            wanted.append((urgency + (NEVER_ASKED_MINUTES * 2 if name in first else 0.0), count, block))
    return sorted(wanted, key=lambda one: -one[0])  # stable: the plan's order decides between equals


def _spread(free: Mapping[str, int], health: Mapping[str, float], number: int) -> list[str]:
    """Locations for so many calls: each gets in proportion to health, never more than it has free."""
    queue = [(1.0 / max(health.get(name, 1.0), 0.01), name, 1) for name, room in sorted(free.items()) if room]
    heapq.heapify(queue)
    chosen: list[str] = []
    while len(chosen) < number and queue:
        _, name, used = heapq.heappop(queue)
        chosen.append(name)
        if used < free[name]:
            heapq.heappush(queue, ((used + 1) / max(health.get(name, 1.0), 0.01), name, used + 1))
    return chosen


def _oldest(left: Sequence[tuple[float, int, Block]], sweep: Sweep, now_at: datetime) -> float | None:
    """Age of the oldest score that is not asked now; 0 when everything is asked."""
    ages = [age_minutes(sweep.answered_at(block_id(block), count), now_at) for _, count, block in left]
    if any(age is None for age in ages):
        return None
    return max((age for age in ages if age is not None), default=0.0)
