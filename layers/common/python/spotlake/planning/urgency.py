"""Which calls are wanted, most urgent first, before quota is looked at (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from spotlake.models import DESIRED_COUNTS
from spotlake.planning.cover import Block
from spotlake.planning.rotation import next_count
from spotlake.planning.sweep import Sweep, age_minutes, block_id

PRIORITY_WEIGHT = 2.0  # what is marked waits half as long
_NEVER_MINUTES = 10_000_000.0  # in place of the age of what was never asked


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A block to ask at a count.

    Attributes:
        block: Its regions and sizes.
        block_id: Its name.
        count: Desired count.
        age_minutes: Since its last answer at the count; None for never.
        urgency: Age by weight in minutes; above any age for what failed in an earlier run.
    """

    block: Block
    block_id: str
    count: int
    age_minutes: float | None
    urgency: float


@dataclass(frozen=True, kw_only=True)
class SweepNeed:
    """What a run of a sweep wants.

    Attributes:
        owed: Still to be asked in the sweep; what failed lately; what is marked and has waited long enough.
        ahead: Of the next count, for quota that would lie idle otherwise; not owed yet.
    """

    owed: list[Wanted]
    ahead: list[Wanted]


def wanted_at_counts(
    blocks: Iterable[Block], counts: Sequence[int], sweep: Sweep, now_at: datetime, priorities: Priorities
) -> list[Wanted]:
    """Every block at every count: what failed in an earlier run, then the longest waiting by weight."""
    wanted = []
    for block in blocks:
        name, weight = block_id(block), priorities.weight(block)
        for count in counts:
            age = age_minutes(sweep.answered_at(name, count), now_at)
            urgency = (_NEVER_MINUTES if age is None else age) * weight
            if sweep.goes_first(name, count):
                urgency += _NEVER_MINUTES * PRIORITY_WEIGHT
            wanted.append(Wanted(block=block, block_id=name, count=count, age_minutes=age, urgency=urgency))
    return by_urgency(wanted)


def by_urgency(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Most urgent first; the plan's order decides between equals."""
    return sorted(wanted, key=lambda one: -one.urgency)


def failed_at_other_counts(
    blocks: Iterable[Block], counts: Sequence[int], sweep: Sweep, now_at: datetime, priorities: Priorities
) -> list[Wanted]:
    """What failed in earlier runs, which asked at other counts, and goes first."""
    others = [count for count in DESIRED_COUNTS if count not in counts and sweep.failed.get(count)]
    return [
        one
        for one in wanted_at_counts(blocks, others, sweep, now_at, priorities)
        if sweep.goes_first(one.block_id, one.count)
    ]


def wanted_in_sweep(blocks: Sequence[Block], sweep: Sweep, now_at: datetime, priorities: Priorities) -> SweepNeed:
    """What the sweep has not asked yet, then the beginning of the next count's.

    What is marked is asked between its sweeps too, once it has waited half as long as the oldest that the
    sweep still has to ask. No more calls than the plan has blocks: a run is made for so many.
    """
    current, following = sweep.desired_count, next_count(sweep.desired_count)
    still = [
        one
        for one in wanted_at_counts(blocks, (current,), sweep, now_at, priorities)
        if sweep.is_open(one.block_id, current) or sweep.goes_first(one.block_id, current)
    ]
    again = failed_at_other_counts(blocks, (current,), sweep, now_at, priorities)
    between = _between_sweeps(blocks, still, sweep, now_at, priorities)
    owed = by_urgency({(one.block_id, one.count): one for one in still + again + between}.values())
    asked = {one.block_id for one in owed if one.count == following}
    ahead = [
        one
        for one in wanted_at_counts(blocks, (following,), sweep, now_at, priorities)
        if one.block_id not in asked and sweep.is_open(one.block_id, following)
    ]
    return SweepNeed(owed=owed[: len(blocks)], ahead=ahead[: max(0, len(blocks) - len(owed))])


def _between_sweeps(
    blocks: Iterable[Block], still: Iterable[Wanted], sweep: Sweep, now_at: datetime, priorities: Priorities
) -> list[Wanted]:
    """Marked blocks at other counts whose weighted age is that of the oldest block which the sweep will ask."""
    oldest = max((one.age_minutes for one in still if one.age_minutes is not None), default=None)
    marked = [block for block in blocks if priorities.weight(block) > 1.0]
    if oldest is None or not marked:
        return []
    others = [count for count in DESIRED_COUNTS if count != sweep.desired_count]
    wanted = wanted_at_counts(marked, others, sweep, now_at, priorities)
    return [one for one in wanted if one.age_minutes is not None and one.urgency >= oldest]
