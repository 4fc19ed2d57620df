"""What a size has, and where a subscription may use it (pure).

The numbers come from the Resource SKUs API (``azure/resource_skus.py``), or from the size's name (``sizes/naming.py``).
``SizeFacts.source`` says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Literal

from spotlake.names import join_key
from spotlake.sizes.naming import read_name

type Source = Literal["live", "simulated", "name"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeFacts:
    """What a machine of one size has. None is unknown, never zero.

    Attributes:
        instance_type: ARM name, ``Standard_E8-4ds_v5``.
        series: Series as the name says: ``Edsv5``.
        vcpus: vCPUs that a machine can use: 4.
        full_vcpus: vCPUs of the size that this one is a constrained form of: 8. Equal to ``vcpus`` for all others.
        memory_gib: Memory in GiB. Names do not tell it.
        gpus: Number of GPUs, as the API counts them: a share of a GPU counts as one. Names of sizes with GPUs do not
            tell it.
        has_gpu: Whether there is a GPU or a share of one.
        architecture: "x64" or "Arm64".
        quota_family: Family of the vCPU quota in Azure's words: ``standardEDSv5Family``. Names do not tell it.
        is_spot_capable: Whether the API says that machines can be spot (``LowPriorityCapable``).
        retires_on: Day on which Azure retires the size; None also when no day is announced.
        source: "live" or "simulated" for the API's answer, "name" for what the name alone says.
    """

    instance_type: str
    series: str | None = None
    vcpus: int | None = None
    full_vcpus: int | None = None
    memory_gib: float | None = None
    gpus: float | None = None
    has_gpu: bool | None = None
    architecture: str | None = None
    quota_family: str | None = None
    is_spot_capable: bool | None = None
    retires_on: date | None = None
    source: Source = "name"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A size in one region, for the subscription that was asked.

    Attributes:
        facts: Facts of the size, as this region states them.
        zones: Zones with the size, in numbers of the reference subscription; empty: the region sells it without zones.
        restricted_zones: Those of them that the subscription may not use.
        is_restricted: Whether the subscription may not use the size in the region at all.
        reason: Reason of the restrictions: ``NotAvailableForSubscription`` or ``QuotaId``; "" without restrictions.
    """

    facts: SizeFacts
    zones: tuple[str, ...] = ()
    restricted_zones: tuple[str, ...] = ()
    is_restricted: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RegionSizes:
    """The last whole answer of one region.

    Attributes:
        asked_at: When it was asked.
        offers: ``join_key`` of the size -> offer.
        counts: Rows that were left out, by reason; and sizes whose name says another number of vCPUs.
        odd: Names of at most 20 such rows.
    """

    asked_at: datetime
    offers: Mapping[str, Offer]
    counts: Mapping[str, int] = field(default_factory=dict)
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sizes:
    """All that is known of sizes.

    Attributes:
        regions: ARM code -> the region's last whole answer.
        failed: Regions whose last question failed -> cause. Their older answer stays in ``regions``.
    """

    regions: Mapping[str, RegionSizes] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    def facts_of(self, instance_type: str, region: str = "") -> SizeFacts:
        """The facts of a size, in any casing: as the region told them, or most regions; else from the name.

        >>> Sizes().facts_of("Standard_E8-4ds_v5").vcpus
        4
        """
        offer = self.offer_of(region, instance_type)
        if offer is not None:
            return offer.facts
        return self._of_most_regions.get(join_key(instance_type)) or facts_of(instance_type)

    def offer_of(self, region: str, instance_type: str) -> Offer | None:
        """A size in a region; None if the region was not asked, or did not name the size."""
        known = self.regions.get(region)
        return known.offers.get(join_key(instance_type)) if known else None

    @cached_property
    def _of_most_regions(self) -> dict[str, SizeFacts]:
        """Facts by size as most regions tell them; of equally many, those of the region with the smallest code."""
        told: dict[str, list[SizeFacts]] = {}
        for _, known in sorted(self.regions.items()):
            for key, offer in known.offers.items():
                told.setdefault(key, []).append(offer.facts)
        return {key: _most_common(facts) for key, facts in told.items()}


def _most_common(facts: list[SizeFacts]) -> SizeFacts:
    """The facts that stand there most often. Regions mostly share one object, which is quicker seen than counted."""
    if all(one is facts[0] for one in facts):
        return facts[0]
    told = Counter(facts)
    return max(told, key=told.__getitem__)


def facts_of(instance_type: str) -> SizeFacts:
    """What the name of a size tells; everything is None for a name that no rule knows.

    >>> facts_of("Standard_NC24ads_A100_v4").vcpus, facts_of("Standard_NC24ads_A100_v4").has_gpu
    (24, True)
    >>> facts_of("Dsv3_Type1").vcpus is None
    True
    """
    name = read_name(instance_type)
    if name is None:
        return SizeFacts(instance_type=instance_type.strip())
    return SizeFacts(
        instance_type=instance_type.strip(),
        series=name.series,
        vcpus=name.vcpus,
        full_vcpus=name.full_vcpus,
        gpus=None if name.has_gpu else 0.0,
        has_gpu=name.has_gpu,
        architecture=name.architecture,
    )


def price_per_vcpu(usd_per_hour: float | None, facts: SizeFacts) -> float | None:
    """USD per hour and usable vCPU; None if the price or the number of vCPUs is not known.

    >>> price_per_vcpu(0.4, facts_of("Standard_E8-4ds_v5"))
    0.1
    """
    if usd_per_hour is None or not facts.vcpus:
        return None
    return usd_per_hour / facts.vcpus
