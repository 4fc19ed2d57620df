"""Improves a cover: moves sizes and regions between a fixed number of calls until no pair is uncovered.

A step puts one uncovered pair into a call. Either the size goes into a call that has the region, or the region goes
into a call that has the size. The newcomer replaces what the call needs least. A step that uncovers no more than it
covers is accepted; a slightly worse step is accepted by chance (annealing at one temperature).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from spotlake.models import MAX_CALL_INSTANCE_TYPES, MAX_CALL_REGIONS

type Packing = list[tuple[list[int], int]]  # sizes of a call, mask of its regions

SEED = 1  # of those tried, the one that finds the optimum of the real catalogue soonest
_REFRESH_STEPS, _TELL_STEPS = 16, 65536
_TEMPERATURE = 0.42  # in pairs; on the real catalogue colder ones get stuck, hotter ones never settle
_REGION_SHARE = 0.4  # of the steps that put a region into a call that has its size
_NONE_YET = MAX_CALL_INSTANCE_TYPES + 1, 0  # more sizes than a call has, and no region
_LOOKS = 12  # calls looked at for one that has an uncovered region of the size


def improve(
    packing: Packing,
    need: dict[int, int],
    *,
    target: int,
    steps: int,
    seed: int = SEED,
    on_progress: Callable[[float], None] | None = None,
) -> Packing:
    """A cover with fewer calls, if one is found within ``steps``.

    Args:
        packing: A cover of ``need``.
        need: Size -> mask of its regions.
        target: Number of calls at which to stop.
        steps: Number of steps to try at most.
        seed: Number from which the random choices follow.
        on_progress: Called from time to time with the share of the steps that is used up (0 to 1).
    """
    best = packing
    spent = 0

    def report(step: int) -> None:
        if on_progress is not None:
            on_progress((spent + step) / steps)

    rng = Random(seed)  # noqa: S311 - the same choice every time, no secret
    while len(best) > max(target, 1) and spent < steps:
        search = _Search(best, need, rng)
        search.drop_one()
        spent += search.run(steps - spent, report)
        if search.uncovered:
            break
        best = search.packing()
    return best


class _Search:
    """A cover with gaps: which calls have a size, and its regions that none or only one of them covers."""

    def __init__(self, packing: Packing, need: dict[int, int], rng: Random) -> None:
        self.rng = rng
        self.need = need
        self.sizes = [list(sizes) for sizes, _ in packing]
        self.masks = [mask for _, mask in packing]
        self.none = dict(need)
        self.once: dict[int, int] = {}
        self.uncovered = sum(mask.bit_count() for mask in need.values())
        self._count_all()

    def packing(self) -> Packing:
        return [(sizes, self.masks[call]) for call, sizes in enumerate(self.sizes)]

    def drop_one(self) -> None:
        """Remove the call that alone covers the fewest pairs."""
        alone = [sum((self.once[size] & mask).bit_count() for size in sizes) for sizes, mask in self.packing()]
        worst = alone.index(min(alone))
        del self.sizes[worst], self.masks[worst]
        self._count_all()

    def _count_all(self) -> None:
        self.where: dict[int, list[int]] = {size: [] for size in self.need}
        for call, sizes in enumerate(self.sizes):
            for size in sizes:
                self.where[size].append(call)
        for size in self.need:
            self._count(size)

    def run(self, steps: int, report: Callable[[int], None]) -> int:
        """Step until no pair is uncovered or the steps are used up; return the number of steps taken."""
        for step in range(steps):
            if not self.uncovered:
                return step
            # The list is refreshed now and then: looking through all sizes each step would cost more.
            if step % _REFRESH_STEPS == 0:
                open_sizes = [size for size, mask in self.none.items() if mask]
                if step % _TELL_STEPS == 0:
                    report(step)
            size = open_sizes[int(self.rng.random() * len(open_sizes))]
            if self.none[size]:
                self._step(size)
        return steps

    def _step(self, size: int) -> None:
        draw, none, masks = self.rng.random, self.none[size], self.masks
        if draw() < _REGION_SHARE:
            calls = self.where[size]
            if calls:
                self._try_region(calls[int(draw() * len(calls))], _random_bit(none, self.rng))
            return
        for _ in range(_LOOKS):
            call = int(draw() * len(masks))
            if masks[call] & none:
                self._try_size(call, size)
                return

    def _try_size(self, call: int, size: int) -> None:
        """Put the size into the call, in place of the size that the call needs least."""
        sizes, mask, once = self.sizes[call], self.masks[call], self.once
        if len(sizes) < MAX_CALL_INSTANCE_TYPES:
            sizes.append(size)
        else:
            losses = [(mask & once[old]).bit_count() for old in sizes]
            least = min(losses)
            if not self._accepts((mask & self.none[size]).bit_count() - least):
                return
            place = losses.index(least)
            old, sizes[place] = sizes[place], size
            self.where[old].remove(call)
            self._count(old)
        self.where[size].append(call)
        self._count(size)

    def _try_region(self, call: int, bit: int) -> None:
        """Put the region into the call, in place of the region that the call needs least."""
        sizes, mask = self.sizes[call], self.masks[call]
        if mask.bit_count() >= MAX_CALL_REGIONS:
            least, old = self._least_needed(call)
            if not self._accepts(sum(1 for size in sizes if self.none[size] & bit) - least):
                return
            mask ^= old
        self.masks[call] = mask | bit
        for size in sizes:
            self._count(size)

    def _least_needed(self, call: int) -> tuple[int, int]:
        """The region that the fewest sizes need: the number of those sizes, and the region's bit.

        Ties are broken freely.
        """
        least, bit = _NONE_YET
        onces = [self.once[size] for size in self.sizes[call]]
        remaining = self.masks[call]
        while remaining:
            lowest = remaining & -remaining
            loss = sum(1 for once in onces if once & lowest)
            if loss < least or (loss == least and self.rng.random() < 0.5):
                least, bit = loss, lowest
            remaining ^= lowest
        return least, bit

    def _accepts(self, better_by: int) -> bool:
        return better_by >= 0 or self.rng.random() < math.exp(better_by / _TEMPERATURE)

    def _count(self, size: int) -> None:
        """Masks of the size's regions: those that no call covers, and those that exactly one call covers."""
        need, masks = self.need[size], self.masks
        seen = again = 0
        for call in self.where[size]:
            mask = masks[call]
            again |= seen & mask
            seen |= mask
        none = need & ~seen
        self.uncovered += none.bit_count() - self.none[size].bit_count()
        self.none[size] = none
        self.once[size] = need & seen & ~again


def _random_bit(mask: int, rng: Random) -> int:
    """Return any one of the bits that are set."""
    for _ in range(int(rng.random() * mask.bit_count())):
        mask &= mask - 1
    return mask & -mask
