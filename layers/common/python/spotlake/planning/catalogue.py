"""The catalogue of pairs that can be spot: the union of the last days' listings (pure).

Real listings lose thousands of pairs for a day. So each pair keeps the day of its last listing, and stays in the
catalogue for ``settings.catalogue_days`` after that day. A listing never moves a day back. A region that was not
listed, or whose listing is empty, stays as the region was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Pairs, each with the day of its last listing.

    Attributes:
        pairs: Region -> size (ARM casing) -> day of the pair's last listing (ISO date).
        names: Region -> billing name ("KR Central").
        listed: Region -> day of its last listing.
    """

    pairs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    listed: Mapping[str, str] = field(default_factory=dict)


def fold_listing(
    catalogue: Catalogue,
    day: date,
    listing: Mapping[str, Iterable[str]],
    names: Mapping[str, str],
    *,
    keep_days: int,
) -> Catalogue:
    """Add one day's listing to the catalogue, and drop pairs that have been unlisted for too long.

    Args:
        catalogue: The catalogue before this listing.
        day: UTC day of the listing.
        listing: Region -> sizes that have a spot price; an empty region changes nothing.
        names: Billing names of those regions.
        keep_days: Days that an unlisted pair stays.
    """
    today, oldest = day.isoformat(), (day - timedelta(days=keep_days)).isoformat()
    pairs = {region: dict(sizes) for region, sizes in catalogue.pairs.items()}
    listed = dict(catalogue.listed)
    for region, sizes in listing.items():
        known = pairs.get(region, {})
        fresh = {size: max(today, known.get(size, "")) for size in sizes}
        if not fresh:
            continue
        kept = {size: last for size, last in known.items() if last >= oldest}
        pairs[region] = dict(sorted({**kept, **fresh}.items()))
        listed[region] = max(today, listed.get(region, ""))
    return Catalogue(pairs=dict(sorted(pairs.items())), names={**catalogue.names, **names}, listed=listed)


def pairs_of(catalogue: Catalogue, regions: Iterable[str] | None = None) -> dict[str, tuple[str, ...]]:
    """Region -> sizes, of all regions or of some."""
    wanted = catalogue.pairs if regions is None else regions
    return {region: tuple(catalogue.pairs[region]) for region in wanted if region in catalogue.pairs}
