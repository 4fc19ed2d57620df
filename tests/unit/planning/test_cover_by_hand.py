"""The plan of calls without annealing, beside a plain model with sets of names; and what annealing is asked to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import batched
from random import Random
from typing import Any

import pytest

from spotlake.planning import cover
from spotlake.planning.cover import Block, CallPlan, cover_pairs, lower_bound

type Sets = dict[str, set[str]]  # size -> regions


def up(number: int, size: int) -> int:
    return (number + size - 1) // size


def cut(regions: Collection[str]) -> list[list[str]]:
    return [list(part) for part in batched(sorted(regions), 8, strict=False)]


def the_fives(need: Sets) -> tuple[list[Block], Sets]:
    """Fives of sizes with the same regions; and the sizes that are left."""
    blocks, left = list[Block](), dict[str, set[str]]()
    for regions in {frozenset(own) for own in need.values()}:
        same = sorted(size for size, own in need.items() if own == regions)
        while len(same) >= 5:
            five, same = same[:5], same[5:]
            blocks += [Block(tuple(part), tuple(five)) for part in cut(regions)]
        left |= {size: set(regions) for size in same}
    return blocks, left


def the_near_fives(need: Sets) -> tuple[list[Block], Sets]:
    """Fives whose regions together need no more calls than those of one of them; and the sizes that are left."""
    blocks, left = list[Block](), dict[str, set[str]]()
    for calls in {up(len(own), 8) for own in need.values()}:
        waiting = [size for size, own in need.items() if up(len(own), 8) == calls]
        # most regions first; then whose last region comes first, and so on; then by name
        waiting.sort(key=lambda size: (-len(need[size]), sorted(need[size], reverse=True), size))
        while waiting:
            group = [waiting.pop(0)]
            while len(group) < 5:
                union = set().union(*(need[size] for size in group))
                ranked = [(len(need[one] | union), -len(need[one] & union), one) for one in waiting]
                fitting = sorted(one for one in ranked if one[0] <= 8 * calls)
                if not fitting:
                    break
                group.append(fitting[0][2])
                waiting.remove(fitting[0][2])
            if len(group) == 5:
                parts = cut(set().union(*(need[size] for size in group)))
                blocks += [Block(tuple(part), tuple(sorted(group))) for part in parts]
            else:
                left |= {size: need[size] for size in group}
    return blocks, left


def greedily(need: Sets) -> list[Block]:
    open_pairs = {size: set(own) for size, own in need.items()}
    blocks = []
    while open_pairs:
        first = min(open_pairs, key=lambda size: (-len(open_pairs[size]), size))
        regions, sizes = open_pairs[first], [first]
        for turn in range(4):
            gains = {one: len(own & regions) for one, own in open_pairs.items() if own & regions and one != first}
            sizes = [first, *sorted(gains, key=lambda one: (-gains[one], len(open_pairs[one]), one))[:4]]
            if turn < 3:
                votes = [region for size in [first, *sizes] for region in open_pairs[size]]  # the first has two
                regions = set(sorted(set(votes), key=lambda region: (-votes.count(region), region))[:8])
        blocks.append(Block(tuple(sorted(regions)), tuple(sorted(sizes))))
        for size in sizes:
            open_pairs[size] -= regions
        open_pairs = {size: own for size, own in open_pairs.items() if own}
    return blocks


def turned(pairs: Mapping[str, Collection[str]]) -> Sets:
    sizes = sorted({size for own in pairs.values() for size in own})
    return {size: {region for region, own in pairs.items() if size in own} for size in sizes}


def in_order(blocks: list[Block]) -> tuple[Block, ...]:
    return tuple(sorted(blocks, key=lambda block: (block.regions, block.instance_types)))


def anew(need: Sets) -> list[Block]:
    fives, rest = the_fives(need)
    near, left = the_near_fives(rest)
    halves, whole = near + greedily(left), greedily(rest)
    return fives + (whole if len(whole) < len(halves) else halves)


def repaired(start: Sequence[Block], need: Sets) -> list[Block]:
    open_pairs, kept = {size: set(own) for size, own in need.items()}, list[Block]()
    known = set().union(*need.values())
    for block in start:
        sizes, regions = set(block.instance_types) & open_pairs.keys(), set(block.regions) & known
        if any(open_pairs[size] & regions for size in sizes):
            kept.append(Block(tuple(sorted(regions)), tuple(sorted(sizes))))
            for size in sizes:
                open_pairs[size] -= regions
    return kept + greedily({size: own for size, own in open_pairs.items() if own})


def bound_of(need: Sets) -> int:
    by_size = sum(up(len(own), 8) for own in need.values())
    regions = set().union(*need.values())
    by_region = sum(up(sum(region in own for own in need.values()), 5) for region in regions)
    return max(up(by_size, 5), up(by_region, 8))


def some_pairs(chance: Random) -> dict[str, list[str]]:
    """Sizes that are offered in a few usual lists of regions, and in few regions less or more."""
    regions = [f"r{number:02}" for number in range(chance.choice((5, 9, 20)))]
    usual = [chance.sample(regions, chance.randint(1, len(regions))) for _ in range(3)]
    found: dict[str, list[str]] = {region: [] for region in regions}
    for number in range(chance.choice((4, 12, 30))):
        own = set(chance.choice(usual)) ^ set(chance.sample(regions, chance.choice((0, 0, 0, 1, 2))))
        for region in own:
            found[region].append(f"s{number:02}")
    return {region: sizes for region, sizes in found.items() if sizes}


# In the last dozen fives of nearly the same regions would cost a call.
@pytest.mark.parametrize("seed", [*range(40), 48, 94, 105, 109, 112, 129, 209, 280, 503, 573, 647, 810])
def test_without_effort_the_plan_is_that_of_the_model(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - the same pairs every time
    pairs, before = some_pairs(chance), some_pairs(chance)
    need = turned(pairs)
    plan = cover_pairs(pairs, effort_seconds=0.0)
    assert plan.blocks == in_order(anew(need))
    assert plan.lower_bound == lower_bound(pairs) == bound_of(need)
    start = in_order(anew(turned(before)))
    fitted, fresh = repaired(start, need), anew(need)
    kept = cover_pairs(pairs, effort_seconds=0.0, start=start)
    assert kept.blocks == in_order(fitted if len(fitted) <= len(fresh) else fresh)


class Asked:
    """Stands for annealing: notes what it is asked, tells that a half of its work is done, and changes nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[int, int, int, int]] = []
        self.packings: list[list[Any]] = []
        monkeypatch.setattr(cover, "improve", self.improve)

    def improve(self, packing: list[Any], need: dict[int, int], **how: Any) -> list[Any]:
        assert type(how["steps"]) is int
        assert set().union(*(sizes for sizes, _ in packing)) == set(need)
        self.calls.append((len(packing), how["target"], how["steps"], how["seed"]))
        self.packings.append(packing)
        if how["on_progress"] is not None:
            how["on_progress"](0.5)
        return packing


