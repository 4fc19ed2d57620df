"""Sweeps: while quota is short, all pairs are asked at one count before the next count begins (pure).

The state keeps, for each block of the call plan and each count, when it was last answered; and the count
whose sweep is going on with the moment it began. A sweep is finished when every block has been answered
since. With a new plan a block's age is that of the oldest of its pairs, so nothing is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Self

from spotlake.models import from_iso, to_iso
from spotlake.planning.cover import Block
from spotlake.planning.rotation import next_count


def block_id(block: Block) -> str:
    """A short name of a block that depends on its content alone."""
    text = ",".join(block.regions) + "|" + ",".join(block.instance_types)
    return blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What has been answered when.

    Attributes:
        desired_count: Of the sweep that is going on.
        began_at: When it began; None before the first run.
        answered: Count -> block id -> slot (ISO) of its last answer.
        unsent: Block ids that a run could not send at the sweep's count; they go first.
    """

    desired_count: int = 1
    began_at: str | None = None
    answered: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    unsent: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """From the state."""
        return cls(
            desired_count=content["desired_count"],
            began_at=content["began_at"],
            answered={int(count): blocks for count, blocks in content["answered"].items()},
            unsent=tuple(content["unsent"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """For the state."""
        return {
            "desired_count": self.desired_count,
            "began_at": self.began_at,
            "answered": {str(count): blocks for count, blocks in self.answered.items()},
            "unsent": self.unsent,
        }

    def answered_at(self, block: str, count: int) -> str:
        """Slot of a block's last answer at a count (ISO), "" when there is none; such texts sort by time."""
        return self.answered.get(count, {}).get(block, "")


def fold_run(
    sweep: Sweep, *, slot_at: datetime, count: int, answered: Iterable[str], unsent: Sequence[str], plan: Iterable[str]
) -> Sweep:
    """The sweep after a run.

    Args:
        sweep: Before.
        slot_at: The run's slot; an older run never makes an answer older.
        count: What it asked for.
        answered: Block ids that were answered.
        unsent: Block ids that were planned and got no answer.
        plan: Block ids of the whole plan, to see whether the sweep is finished.
    """
    at = to_iso(slot_at)
    known = dict(sweep.answered.get(count, {}))
    for block in answered:
        known[block] = max(at, known.get(block, ""))
    wanted = list(plan)
    by_count = {**sweep.answered, count: {block: known[block] for block in wanted if block in known}}
    began_at = sweep.began_at or at
    if count == sweep.desired_count and all(known.get(block, "") >= began_at for block in wanted):
        return Sweep(desired_count=next_count(count), began_at=at, answered=by_count)
    still = unsent if count == sweep.desired_count else sweep.unsent
    return Sweep(desired_count=sweep.desired_count, began_at=began_at, answered=by_count, unsent=tuple(still))


def move_to_plan(sweep: Sweep, before: Sequence[Block], after: Sequence[Block]) -> Sweep:
    """The same ages for a new plan's blocks: each is as old as the oldest of its pairs."""
    if before == after:
        return sweep
    moved = {
        count: _moved({block_id(block): block for block in before}, after, blocks)
        for count, blocks in sweep.answered.items()
    }
    return Sweep(desired_count=sweep.desired_count, began_at=sweep.began_at, answered=moved)


def _moved(before: Mapping[str, Block], after: Sequence[Block], answered: Mapping[str, str]) -> dict[str, str]:
    at: dict[tuple[str, str], str] = {}
    for name, slot in answered.items():
        block = before.get(name)
        for region in block.regions if block else ():
            for size in block.instance_types if block else ():
                at[region, size] = max(slot, at.get((region, size), ""))
    moved = {}
    for block in after:
        oldest = min(at.get((region, size), "") for region in block.regions for size in block.instance_types)
        if oldest:
            moved[block_id(block)] = oldest
    return moved


def age_minutes(slot: str, now_at: datetime) -> float | None:
    """Minutes since a slot (ISO text of ``answered_at``); None for never."""
    return (now_at - from_iso(slot)).total_seconds() / 60 if slot else None
