"""Second calls, through another subscription: a size may be restricted for one subscription only (pure)."""

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
    """A second call for restricted pairs, and digests of the subscriptions that already answered "restricted"."""

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
    """Plan the few calls that distinguish "restricted here" from "restricted everywhere", fullest call first.

    Args:
        rows: All answers so far.
        remembered: Pairs (size as ``join_key``) that are known to be restricted everywhere; they are not asked again.
        digests: Digests of the subscriptions that can be asked.
        location: Routing location of the calls.
        most: Largest number of calls. Further pairs wait for the next run.
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
    """Groups of pairs that can share a call. All pairs form one group if some subscription has refused none of them."""
    everyone = frozenset[str]().union(*doubtful.values())
    if set(digests) - everyone:
        return {everyone: sorted(doubtful)}
    groups: defaultdict[frozenset[str], list[Pair]] = defaultdict(list)
    for pair, said in sorted(doubtful.items()):
        if set(digests) - said:
            groups[frozenset(said)].append(pair)
    return dict(groups)


def _blocks(pairs: Iterable[Pair]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Cover a few scattered pairs: each call takes the size with the most open pairs, until the call is full.

    A call also asks the other pairs of its rectangle, which costs nothing; of two answers the lower score counts. The
    cover of ``planning`` is made for the whole matrix: it needs three calls for three scattered pairs, this one needs
    one.
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