# Five sizes in two regions, five in one of five others, and one in nine regions more.
THREE_KINDS = {
    **dict.fromkeys(("r0", "r1"), ("a", "b", "c", "d", "e")),
    **{f"s{number}": [f"near{number}"] for number in range(5)},
    **{f"t{number}": ["wide"] for number in range(9)},
}


@pytest.mark.parametrize(
    ("seconds", "first", "more", "told"),
    [
        (0.5, 85_000, 0, [0.5, 1.0]),
        (1.0, 170_000, 0, [0.5, 1.0]),
        (2.0, 170_000, 255_000, [0.25, 0.75]),
        (8.0, 340_000, 1_530_000, [0.125, 0.625]),
    ],
)
def test_a_quarter_of_a_long_effort_goes_to_what_fits_no_five(
    seconds: float, first: int, more: int, told: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, heard = Asked(monkeypatch), list[float]()
    plan = cover_pairs(THREE_KINDS, effort_seconds=seconds, seed=7, on_progress=heard.append)
    # By size (5 x 1 + 5 x 1 + 2) / 5, by region 16 / 8: three calls. The first five takes one of them, the near
    # five another. Of the others one would be left, but the wide size takes two.
    assert plan.lower_bound == 3
    assert asked.calls == [(2, 1, first, 7), (3, 2, more, 7)]
    assert heard == told
    assert len(plan.blocks) == 4


def test_an_effort_of_a_second_and_the_first_seed_are_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    cover_pairs(THREE_KINDS)
    assert asked.calls == [(2, 1, 170_000, 1), (3, 2, 0, 1)]


def test_all_effort_goes_to_the_whole_where_near_fives_would_cost_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    # Twelve sizes in nine regions: fives of nearly the same regions end in four calls, greed alone in three.
    pairs = some_pairs(Random(280))  # noqa: S311 - the same pairs every time
    need, asked, heard = turned(pairs), Asked(monkeypatch), list[float]()
    fives, rest = the_fives(need)
    cover_pairs(pairs, effort_seconds=2.0, seed=7, on_progress=heard.append)
    assert (len(fives), len(greedily(rest))) == (0, 3)
    assert asked.calls == [(3, bound_of(need), 340_000, 7)]
    assert heard == [0.5]


def test_a_start_that_meets_the_bound_needs_no_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    start = (Block(("eastus", "westus"), ("a", "b")),)
    assert cover_pairs({"eastus": ["a"], "westus": ["b"]}, start=start) == CallPlan(start, 1)
    assert asked.calls == []


def test_fives_that_need_most_calls_stand_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order decides what annealing draws, so it is the same in every version."""
    asked = Asked(monkeypatch)
    pairs = {f"r{number}": ["w0", "w1", "w2", "w3", "w4"] for number in range(9)}
    pairs |= {f"s{number}": [f"n{number}", f"w{number}"] for number in range(5)} | {"t": ["x"]}
    cover_pairs(pairs, effort_seconds=1.0)
    # n0 to n4 and x have one region each, and are numbers 0 to 4 and 10; w0 to w4 have ten each.
    assert [sizes for sizes, _ in asked.packings[1]] == [[5, 6, 7, 8, 9], [5, 6, 7, 8, 9], [0, 1, 2, 3, 4], [10]]


@pytest.mark.parametrize("seed", [1036, 1280, 2221, 2242])
def test_greed_looks_three_times_for_better_regions(seed: int) -> None:
    """With a fourth look these four plans would be others."""
    chance = Random(seed)  # noqa: S311 - the same pairs every time
    regions = [f"r{number:02}" for number in range(chance.choice((10, 14, 20)))]
    need = {
        f"s{number:02}": set(chance.sample(regions, chance.randint(1, len(regions))))
        for number in range(chance.choice((7, 10, 14)))
    }
    masks = {number: sum(1 << regions.index(region) for region in own) for number, own in enumerate(need.values())}
    found = [
        Block(
            tuple(one for bit, one in enumerate(regions) if mask >> bit & 1),
            tuple(f"s{size:02}" for size in sorted(sizes)),
        )
        for sizes, mask in cover.greedy(masks)
    ]
    assert in_order(found) == in_order(greedily(need))
    assert masks == {}
