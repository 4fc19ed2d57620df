"""Covering (region, size) pairs with as few placement-score calls as possible (pure, deterministic).

A call scores up to 8 regions x 5 sizes. The lower bound: a size that is offered in n regions needs ceil(n / 8) calls,
and a call holds five sizes; the same holds for regions. Sizes that are offered in the same regions are packed in fives
without waste. The rest is packed greedily. Then ``anneal`` removes one call at a time, until the bound is met or the
effort is used up.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from spotlake.models import MAX_CALL_INSTANCE_TYPES, MAX_CALL_REGIONS
from spotlake.planning.anneal import SEED, Packing, improve

# Annealing steps that one core does in somewhat less than a second. Effort is counted in steps, never in time, so the
# same pairs and the same effort give the same plan on every machine.
STEPS_PER_EFFORT_SECOND = 170_000
_FIRST_PART = 4  # a quarter of a long effort goes to the smaller problem
_STEPS_A_STEP = 1.5  # steps of the larger problem that take as long as one step of the smaller problem


@dataclass(frozen=True)
class Block:
    """One call's regions (at most 8) and sizes (at most 5), each in alphabetical order."""

    regions: tuple[str, ...]
    instance_types: tuple[str, ...]


@dataclass(frozen=True)
class CallPlan:
    """Blocks that cover every pair, and the lower bound on their number."""

    blocks: tuple[Block, ...]
    lower_bound: int


type Pairs = Mapping[str, Collection[str]]  # region -> sizes


def lower_bound(pairs: Pairs) -> int:
    """The smallest number of calls that any cover of these pairs could have.

    >>> lower_bound({"koreacentral": ["a", "b", "c", "d", "e", "f"], "eastus": ["a"]})
    2
    """
    regions_of = _regions_of(pairs)
    by_size = sum(_parts(len(regions), MAX_CALL_REGIONS) for regions in regions_of.values())
    by_region = sum(_parts(len(set(sizes)), MAX_CALL_INSTANCE_TYPES) for sizes in pairs.values())
    return max(_parts(by_size, MAX_CALL_INSTANCE_TYPES), _parts(by_region, MAX_CALL_REGIONS))


def cover_pairs(
    pairs: Pairs,
    *,
    effort_seconds: float = 1.0,
    start: Sequence[Block] = (),
    seed: int = SEED,
    on_progress: Callable[[float], None] | None = None,
) -> CallPlan:
    """Plan calls that cover every pair. A call may also hold pairs that were not asked for.

    Args:
        pairs: Region -> sizes to cover.
        effort_seconds: Approximate seconds to spend on improving, on one core (see ``STEPS_PER_EFFORT_SECOND``).
        start: An earlier plan. Its blocks are kept where a new plan would be no shorter.
        seed: Number from which the random choices follow. Another seed makes another plan, of about as many calls.
        on_progress: Called from time to time with the share of the effort that is used up (0 to 1). The last share may
            be below 1.
    """
    bound = lower_bound(pairs)
    problem = _Problem(pairs)
    kept = problem.repaired(start)
    if kept is not None and len(kept) <= bound:
        return CallPlan(problem.named(kept), bound)
    fixed, rest = problem.split_identical()
    steps = int(effort_seconds * STEPS_PER_EFFORT_SECOND)
    made = fixed + _pack(rest, bound - len(fixed), steps, seed, on_progress)
    best = kept if kept is not None and len(kept) <= len(made) else made
    return CallPlan(problem.named(best), bound)


