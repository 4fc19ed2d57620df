"""What Plan hands to the collectors of placement scores with their work: zones, refusals and restrictions (pure).

A collector that finds it in the work object reads no other document. What another execution learns after Plan is seen
by the next run. Within a run that is nothing, because lessons are written after the merge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from spotlake.names import join_key
from spotlake.planning.lessons import Learnt, Pair, Restrictions
from spotlake.scores.zones import ZoneMap, ZoneNumbers, subscription_digest

type SizesByRegion = Mapping[str, Sequence[str]]  # sizes as ``join_key``


@dataclass(frozen=True, kw_only=True)
class ScoreKnowledge:
    """What is known of subscriptions and pairs before a call is sent. Subscriptions are digests.

    Attributes:
        zones: Subscription -> region -> logical zone -> physical zone.
        reference: Subscription whose zone numbers are reported; "" where none was chosen yet.
        refused: Subscriptions that Azure refused lately.
        restricted: Pairs that two subscriptions may not use; they count as restricted for every subscription.
        restricted_for: Subscription -> pairs that this subscription may not use and another may.
    """

    zones: Mapping[str, ZoneNumbers] = field(default_factory=dict)
    reference: str = ""
    refused: Collection[str] = ()
    restricted: SizesByRegion = field(default_factory=dict)
    restricted_for: Mapping[str, SizesByRegion] = field(default_factory=dict)

    def with_restrictions(self, learnt: Learnt) -> ScoreKnowledge:
        """The same with the restrictions of the lessons."""
        return replace(
            self,
            restricted=_by_region(learnt.restricted),
            restricted_for={digest: _by_region(pairs) for digest, pairs in learnt.restricted_for.items()},
        )

    def zone_map(self, subscriptions: Sequence[str]) -> ZoneMap:
        """The zone map of these subscriptions (ids); the first one is the reference where none was chosen before."""
        return ZoneMap.of(self.zones, self.reference, subscriptions)

    def restrictions(self, regions: Collection[str]) -> Restrictions:
        """The restrictions of these regions. A collector is small, and asks at most some regions."""

        def pairs(sizes: SizesByRegion) -> frozenset[Pair]:
            return frozenset((region, size) for region in regions for size in sizes.get(region, ()))

        return Restrictions(pairs(self.restricted), {digest: pairs(one) for digest, one in self.restricted_for.items()})


def not_refused(subscriptions: Sequence[str], refused: Collection[str]) -> tuple[str, ...]:
    """The subscriptions (ids) whose digest is not refused; all of them when every one is."""
    return tuple(one for one in subscriptions if subscription_digest(one) not in refused) or tuple(subscriptions)


def _by_region(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for region, size in sorted(pairs):
        found[region].append(join_key(size))
    return dict(found)
