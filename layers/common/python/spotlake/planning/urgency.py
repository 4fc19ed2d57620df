"""Orders the wanted calls by urgency, before the quota is looked up (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from spotlake.models import DESIRED_COUNTS
from spotlake.planning.cover import Block
from spotlake.planning.rotation import next_count
from spotlake.planning.sweep import Sweep, age_minutes, block_id

PRIORITY_WEIGHT = 2.0  # blocks with priority wait half as long
_NEVER_MINUTES = 10_000_000.0  # stands for the age of a block that was never asked


@dataclass(frozen=True, kw_only=True)
class Priorities:
    """Regions (ARM codes) and sizes (globs) to which the settings give priority."""

    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()

    def weight(self, block: Block) -> float:
        """2.0 for a block that holds a region or size with priority, else 1.0."""
        marked = any(region in self.regions for region in block.regions) or any(
            fnmatchcase(size.lower(), glob.lower()) for size in block.instance_types for glob in self.instance_types
        )
        return PRIORITY_WEIGHT if marked else 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A block to ask at one desired count.

    Attributes:
        block: Regions and sizes of the block.
        block_id: Short name of the block.
        count: Desired count.
        age_minutes: Minutes since the block's last answer at this count; None when there was no answer.
        urgency: Age in minutes times weight. A block that failed in an earlier run has more than any age.
    """

    block: Block
    block_id: str
    count: int
    age_minutes: float | None
    urgency: float


@dataclass(frozen=True, kw_only=True)
class SweepNeed:
    """The calls that a run of a sweep wants.

    Attributes:
        owed: Calls still to be asked in the sweep, calls that failed lately, and calls with priority that are old
            enough.
        ahead: Calls of the next count, for quota that would otherwise be idle. They are not owed yet.
    """

    owed: list[Wanted]
    ahead: list[Wanted]


def wanted_at_counts(
    blocks: Iterable[Block], counts: Sequence[int], sweep: Sweep, now_at: datetime, priorities: Priorities
) -> list[Wanted]:
    """Every block at every count: blocks that failed in an earlier run, then the others by weighted age."""
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
    """Sort by urgency, most urgent first. Ties keep the plan's order."""
    return sorted(wanted, key=lambda one: -one.urgency)


def failed_at_other_counts(
    blocks: Iterable[Block], counts: Sequence[int], sweep: Sweep, now_at: datetime, priorities: Priorities
) -> list[Wanted]:
    """Blocks that failed in earlier runs at other counts. They come first."""
    others = [count for count in DESIRED_COUNTS if count not in counts and sweep.failed.get(count)]
    return [
        one
        for one in wanted_at_counts(blocks, others, sweep, now_at, priorities)
        if sweep.goes_first(one.block_id, one.count)
    ]


def wanted_in_sweep(blocks: Sequence[Block], sweep: Sweep, now_at: datetime, priorities: Priorities) -> SweepNeed:
    """Blocks that the sweep has not asked yet, then blocks of the next count's sweep.

    Blocks with priority are asked between their sweeps too, once they have waited half as long as the oldest block that
    the sweep still has to ask. A run never gets more calls than the plan has blocks.
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
    """Blocks with priority at other counts whose weighted age reaches that of the oldest block still in the sweep."""
    oldest = max((one.age_minutes for one in still if one.age_minutes is not None), default=None)
    marked = [block for block in blocks if priorities.weight(block) > 1.0]
    if oldest is None or not marked:
        return []
    others = [count for count in DESIRED_COUNTS if count != sweep.desired_count]
    wanted = wanted_at_counts(marked, others, sweep, now_at, priorities)
    return [one for one in wanted if one.age_minutes is not None and one.urgency >= oldest]
