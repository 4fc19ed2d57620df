"""What ARM lists of subscriptions: themselves, their locations, their vCPU quota.

Shapes: Microsoft's specification of subscriptions 2022-12-01, and captured lists of locations (2026). Besides the
regions of the world a list has logical ones, stages and canaries, and edge zones when asked.
"""

from __future__ import annotations

from typing import Any

from spotlake_local.azure.world import World, chance

LOCATION_VERSIONS = ("2016-06-01", "2020-01-01", "2021-01-01", "2022-12-01")
PERMISSION_VERSIONS = ("2015-07-01", "2018-07-01", "2022-04-01")
ZONES_SINCE = "2022-12-01"
USAGE_VERSIONS = ("2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2025-11-01", "2026-04-01")
_LOGICAL = {
    "asia": "Asia", "asiapacific": "Asia Pacific", "europe": "Europe", "france": "France", "global": "Global",
    "korea": "Korea", "unitedstates": "United States", "unitedstateseuap": "United States EUAP",
}  # fmt: skip
_STAGES = {"centralusstage": "Central US (Stage)", "eastus2stage": "East US 2 (Stage)", "eastusslv": "East US SLV"}
_CANARIES = {"eastus2euap": "East US 2 EUAP", "centraluseuap": "Central US EUAP"}
_EDGE_ZONES = {"attdallas1": ("ATT Dallas 1", "southcentralus"), "ezecustomerlabboston1": ("Lab Boston 1", "eastus")}


def subscription_of(subscription: str, tenant: str, number: int) -> dict[str, Any]:
    """One subscription, as ``GET /subscriptions/{id}`` shows it."""
    return {
        "id": f"/subscriptions/{subscription}",
        "subscriptionId": subscription,
        "tenantId": tenant,
        "displayName": f"Simulated {number}",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "spendingLimit": "Off"},
        "managedByTenants": [],
    }


def permissions_of(*, has_scores: bool) -> list[dict[str, Any]]:
    """Effective permissions, one entry per role (Azure REST, Permissions - List, 2022-04-01; names read 2026-11)."""
    roles = [["*/read"]]
    if has_scores:
        roles.append(["Microsoft.Compute/locations/placementScores/generate/action"])
    return [{"actions": one, "notActions": [], "dataActions": [], "notDataActions": []} for one in roles]


def locations_of(
    world: World, subscription: str, *, version: str, extended: bool, unlisted: set[str]
) -> list[dict[str, Any]]:
    """A subscription's list of locations.

    Args:
        world: Its regions.
        subscription: Numbers the zones in its own way.
        version: Older ones have no metadata, none before 2022-12-01 has zones.
        extended: Whether edge zones are asked for (``includeExtendedLocations``).
        unlisted: Regions that sell and stand in no list.
    """
    listed = [_region(world, subscription, code) for code in world.regions if code not in unlisted]
    listed += [_other(subscription, code, name, "Logical") for code, name in _LOGICAL.items()]
    listed += [_other(subscription, code, name, "Physical") for code, name in (_STAGES | _CANARIES).items()]
    if extended:
        listed += [_edge_zone(subscription, code, name, home) for code, (name, home) in _EDGE_ZONES.items()]
    if version < ZONES_SINCE:
        listed = [{name: one[name] for name in one if name != "availabilityZoneMappings"} for one in listed]
    if version < "2020-01-01":
        plain = ("id", "name", "displayName", "latitude", "longitude")
        listed = [{name: one[name] for name in plain if name in one} for one in listed]
    return listed


def usages_of(world: World, subscription: str, region: str) -> list[dict[str, Any]]:
    """VCPU quota of a region: that of spot machines, and the total."""
    del world
    limit = 100 + int(chance("vcpu", subscription, region) * 900)
    names = (("lowPriorityCores", "Total Regional Low-priority vCPUs"), ("cores", "Total Regional vCPUs"))
    return [
        {"unit": "Count", "currentValue": 0, "limit": limit, "name": {"value": value, "localizedValue": text}}
        for value, text in names
    ]


def _region(world: World, subscription: str, code: str) -> dict[str, Any]:
    region = world.regions[code]
    location = _other(subscription, code, region.display_name, "Physical")
    location["regionalDisplayName"] = f"({region.geography_group}) {region.display_name}"
    location["metadata"] |= {
        "regionCategory": "Recommended" if region.zones else "Other",
        "geography": region.geography,
        "geographyGroup": region.geography_group,
        "physicalLocation": region.display_name,
        "longitude": f"{chance('longitude', code) * 360 - 180:.4f}",
        "latitude": f"{chance('latitude', code) * 120 - 60:.4f}",
        "pairedRegion": [],
    }
    numbers = world.zone_numbers(subscription, code)
    if numbers:
        location["availabilityZoneMappings"] = [
            {"logicalZone": number, "physicalZone": zone} for number, zone in numbers.items()
        ]
    return location


def _other(subscription: str, code: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription}/locations/{code}",
        "name": code,
        "type": "Region",
        "displayName": name,
        "regionalDisplayName": name,
        "metadata": {"regionType": kind, "regionCategory": "Other"},
    }


def _edge_zone(subscription: str, code: str, name: str, home: str) -> dict[str, Any]:
    location = _other(subscription, code, name, "Physical")
    location["metadata"]["homeLocation"] = home
    return {**location, "type": "EdgeZone"}
