"""Sweeps: while quota is short, all pairs are asked at one count before the next count begins (pure).

For each block of the call plan and each count, the state keeps the slot of the last answer and the number of failures
since. The state also keeps the count of the current sweep and the slot in which the sweep began. A sweep is finished
when every block has been asked since. Quota that its last run does not need goes to the first blocks of the next sweep.
A call that failed comes first in the next runs. After a few failures the call waits for the next sweep of its count, so
that it does not use up the quota of the others. In a new plan a block is as old as the oldest of its pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NotRequired, Self, TypedDict

from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES, from_iso, to_iso
from spotlake.planning.cover import Block
from spotlake.planning.rotation import next_count

_NEVER_FAILED = (0, "")  # failures, slot of the last one
_GOES_FIRST = 3  # failures after which a call waits for the next sweep


def block_id(block: Block) -> str:
    """A short name for a block, made from the block's content alone."""
    text = ",".join(block.regions) + "|" + ",".join(block.instance_types)
    return blake2b(text.encode(), digest_size=6).hexdigest()


class SweepJson(TypedDict):
    """``Sweep`` as the state holds it. Counts are text, because they are keys of JSON objects."""

    desired_count: int
    began_at: str | None
    answered: dict[str, Mapping[str, str]]
    failed: NotRequired[dict[str, Mapping[str, tuple[int, str]]]]
    next_began_at: NotRequired[str | None]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The current sweep, and the last answers of every block.

    Attributes:
        desired_count: Count of the current sweep.
        began_at: Slot in which the sweep began (ISO); None before the first run.
        answered: Count -> block id -> slot of the block's last answer (ISO).
        failed: Count -> block id -> (failures since the last answer, slot of the last failure in ISO).
        next_began_at: Slot in which a block was first asked ahead, at the next count (ISO); None when no block was.
    """

    desired_count: int = 1
    began_at: str | None = None
    answered: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    failed: Mapping[int, Mapping[str, tuple[int, str]]] = field(default_factory=dict)
    next_began_at: str | None = None

    @classmethod
    def from_dict(cls, content: SweepJson) -> Self:
        """Read the sweep from the state."""
        return cls(
            desired_count=content["desired_count"],
            began_at=content["began_at"],
            answered={int(count): blocks for count, blocks in content["answered"].items()},
            failed={
                int(count): {block: (number, last) for block, (number, last) in blocks.items()}
                for count, blocks in content.get("failed", {}).items()
            },
            next_began_at=content.get("next_began_at"),
        )

    def to_dict(self) -> SweepJson:
        """Return the form that the state holds."""
        return {
            "desired_count": self.desired_count,
            "began_at": self.began_at,
            "answered": {str(count): blocks for count, blocks in self.answered.items()},
            "failed": {str(count): blocks for count, blocks in self.failed.items()},
            "next_began_at": self.next_began_at,
        }

    def answered_at(self, block: str, count: int) -> str:
        """Slot of a block's last answer at a count (ISO); "" when there is none. These texts sort by time."""
        return self.answered.get(count, {}).get(block, "")

    def is_open(self, block: str, count: int) -> bool:
        """Whether a block is still to be asked in the current sweep, or in the next one."""
        began_at = self.began_at if count == self.desired_count else self.next_began_at
        _, failed_at = self.failed.get(count, {}).get(block, _NEVER_FAILED)
        return began_at is None or max(self.answered_at(block, count), failed_at) < began_at

    def goes_first(self, block: str, count: int) -> bool:
        """Whether a block failed at a count, but not so often that the block must wait for the next sweep."""
        failures, _ = self.failed.get(count, {}).get(block, _NEVER_FAILED)
        return 0 < failures <= _GOES_FIRST


def record_answers(
    sweep: Sweep, *, slot_at: datetime, count: int, answered: Iterable[str], failed: Iterable[str], plan: Iterable[str]
) -> Sweep:
    """Record the answers of a run. Recording a run twice changes nothing.

    Args:
        sweep: The sweep before the run.
        slot_at: The run's slot. An older run never makes an answer older.
        count: Desired count that the run asked for.
        answered: Block ids that were answered.
        failed: Block ids that were planned and got no answer, sent or not.
        plan: Block ids of the whole plan. Other blocks are dropped.
    """
    at, wanted = to_iso(slot_at), dict.fromkeys(plan)
    known = dict(sweep.answered.get(count, {}))
    for block in answered:
        known[block] = max(at, known.get(block, ""))
    failures = dict(sweep.failed.get(count, {}))
    for block in failed:
        number, last = failures.get(block, _NEVER_FAILED)
        if at > last:
            failures[block] = (number + 1, at)
    after = replace(
        sweep,
        began_at=sweep.began_at or at,
        answered={**sweep.answered, count: {block: known[block] for block in wanted if block in known}},
        failed={
            **sweep.failed,
            count: {
                block: slots for block, slots in failures.items() if block in wanted and slots[1] > known.get(block, "")
            },
        },
    )
    if count == sweep.desired_count and not any(after.is_open(block, count) for block in wanted):
        return replace(after, desired_count=next_count(count), began_at=sweep.next_began_at or at, next_began_at=None)
    if count == next_count(sweep.desired_count):
        return replace(after, next_began_at=sweep.next_began_at or at)
    return after


