"""Improving a cover: at a fixed number of calls, move sizes and regions about until nothing is uncovered.

A step puts one uncovered pair into a call, in place of a size or a region there; it is taken when it
uncovers no more than it covers, or by chance when it is little worse (simulated annealing).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from spotlake.models import MAX_CALL_INSTANCE_TYPES, MAX_CALL_REGIONS

type Packing = list[tuple[list[int], int]]  # sizes of a call, mask of its regions

_SEED = 20251215
_REFRESH_STEPS, _TELL_STEPS = 16, 65536
_HOT, _COLD = 0.5, 0.4  # temperatures, in pairs; on the real catalogue colder ones get stuck


def improve(
    packing: Packing,
    need: dict[int, int],
    *,
    target: int,
    steps: int,
    regions: int,
    on_progress: Callable[[float], None] | None = None,
) -> Packing:
    """A cover with fewer calls, if one is found within ``steps``.

    Args:
        packing: A cover of ``need``.
        need: Size -> mask of its regions.
        target: Stop when there are so few calls.
        steps: Steps in all.
        regions: How many regions there are.
        on_progress: Told now and then which part of the steps is spent.
    """
    best = packing
    spent = 0

    def tell(step: int) -> None:
        if on_progress is not None:
            on_progress((spent + step) / steps)

    rng = Random(_SEED)  # noqa: S311 - the same choice every time, no secret
    while len(best) > max(target, 1) and spent < steps:
        search = _Search(best, need, regions, rng)
        search.drop_one()
        spent += search.run(steps - spent, tell)
        if search.uncovered:
            break
        best = search.packing()
    return best


class _Search:
    """A cover with gaps: masks of what is uncovered, covered once, and a count for the rest."""

    def __init__(self, packing: Packing, need: dict[int, int], regions: int, rng: Random) -> None:
        self.rng = rng
        self.need = need
        self.sizes = [list(sizes) for sizes, _ in packing]
        self.masks = [mask for _, mask in packing]
        self.counts = {size: [0] * regions for size in need}
        self.none = dict(need)  # regions of a size that no call covers
        self.once = dict.fromkeys(need, 0)  # regions of a size that one call covers
        self.uncovered = sum(mask.bit_count() for mask in need.values())
        for sizes, mask in zip(self.sizes, self.masks, strict=True):
            for size in sizes:
                self._add(size, mask)

    def packing(self) -> Packing:
        return [(list(dict.fromkeys(sizes)), mask) for sizes, mask in zip(self.sizes, self.masks, strict=True)]

    def drop_one(self) -> None:
        """Take away the call that alone covers the least."""
        alone = [
            sum((self.once[size] & mask).bit_count() for size in sizes)
            for sizes, mask in zip(self.sizes, self.masks, strict=True)
        ]
        worst = alone.index(min(alone))
        for size in self.sizes[worst]:
            self._remove(size, self.masks[worst])
        del self.sizes[worst], self.masks[worst]

    def run(self, steps: int, tell: Callable[[int], None]) -> int:
        """Step until nothing is uncovered or the steps are spent; returns how many were taken."""
        open_sizes = [size for size, mask in self.none.items() if mask]
        for step in range(steps):
            if not self.uncovered:
                return step
            # The list is refreshed now and then: looking through all sizes each step would cost more.
            if step % _REFRESH_STEPS == 0:
                open_sizes = [size for size, mask in self.none.items() if mask]
                if step % _TELL_STEPS == 0:
                    tell(step)
            temperature = _HOT + (_COLD - _HOT) * step / steps
            size = open_sizes[int(self.rng.random() * len(open_sizes))]
            if self.none[size]:
                self._step(size, temperature)
        return steps

    def _step(self, size: int, temperature: float) -> None:
        call = int(self.rng.random() * len(self.sizes))
        if size in self.sizes[call]:
            self._try_region(call, _random_bit(self.none[size], self.rng), temperature)
        elif self.masks[call] & self.none[size]:
            self._try_size(call, size, temperature)

    def _try_size(self, call: int, size: int, temperature: float) -> None:
        """Put the size into the call, instead of the one there that is needed least."""
        sizes, mask = self.sizes[call], self.masks[call]
        gain = (mask & self.none[size]).bit_count()
        if len(sizes) < MAX_CALL_INSTANCE_TYPES:
            sizes.append(size)
            self._add(size, mask)
            return
        losses = [(mask & self.once[old]).bit_count() for old in sizes]
        least = min(losses)
        if self._accepts(gain - least, temperature):
            place = losses.index(least)
            self._remove(sizes[place], mask)
            sizes[place] = size
            self._add(size, mask)

    def _try_region(self, call: int, bit: int, temperature: float) -> None:
        """Put the region into the call, instead of the one there that is needed least."""
        sizes, mask = self.sizes[call], self.masks[call]
        gain = sum(1 for size in sizes if self.none[size] & bit)
        if mask.bit_count() < MAX_CALL_REGIONS:
            self.masks[call] = mask | bit
            for size in sizes:
                self._add(size, bit)
            return
        least, old = MAX_CALL_INSTANCE_TYPES + 1, 0
        onces = [self.once[size] for size in sizes]
        remaining = mask
        while remaining:
            lowest = remaining & -remaining
            loss = sum(1 for once in onces if once & lowest)
            if loss < least or (loss == least and self.rng.random() < 0.5):
                least, old = loss, lowest
            remaining ^= lowest
        if self._accepts(gain - least, temperature):
            self.masks[call] = (mask ^ old) | bit
            for size in sizes:
                self._remove(size, old)
                self._add(size, bit)

    def _accepts(self, better_by: int, temperature: float) -> bool:
        return better_by >= 0 or self.rng.random() < math.exp(better_by / temperature)

    def _add(self, size: int, mask: int) -> None:
        mask &= self.need[size]
        fresh = mask & self.none[size]
        self.uncovered -= fresh.bit_count()
        self.none[size] ^= fresh
        again = mask & ~fresh
        self.once[size] = (self.once[size] & ~again) | fresh
        counts = self.counts[size]
        while mask:
            lowest = mask & -mask
            counts[lowest.bit_length() - 1] += 1
            mask ^= lowest

    def _remove(self, size: int, mask: int) -> None:
        mask &= self.need[size]
        counts = self.counts[size]
        while mask:
            lowest = mask & -mask
            place = lowest.bit_length() - 1
            counts[place] -= 1
            if counts[place] == 0:
                self.once[size] &= ~lowest
                self.none[size] |= lowest
                self.uncovered += 1
            elif counts[place] == 1:
                self.once[size] |= lowest
            mask ^= lowest


def _random_bit(mask: int, rng: Random) -> int:
    """One of the set bits."""
    for _ in range(int(rng.random() * mask.bit_count())):
        mask &= mask - 1
    return mask & -mask
