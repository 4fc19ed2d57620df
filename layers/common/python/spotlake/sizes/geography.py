"""Where a region is: geography and group of geographies, as a subscription's list of locations says them (pure).

The list has ``metadata.geography`` ("Sweden") and ``metadata.geographyGroup`` ("Europe"); Azure's "UK" and "Mexico" are
groups of their own. For a region that the subscription's own list leaves out, the table below stands in. It was copied
from a captured list (github.com/Azure/karpenter-provider-azure, pkg/fake/locations.json, commit 4247c5a, Apache-2.0).
That list lacks indiasouthcentral, israelnorthwest, swedensouth and taiwannorth, which price lists and other lists have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from spotlake.names import region_key


class Geography(NamedTuple):
    """A region's geography ("Sweden") and group of geographies ("Europe")."""

    geography: str
    group: str


_UNITED_STATES, _ASIA_PACIFIC, _EUROPE = "United States", "Asia Pacific", "Europe"
_IN_GROUPS: Mapping[str, Mapping[str, str]] = {
    "US": {
        _UNITED_STATES: "centralus eastus eastus2 northcentralus southcentralus westcentralus westus westus2 westus3",
    },
    _ASIA_PACIFIC: {
        _ASIA_PACIFIC: "eastasia southeastasia",
        "Australia": "australiacentral australiacentral2 australiaeast australiasoutheast",
        "India": "centralindia jioindiacentral jioindiawest southindia westindia indiasouthcentral",
        "Indonesia": "indonesiacentral",
        "Japan": "japaneast japanwest",
        "Korea": "koreacentral koreasouth",
        "Malaysia": "malaysiawest",
        "New Zealand": "newzealandnorth",
        "Taiwan": "taiwannorth",
    },
    _EUROPE: {
        _EUROPE: "northeurope westeurope",
        "Austria": "austriaeast",
        "Belgium": "belgiumcentral",
        "Denmark": "denmarkeast",
        "France": "francecentral francesouth",
        "Germany": "germanynorth germanywestcentral",
        "Italy": "italynorth",
        "Norway": "norwayeast norwaywest",
        "Poland": "polandcentral",
        "Spain": "spaincentral",
        "Sweden": "swedencentral swedensouth",
        "Switzerland": "switzerlandnorth switzerlandwest",
    },
    "UK": {"United Kingdom": "uksouth ukwest"},
    "Canada": {"Canada": "canadacentral canadaeast"},
    "Mexico": {"Mexico": "mexicocentral"},
    "South America": {"Brazil": "brazilsouth brazilsoutheast", "Chile": "chilecentral"},
    "Africa": {"South Africa": "southafricanorth southafricawest"},
    "Middle East": {
        "Israel": "israelcentral israelnorthwest",
        "Qatar": "qatarcentral",
        "UAE": "uaecentral uaenorth",
    },
}
KNOWN: Mapping[str, Geography] = {
    region: Geography(geography, group)
    for group, geographies in _IN_GROUPS.items()
    for geography, regions in geographies.items()
    for region in regions.split()
}


def geography_of(region: str, listed: Mapping[str, Geography] | None = None) -> Geography | None:
    """Where a region is; None if neither the list nor the table has it.

    Args:
        region: ARM code or name, in any casing.
        listed: Geographies by ARM code that a subscription's list of locations told (``Locations.geographies``).

    >>> geography_of("Sweden Central"), geography_of("atlantis")
    (Geography(geography='Sweden', group='Europe'), None)
    """
    code = region_key(region)
    return (listed or {}).get(code) or KNOWN.get(code)
