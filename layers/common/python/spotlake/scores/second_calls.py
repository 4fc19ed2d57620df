"""Asking again through another subscription: a size may be restricted for one and open for another (pure)."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from spotlake.models import MAX_CALL_INSTANCE_TYPES, MAX_CALL_REGIONS, ScoreCall
from spotlake.names import join_key
from spotlake.scores.rows import Pair, restrictions, without_quota
from spotlake.shard_rows import ScoreRow


@dataclass(frozen=True)
class SecondCall:
    """A call for restricted pairs, and the subscriptions (digests) that have already said so."""

    call: ScoreCall
    avoid: frozenset[str]


def second_calls(
    rows: Sequence[ScoreRow],
    *,
    remembered: Collection[Pair],
    digests: Sequence[str],
    location: str,
    most: int,
) -> list[SecondCall]:
    """The few extra calls that tell "restricted here" from "restricted everywhere", fullest first.

    Args:
        rows: All answers so far.
        remembered: Pairs (size as ``join_key``) known to be restricted everywhere: not asked again.
        digests: Subscriptions that can be asked.
        location: To route them through.
        most: No more than these; further pairs wait for the next run.
    """
    found: list[SecondCall] = []
    for count in sorted({row.desired_count for row in rows}):
        of_count = [row for row in rows if row.desired_count == count]
        doubtful = {
            pair: said
            for pair, said in (without_quota(of_count) | restrictions(of_count)).items()
            if len(said) == 1 and (pair[0], join_key(pair[1])) not in remembered
        }
        for avoid, pairs in _by_subscription(doubtful, digests).items():
            for regions, sizes in _blocks(pairs):
                names = ",".join([*sorted(avoid), *regions, *sizes])
                call = ScoreCall(
                    call_id=f"again-{count}-{zlib.crc32(names.encode()):08x}",
                    location=location,
                    regions=regions,
                    instance_types=sizes,
                    desired_count=count,
                )
                found.append(SecondCall(call, avoid))
    found.sort(key=lambda one: -len(one.call.regions) * len(one.call.instance_types))
    return found[:most]


def _by_subscription(doubtful: Mapping[Pair, set[str]], digests: Sequence[str]) -> dict[frozenset[str], list[Pair]]:
    """Pairs that can share a call: all of them when some subscription has refused none of them."""
    everyone = frozenset[str]().union(*doubtful.values())
    if set(digests) - everyone:
        return {everyone: sorted(doubtful)} if doubtful else {}
    groups: defaultdict[frozenset[str], list[Pair]] = defaultdict(list)
    for pair, said in sorted(doubtful.items()):
        if set(digests) - said:
            groups[frozenset(said)].append(pair)
    return dict(groups)


def _blocks(pairs: Iterable[Pair]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Cover a few scattered pairs: each call takes the size that has most left for it, until it is full.

    Pairs in between are asked too; that costs nothing, and of two answers the lower score counts. The
    cover of ``planning`` is made for the whole matrix: of three scattered pairs it makes three calls, this one.
    """
    left: defaultdict[str, set[str]] = defaultdict(set)
    for region, size in pairs:
        left[size].add(region)
    blocks = []
    while left:
        regions: set[str] = set()
        sizes: list[str] = []
        while left and len(sizes) < MAX_CALL_INSTANCE_TYPES:
            room = MAX_CALL_REGIONS - len(regions)
            gains = {size: len(wanted & regions) + min(len(wanted - regions), room) for size, wanted in left.items()}
            size = min(gains, key=lambda name: (-gains[name], name))
            if gains[size] == 0:
                break
            regions.update(sorted(left[size] - regions)[:room])
            sizes.append(size)
            left[size] -= regions
            if not left[size]:
                del left[size]
        blocks.append((tuple(sorted(regions)), tuple(sorted(sizes))))
    return blocks
