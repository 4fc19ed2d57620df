"""The catalogue of pairs that can be spot: the union of the last days' listings (pure).

Real listings lose thousands of pairs for a day. So each pair keeps the day of its last listing, and stays in the
catalogue until its region was listed without it on more than ``settings.catalogue_days`` days. Days on which a region
was not listed do not count. A listing never moves a day back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from spotlake.names import join_key


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Pairs, each with the day of its last listing.

    Attributes:
        pairs: Region -> size (ARM casing) -> day of the pair's last listing (ISO date).
        names: Region -> billing name ("KR Central").
        listed: Region -> the last days on which it was listed, in order.
    """

    pairs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)


def fold_listing(
    catalogue: Catalogue,
    day: date,
    listing: Mapping[str, Iterable[str]],
    names: Mapping[str, str],
    *,
    keep_days: int,
    keep_closed_days: int = 0,
) -> Catalogue:
    """Add one day's listing to the catalogue, and drop pairs that have been unlisted for too long.

    A size is spelt as the catalogue spells it first, in every region: two spellings would be two sizes for the calls.

    Args:
        catalogue: The catalogue before this listing.
        day: UTC day of the listing.
        listing: Region -> sizes that have a spot price, of regions whose listing was believed; none for a region that
            sells nothing (any more).
        names: Billing names of those regions.
        keep_days: Days of listings that an unlisted pair survives.
        keep_closed_days: The same for pairs of a region whose listing is empty, if that is more. The merge needs so
            many looks at them to retire them.
    """
    today = day.isoformat()
    spelt: dict[str, str] = {}
    pairs = {region: _in_one_spelling(sizes.items(), spelt) for region, sizes in catalogue.pairs.items()}
    listed = {region: tuple(days) for region, days in catalogue.listed.items()}
    for region, sizes in listing.items():
        known = pairs.get(region, {})
        fresh = _in_one_spelling(((size, today) for size in sizes), spelt)
        fresh = {size: max(last, known.get(size, "")) for size, last in fresh.items()}
        if not fresh and not known:
            continue
        longest = max(keep_days, keep_closed_days)
        listed[region] = tuple(sorted({*listed.get(region, ()), today})[-longest - 1 :])
        most = keep_days if fresh else longest
        kept = {size: last for size, last in known.items() if sum(one > last for one in listed[region]) <= most}
        pairs[region] = dict(sorted({**kept, **fresh}.items()))
        if not pairs[region]:
            del pairs[region]
    return Catalogue(pairs=dict(sorted(pairs.items())), names={**catalogue.names, **names}, listed=listed)


def _in_one_spelling(sizes: Iterable[tuple[str, str]], spelt: dict[str, str]) -> dict[str, str]:
    """Size -> its last day. ``spelt`` has the spelling of each size that came before, and gets the others."""
    found: dict[str, str] = {}
    for size, last in sizes:
        name = spelt.setdefault(join_key(size), size)
        found[name] = max(last, found.get(name, ""))
    return found


def pairs_of(catalogue: Catalogue, regions: Iterable[str] | None = None) -> dict[str, tuple[str, ...]]:
    """Region -> sizes, of all regions or of some."""
    wanted = catalogue.pairs if regions is None else regions
    return {region: tuple(catalogue.pairs[region]) for region in wanted if region in catalogue.pairs}
