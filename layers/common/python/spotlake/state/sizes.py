"""The document ``sizes.json.gz``: facts of sizes, and what each region offers the subscription, as last told.

Distinct facts stand once, in a list; the offers of a region name them by number. 90,000 offers share about 2,000 facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from spotlake import keys
from spotlake.checked import checked
from spotlake.errors import DamagedStateError, StoreError
from spotlake.models import from_iso, to_iso
from spotlake.names import join_key
from spotlake.sizes.facts import Offer, RegionSizes, SizeFacts, Sizes
from spotlake.state.kinds import Advice
from spotlake.stores.objects import ReadOnlyObjects

# Number of its facts, zones ("123"), restricted zones, is_restricted, reason.
type OfferJson = tuple[int, str, str, bool, str]


class RegionJson(TypedDict):
    """See ``RegionSizes``."""

    asked_at: str
    offers: list[OfferJson]
    counts: dict[str, int]
    odd: list[str]


class SizesJson(TypedDict):
    """The document; see ``Sizes``."""

    facts: list[SizeFacts]
    regions: dict[str, RegionJson]
    failed: dict[str, str]


def _parse(content: object) -> Sizes:
    try:
        told = checked(content, SizesJson, key=keys.SIZES)
    except StoreError as error:
        raise DamagedStateError(str(error)) from error
    facts = told["facts"]
    by_join_key = [join_key(one.instance_type) for one in facts]
    made: dict[OfferJson, Offer] = {}  # many regions offer the same, and an object takes longer than a look
    return Sizes(
        regions={
            region: RegionSizes(
                asked_at=from_iso(one["asked_at"]),
                offers={
                    by_join_key[row[0]]: made.get(row) or made.setdefault(row, _offer_of(row, facts))
                    for row in one["offers"]
                },
                counts=one["counts"],
                odd=tuple(one["odd"]),
            )
            for region, one in told["regions"].items()
        },
        failed=told["failed"],
    )


def _offer_of(row: OfferJson, facts: list[SizeFacts]) -> Offer:
    number, zones, barred, is_restricted, reason = row
    return Offer(
        facts=facts[number],
        zones=tuple(zones),
        restricted_zones=tuple(barred),
        is_restricted=is_restricted,
        reason=reason,
    )


def _dump(sizes: Sizes) -> Mapping[str, object]:
    numbers: dict[SizeFacts, int] = {}
    regions: dict[str, RegionJson] = {}
    for region, one in sorted(sizes.regions.items()):
        regions[region] = {
            "asked_at": to_iso(one.asked_at),
            "offers": [
                (
                    numbers.setdefault(offer.facts, len(numbers)),
                    "".join(offer.zones),
                    "".join(offer.restricted_zones),
                    offer.is_restricted,
                    offer.reason,
                )
                for _, offer in sorted(one.offers.items())
            ],
            "counts": dict(one.counts),
            "odd": list(one.odd),
        }
    content: SizesJson = {"facts": list(numbers), "regions": regions, "failed": dict(sizes.failed)}
    return content


SIZES = Advice(key=keys.SIZES, schema=1, parse=_parse, dump=_dump, empty=Sizes)


def read_sizes(objects: ReadOnlyObjects) -> Sizes:
    """What is known of sizes; nothing before the first answer, and where the document cannot be read."""
    return SIZES.read(objects)