def _pack(
    rest: dict[int, int], target: int, steps: int, seed: int, on_progress: Callable[[float], None] | None
) -> Packing:
    """Cover the sizes that do not pack in fives of the same regions. No cover has fewer than ``target`` calls.

    Fives of nearly the same regions stay untouched at first, which halves the open problem. For the last call or two
    the fives are split again.
    """
    grouped, open_masks = _group_by_union(rest)
    packing, anew = greedy(dict(open_masks)), greedy(dict(rest))
    if len(grouped) + len(packing) > len(anew):
        return improve(anew, rest, target=target, steps=steps, seed=seed, on_progress=on_progress)
    first = min(steps, max(steps // _FIRST_PART, STEPS_PER_EFFORT_SECOND))

    def report(part: float) -> None:
        if on_progress is not None:
            on_progress(part * first / steps)

    def tell_more(part: float) -> None:
        report(1.0 + part * (steps - first) / first)

    few = target - len(grouped)
    packing = grouped + improve(packing, open_masks, target=few, steps=first, seed=seed, on_progress=report)
    more = int((steps - first) * _STEPS_A_STEP)
    return improve(packing, rest, target=target, steps=more, seed=seed, on_progress=tell_more)


def _parts(number: int, size: int) -> int:
    return -(-number // size)


def _regions_of(pairs: Pairs) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for region, sizes in pairs.items():
        for size in sizes:
            found.setdefault(size, set()).add(region)
    return found


class _Problem:
    """The pairs as bit masks: size number -> mask of region numbers."""

    def __init__(self, pairs: Pairs) -> None:
        self.regions = sorted(pairs)
        bits = {region: 1 << number for number, region in enumerate(self.regions)}
        regions_of = _regions_of(pairs)
        self.sizes = sorted(regions_of)
        self.need = {number: sum(bits[region] for region in regions_of[size]) for number, size in enumerate(self.sizes)}

    def named(self, packing: Packing) -> tuple[Block, ...]:
        """Blocks with names, in a fixed order."""
        blocks = [
            Block(
                tuple(region for number, region in enumerate(self.regions) if mask >> number & 1),
                tuple(self.sizes[size] for size in sorted(sizes)),
            )
            for sizes, mask in packing
        ]
        return tuple(sorted(blocks, key=lambda block: (block.regions, block.instance_types)))

    def split_identical(self) -> tuple[Packing, dict[int, int]]:
        """Blocks of five sizes with the same regions, and what is left: size -> mask."""
        groups: dict[int, list[int]] = {}
        for size, mask in self.need.items():
            groups.setdefault(mask, []).append(size)
        fixed: Packing = []
        rest: dict[int, int] = {}
        for mask, sizes in groups.items():
            whole = len(sizes) - len(sizes) % MAX_CALL_INSTANCE_TYPES
            for begin in range(0, whole, MAX_CALL_INSTANCE_TYPES):
                five = sizes[begin : begin + MAX_CALL_INSTANCE_TYPES]
                fixed.extend((list(five), part) for part in region_parts(mask))
            rest.update((size, mask) for size in sizes[whole:])
        return fixed, rest

    def repaired(self, start: Sequence[Block]) -> Packing | None:
        """Fit an earlier plan to these pairs: drop empty blocks, and add new pairs greedily."""
        if not start:
            return None
        number_of = {name: number for number, name in enumerate(self.sizes)}
        bit_of = {name: 1 << number for number, name in enumerate(self.regions)}
        open_masks = dict(self.need)
        kept: Packing = []
        for block in start:
            mask = sum(bit_of[region] for region in block.regions if region in bit_of)
            sizes = [number_of[size] for size in block.instance_types if size in number_of]
            if any(open_masks[size] & mask for size in sizes):
                kept.append((sizes, mask))
                for size in sizes:
                    open_masks[size] &= ~mask
        return kept + greedy({size: mask for size, mask in open_masks.items() if mask})


def region_parts(mask: int) -> list[int]:
    """A mask cut into masks of at most 8 regions."""
    parts, part, count = [], 0, 0
    while mask:
        lowest = mask & -mask
        part, mask, count = part | lowest, mask ^ lowest, count + 1
        if count == MAX_CALL_REGIONS or not mask:
            parts.append(part)
            part, count = 0, 0
    return parts


def _group_by_union(rest: dict[int, int]) -> tuple[Packing, dict[int, int]]:
    """Pack sizes in fives that need k calls each and whose regions together still fit k calls.

    The other sizes stay open.
    """
    by_calls: dict[int, list[int]] = {}
    for size, mask in rest.items():
        by_calls.setdefault(_parts(mask.bit_count(), MAX_CALL_REGIONS), []).append(size)
    grouped: Packing = []
    open_masks: dict[int, int] = {}
    for calls, members in sorted(by_calls.items(), reverse=True):
        waiting = sorted(members, key=lambda size: (-rest[size].bit_count(), rest[size], size))
        while waiting:
            group, union = _nearest_five(waiting, rest, most=calls * MAX_CALL_REGIONS)
            for size in group:
                waiting.remove(size)
            if len(group) < MAX_CALL_INSTANCE_TYPES:
                open_masks.update((size, rest[size]) for size in group)
            else:
                grouped.extend((list(group), part) for part in region_parts(union))
    return grouped, open_masks


def _nearest_five(waiting: list[int], rest: dict[int, int], *, most: int) -> tuple[list[int], int]:
    """Choose the first waiting size, and up to four more that add the fewest regions, within ``most`` regions."""
    group, union = [waiting[0]], rest[waiting[0]]
    while len(group) < MAX_CALL_INSTANCE_TYPES:
        fitting = [
            (grown, -(rest[size] & union).bit_count(), size)
            for size in waiting
            if size not in group and (grown := (union | rest[size]).bit_count()) <= most
        ]
        if not fitting:
            break
        size = min(fitting)[2]
        group.append(size)
        union |= rest[size]
    return group, union


def greedy(open_masks: dict[int, int]) -> Packing:
    """Cover the open pairs greedily: each block covers about as many of them as a block can. Empties ``open_masks``."""
    blocks: Packing = []
    while open_masks:
        seed = max(open_masks, key=lambda size: (open_masks[size].bit_count(), -size))
        sizes, mask = [seed], open_masks[seed]
        for _ in range(3):
            sizes = _best_sizes(open_masks, mask, seed)
            mask = _best_regions([open_masks[size] for size in sizes])
        sizes = _best_sizes(open_masks, mask, seed)
        blocks.append((sizes, mask))
        for size in sizes:
            left = open_masks[size] & ~mask
            if left:
                open_masks[size] = left
            else:
                del open_masks[size]
    return blocks


def _best_sizes(open_masks: dict[int, int], mask: int, seed: int) -> list[int]:
    """The seed and the four sizes with the most open regions in the mask.

    Ties go to sizes with the fewest open regions elsewhere.
    """
    gains = [
        (-gain, open_mask.bit_count(), size)
        for size, open_mask in open_masks.items()
        if (gain := (open_mask & mask).bit_count()) and size != seed
    ]
    return [seed, *(size for _, _, size in heapq.nsmallest(MAX_CALL_INSTANCE_TYPES - 1, gains))]


def _best_regions(masks: list[int]) -> int:
    """The 8 regions that are open for the most of these sizes. Regions of the first mask come first."""
    counts: Counter[int] = Counter()
    for place, mask in enumerate(masks):
        remaining = mask
        while remaining:
            lowest = remaining & -remaining
            counts[lowest] += 2 if place == 0 else 1
            remaining ^= lowest
    best = sorted(counts, key=lambda bit: (-counts[bit], bit))[:MAX_CALL_REGIONS]
    return sum(best)
