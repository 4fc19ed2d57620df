"""What the simulated Resource SKUs API lists: sizes of virtual machines, and the disks between them.

Shape: a captured answer of eastus2 of 2026-10-07 (github.com/chrislittle/aqr, tests/Aqr.Tests/Fixtures). Zones come in
any order, a restriction of all zones stands beside that of the location, and sizes without GPUs have no ``GPUs``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from spotlake.names import is_spot_eligible
from spotlake_local.azure.machines import Machine, machine_of
from spotlake_local.azure.world import World, chance

VERSIONS = ("2019-04-01", "2021-07-01")
_DISKS = ("Premium_LRS", "StandardSSD_LRS", "Standard_LRS", "UltraSSD_LRS")
_ZONE_RESTRICTED_SHARE = 0.01


def skus_of(world: World, subscription: str, region: str) -> list[dict[str, Any]]:
    """All that one region lists to one subscription."""
    numbers = sorted(world.zone_numbers(subscription, region))
    disks = [_sku("disks", name, region, numbers, [], []) for name in _DISKS]
    return disks + [
        _machine_sku(world, subscription, region, size, machine)
        for size in world.ondemand[region]
        if (machine := machine_of(size)) is not None
    ]


def offered_zones(world: World, subscription: str, region: str, size: str) -> list[str]:
    """The subscription's numbers of the zones that have the size."""
    physical = world.zone_numbers(subscription, region)
    return sorted(number for number, zone in physical.items() if not world.is_zone_missing(region, size, zone))


def restricted_zones(world: World, subscription: str, region: str, size: str) -> list[str]:
    """Zones that the subscription may not use for the size: all when it may not use the size at all."""
    zones = offered_zones(world, subscription, region, size)
    if world.is_restricted(subscription, region, size):
        return zones
    return [one for one in zones if chance("barred", subscription, region, size, one) < _ZONE_RESTRICTED_SHARE]


def _machine_sku(world: World, subscription: str, region: str, size: str, machine: Machine) -> dict[str, Any]:
    zones = offered_zones(world, subscription, region, size)
    zones.sort(key=lambda one: chance("order", region, size, one))
    restrictions = []
    if world.is_restricted(subscription, region, size):
        restrictions.append(_restriction("Location", region, []))
    barred = restricted_zones(world, subscription, region, size)
    if barred:
        restrictions.append(_restriction("Zone", region, barred))
    sku = _sku("virtualMachines", size, region, zones, _capabilities(size, machine), restrictions)
    return sku | {"family": machine.quota_family}


def _sku(
    kind: str, name: str, region: str, zones: list[str], capabilities: list[dict[str, str]], restrictions: list[Any]
) -> dict[str, Any]:
    details = [{"Name": zones, "capabilities": [{"name": "UltraSSDAvailable", "value": "True"}]}] if zones else []
    return {
        "resourceType": kind,
        "name": name,
        "tier": name.partition("_")[0],
        "size": name.partition("_")[2],
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones, "zoneDetails": details}],
        "capabilities": capabilities,
        "restrictions": restrictions,
    }


def _restriction(kind: str, region: str, zones: list[str]) -> dict[str, Any]:
    info = {"locations": [region]} | ({"zones": zones} if zones else {})
    return {"type": kind, "values": [region], "restrictionInfo": info, "reasonCode": "NotAvailableForSubscription"}


@cache
def _capabilities(size: str, machine: Machine) -> list[dict[str, str]]:
    is_premium = "s" in size.partition("_")[2].partition("_")[0].lower()
    values = {
        "MaxResourceVolumeMB": "0",
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(machine.full_vcpus),
        "MemoryPreservingMaintenanceSupported": "True",
        "HyperVGenerations": "V1,V2",
        "MemoryGB": f"{machine.memory_gib:g}",
        "MaxDataDiskCount": str(min(64, 2 * machine.full_vcpus)),
        "CpuArchitectureType": machine.architecture,
        "LowPriorityCapable": str(is_spot_eligible(size)),
        "PremiumIO": str(is_premium),
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": str(machine.vcpus),
        "GPUs": str(machine.gpus or ""),
        "vCPUsPerCore": "2",
        "UncachedDiskIOPS": str(1600 * machine.full_vcpus),
        "UncachedDiskBytesPerSecond": str(24_000_000 * machine.full_vcpus),
        "RetirementDateUtc": machine.retirement,
        "EphemeralOSDiskSupported": "False",
        "EncryptionAtHostSupported": "True",
        "CapacityReservationSupported": "False",
        "AcceleratedNetworkingEnabled": "True",
        "RdmaEnabled": str("r" in size.partition("_")[2].partition("_")[0]),
        "MaxNetworkInterfaces": str(min(8, max(2, machine.full_vcpus // 2))),
    }
    return [{"name": name, "value": value} for name, value in values.items() if value]