def lost_count(sweep: Sweep, plan: Collection[str], count: int, slot_at: datetime) -> int | None:
    """The count that lost its turn, so that this run can ask the count too.

    With enough quota each count has its turn once in eleven slots. If most blocks of a count were last asked a whole
    cycle ago, the count has lost its turn: its run failed, was skipped, or never began.

    Args:
        sweep: The last answers of every block.
        plan: Block ids of the whole plan.
        count: The count of this run.
        slot_at: The run's slot.

    Returns:
        Of several, the one that waits longest. None when no turn was lost; a count never asked has lost none.
    """
    if not plan:
        return None
    cycle_began = to_iso(slot_at - timedelta(minutes=SLOT_MINUTES * len(DESIRED_COUNTS)))
    asked = {other: _asked_at(sweep, plan, other) for other in DESIRED_COUNTS if other != count}
    lost = {other: at for other, at in asked.items() if "" < at <= cycle_began}
    return min(lost, key=lambda other: lost[other], default=None)


def _asked_at(sweep: Sweep, plan: Collection[str], count: int) -> str:
    """Slot (ISO) before which half of the blocks were last asked at a count, "" for never."""
    answered, failed = sweep.answered.get(count, {}), sweep.failed.get(count, {})
    runs = sorted(max(answered.get(block, ""), failed.get(block, _NEVER_FAILED)[1]) for block in plan)
    return runs[(len(runs) - 1) // 2]


def move_to_plan(
    sweep: Sweep, before: Sequence[Block], after: Sequence[Block], pairs: Mapping[str, Collection[str]]
) -> Sweep:
    """Carry the ages over to the blocks of a new plan: each block is as old as the oldest of its pairs.

    Args:
        sweep: The sweep with the ages of the old blocks.
        before: The old plan.
        after: The new plan.
        pairs: Region -> sizes to score. Other pairs in a block do not make the block old.
    """
    if before == after:
        return sweep
    wanted = {region: set(sizes) for region, sizes in pairs.items()}
    old = [(block_id(block), _pairs_in(block, wanted)) for block in before]
    new = [(block_id(block), _pairs_in(block, wanted)) for block in after]
    names = {name for name, _ in new}
    return replace(
        sweep,
        answered={count: _moved(old, new, blocks) for count, blocks in sweep.answered.items()},
        failed={
            count: {block: slots for block, slots in blocks.items() if block in names}
            for count, blocks in sweep.failed.items()
        },
    )


type _Pairs = list[tuple[str, str]]


def _pairs_in(block: Block, wanted: Mapping[str, Collection[str]]) -> _Pairs:
    return [
        (region, size) for region in block.regions for size in block.instance_types if size in wanted.get(region, ())
    ]


def _moved(
    old: Iterable[tuple[str, _Pairs]], new: Iterable[tuple[str, _Pairs]], answered: Mapping[str, str]
) -> dict[str, str]:
    at: dict[tuple[str, str], str] = {}
    for name, pairs in old:
        slot = answered.get(name, "")
        at.update((pair, slot) for pair in pairs if slot > at.get(pair, ""))
    return {name: min(at[pair] for pair in pairs) for name, pairs in new if pairs and at.keys() >= set(pairs)}


def slots_of_window(window_minutes: int) -> int:
    """Number of runs, ten minutes apart, that share the calls which one route may send in a window.

    >>> slots_of_window(62), slots_of_window(60)
    (7, 6)
    """
    return -(-window_minutes // SLOT_MINUTES)


def cycle_minutes(calls: int, window_calls: int, window_minutes: int) -> int:
    """The age that a score reaches, in minutes, when all counts are swept in turn and every call succeeds.

    A call counts for the whole window, and runs are ten minutes apart. With a window of 62 minutes, the seventh run
    after a run may reuse its calls, so seven runs share the calls of one window. After ``calls`` times 11 counts every
    score has been asked again.

    Args:
        calls: Number of calls in the call plan.
        window_calls: Number of calls that all routes together may send in a window; at least 1.
        window_minutes: Length of the window.

    >>> cycle_minutes(1725, 590, 62)
    2260
    """
    return -(-calls * len(DESIRED_COUNTS) * slots_of_window(window_minutes) // window_calls) * SLOT_MINUTES


def age_minutes(slot: str, now_at: datetime) -> float | None:
    """Minutes since the slot that ``answered_at`` returned; None when there is no such slot."""
    return (now_at - from_iso(slot)).total_seconds() / 60 if slot else None
