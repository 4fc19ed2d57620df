"""Ranks where machines can be had (pure). docs/reading.md has the formula.

For each workload: ``machines = ceil(vcpus / vCPUs of the size)``, ``usd_per_hour = machines x spot price``, and
``expected_usd_per_hour = usd_per_hour x (1 + eviction rate)``. The rate is the middle of the eviction band: what an
evicted machine has done is done again. Workloads are ranked by ``expected_usd_per_hour``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Interruption frequency -> the middle of its band in percent a month (docs/data.md); 20+ has no upper end.
_EVICTION_PERCENT: Mapping[float | None, float] = {3.0: 2.5, 2.5: 7.5, 2.0: 12.5, 1.5: 17.5, 1.0: 25.0, None: 25.0}
NEAR_PERCENT = 10.0
COLUMNS = (
    "region", "instance_type", "zone", "vcpus", "spot_price_usd_per_hour", "interruption_frequency", "t3",
    "savings_percent",
)  # what ranking reads of a row  # fmt: skip
_MOST_ASKED = 50  # the largest desired count: a larger number must be spread


@dataclass(frozen=True, kw_only=True)
class Place:
    """One workload as an answer.

    Attributes:
        region, instance_type, zone: The workload.
        machines: Machines that are needed.
        vcpus: vCPUs that they have together, at least those asked for.
        usd_per_hour: Price of all machines.
        expected_usd_per_hour: The same with the work that evictions repeat; the ranking's measure.
        t3: The largest count that recently scored 3.
        interruption_frequency: 3.0 (0 to 5 percent a month) to 1.0 (more than 20); None: unknown, ranked as the worst.
        why: The reason in a few words.
    """

    region: str
    instance_type: str
    zone: str
    machines: int
    vcpus: int
    usd_per_hour: float
    expected_usd_per_hour: float
    t3: int
    interruption_frequency: float | None
    why: str


def rank(rows: Iterable[Mapping[str, Any]], vcpus: int) -> list[Place]:
    """Workloads that can hold so many vCPUs, the best first.

    A workload counts only if its T3 is at least the machines that it needs, and its price and vCPUs are known.

    Args:
        rows: Rows of ``Archive.latest`` or ``Archive.at``, at least with ``COLUMNS``.
        vcpus: vCPUs that are needed.
    """
    found = (_place(row, vcpus) for row in rows if row["vcpus"] and row["spot_price_usd_per_hour"] is not None)
    return sorted((one for one in found if one is not None), key=_order)


def spread(ranked: Iterable[Place], parts: int) -> list[Place]:
    """So many places of different sizes and zones whose expected price is near the best one's.

    A place is taken when no place before it has its size, or its region and zone, as long as it costs at most
    ``NEAR_PERCENT`` more a vCPU than the cheapest.
    """
    chosen: list[Place] = []
    for one in ranked:
        if chosen and _per_vcpu(one) > _per_vcpu(chosen[0]) * (1 + NEAR_PERCENT / 100):
            continue
        is_new = all(
            one.instance_type != other.instance_type and (one.region, one.zone) != (other.region, other.zone)
            for other in chosen
        )
        if is_new:
            chosen.append(one)
        if len(chosen) == parts:
            break
    return chosen


def _place(row: Mapping[str, Any], vcpus: int) -> Place | None:
    machines = math.ceil(vcpus / row["vcpus"])
    t3 = row["t3"]
    if t3 is None or machines > min(t3, _MOST_ASKED):
        return None
    price = machines * row["spot_price_usd_per_hour"]
    percent = _EVICTION_PERCENT[row["interruption_frequency"]]
    savings = row.get("savings_percent")
    reasons = [
        f"{t3} machine{'' if t3 == 1 else 's'} recently scored 3",
        f"{percent:g} % evicted a month"
        if row["interruption_frequency"]
        else "eviction rate unknown, taken as the worst",
    ]
    if savings is not None:
        reasons.append(f"{savings:.0f} % below on-demand")
    return Place(
        region=row["region"],
        instance_type=row["instance_type"],
        zone=row["zone"],
        machines=machines,
        vcpus=machines * row["vcpus"],
        usd_per_hour=round(price, 6),
        expected_usd_per_hour=round(price * (1 + percent / 100), 6),
        t3=t3,
        interruption_frequency=row["interruption_frequency"],
        why=", ".join(reasons),
    )


def _order(place: Place) -> tuple[float, float, str, str, str]:
    return place.expected_usd_per_hour, -place.t3, place.region, place.instance_type, place.zone


def _per_vcpu(place: Place) -> float:
    return place.expected_usd_per_hour / place.vcpus
