"""Rows of the Resource SKUs API, in the form of a captured answer (eastus2, 2026-10-07; tests/data/ORIGIN.md)."""

from __future__ import annotations

from typing import Any


def sku(
    name: str = "Standard_D2s_v3",
    *,
    region: str = "eastus2",
    zones: tuple[str, ...] = ("2", "3", "1"),
    restrictions: tuple[dict[str, Any], ...] = (),
    family: str = "standardDSv3Family",
    drop: tuple[str, ...] = (),
    **capabilities: str,
) -> dict[str, Any]:
    """One row; ``capabilities`` replace those of Standard_D2s_v3, and ``drop`` leaves some out."""
    told = {
        "MaxResourceVolumeMB": "16384",
        "vCPUs": "2",
        "HyperVGenerations": "V1,V2",
        "MemoryGB": "8",
        "CpuArchitectureType": "x64",
        "LowPriorityCapable": "True",
        "vCPUsConstraintsAllowed": "1, 2",
        "vCPUsAvailable": "2",
        "vCPUsPerCore": "2",
        **capabilities,
    }
    details = [{"Name": list(zones), "capabilities": [{"name": "UltraSSDAvailable", "value": "True"}]}]
    return {
        "capabilities": [{"name": one, "value": value} for one, value in told.items() if one not in drop],
        "family": family,
        "locationInfo": [{"location": region, "zoneDetails": details if zones else [], "zones": list(zones)}],
        "locations": [region],
        "name": name,
        "resourceType": "virtualMachines",
        "restrictions": list(restrictions),
        "size": name.partition("_")[2],
        "tier": name.partition("_")[0],
    }


def restriction(kind: str, *zones: str, region: str = "eastus2") -> dict[str, Any]:
    """A restriction of the type "Location" or "Zone"."""
    info = {"locations": [region]} | ({"zones": list(zones)} if zones else {})
    return {"reasonCode": "NotAvailableForSubscription", "restrictionInfo": info, "type": kind, "values": [region]}


ALL_ZONES = ("1", "2", "3")
# As captured: a retired size in restricted zones, a promotion that the subscription may not use, Arm, a GPU.
CAPTURED = [
    sku(
        "Standard_D1", family="standardDFamily", zones=("1", "3", "2"), vCPUs="1", vCPUsAvailable="1", MemoryGB="3.5",
        RetirementDateUtc="05/01/2028", restrictions=(restriction("Zone", *ALL_ZONES),),
    ),
    sku(
        "Standard_D11_v2_Promo", family="standardDv2PromoFamily", zones=ALL_ZONES, MemoryGB="14",
        LowPriorityCapable="False", restrictions=(restriction("Location"), restriction("Zone", *ALL_ZONES)),
    ),
    sku("Standard_D2ps_v6", family="StandardDpsv6Family", zones=("3", "1", "2"), CpuArchitectureType="Arm64"),
    sku(),
    sku("Standard_D2s_v7", family="StandardDsv7Family", RetirementDateUtc="01/01/9999"),
    sku(
        "Standard_NC4as_T4_v3", family="Standard NCASv3_T4 Family", vCPUs="4", vCPUsAvailable="4", MemoryGB="28",
        GPUs="1",
    ),
]  # fmt: skip
DISK = sku("Premium_LRS") | {"resourceType": "disks"}
