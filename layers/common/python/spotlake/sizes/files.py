"""The published file of sizes: one line a region and size (pure). docs/data.md describes the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from spotlake.models import to_iso
from spotlake.names import join_key
from spotlake.packing import pack
from spotlake.sizes.facts import SizeFacts, Sizes
from spotlake.sizes.geography import Geography, geography_of

COLUMNS = (
    "RegionCode", "ArmSkuName", "VCpus", "MemoryGiB", "Gpus", "HasGpu", "Architecture", "Series", "FullVCpus",
    "QuotaFamily", "SpotCapable", "RetiresOn", "Source", "Zones", "RestrictedZones", "Restricted", "RestrictionReason",
    "AskedAt", "Geography", "GeographyGroup",
)  # fmt: skip


def sizes_csv(
    sizes: Sizes, pairs: Mapping[str, Iterable[str]], geographies: Mapping[str, Geography] | None = None
) -> bytes:
    """Gzip CSV: all that the API told, and the pairs of the catalogue that it did not tell.

    Args:
        sizes: Facts and offers that the API stated.
        pairs: Region -> sizes of the catalogue.
        geographies: Geographies that a list of locations told.

    Returns:
        Lines in order of region and size. An unknown value is an empty field.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for region in sorted({*sizes.regions, *pairs}):
        place = geography_of(region, geographies) or ("", "")
        writer.writerows((region, *line, *place) for line in _lines(sizes, region, pairs.get(region, ())))
    return pack(text.getvalue().encode())


def _lines(sizes: Sizes, region: str, in_catalogue: Iterable[str]) -> Iterator[tuple[object, ...]]:
    known = sizes.regions.get(region)
    offers = known.offers if known else {}
    untold = {join_key(size): size for size in in_catalogue if join_key(size) not in offers}
    for key in sorted({*offers, *untold}):
        if known is None or key not in offers:
            yield *_fields(sizes.facts_of(untold[key])), "", "", "", "", ""
            continue
        offer = offers[key]
        yield (
            *_fields(offer.facts),
            " ".join(offer.zones),
            " ".join(offer.restricted_zones),
            _truth(offer.is_restricted),
            offer.reason,
            to_iso(known.asked_at),
        )


def _fields(facts: SizeFacts) -> tuple[object, ...]:
    return (
        facts.instance_type, facts.vcpus, _number(facts.memory_gib), _number(facts.gpus), _truth(facts.has_gpu),
        facts.architecture, facts.series, facts.full_vcpus, facts.quota_family, _truth(facts.is_spot_capable),
        facts.retires_on, facts.source,
    )  # fmt: skip


def _truth(value: bool | None) -> str:  # noqa: FBT001 - it is the value, not a switch
    return "" if value is None else str(value).lower()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
