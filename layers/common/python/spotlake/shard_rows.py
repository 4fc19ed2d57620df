"""Rows of the shards. Collectors write them, the merge reads some fields, and docs/data.md describes them.

Each class is the JSON line of one data set. None stands for unknown. The merge decodes the fields that it needs
(``merge/columns.py``); a test compares its types with these.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """A placement score of one size in one zone, as Azure answered one subscription.

    Attributes:
        run_id: The slot, ``20251215T1000Z``.
        source: "live" or "simulated".
        observed_at: When Azure answered (ISO, UTC).
        region, instance_type: The scored pair: ARM code, and size in ARM casing.
        desired_count: Machines asked for.
        zone: "1" to "3", as the reference subscription numbers its zones; "Single" for a regional score. None when the
            building is not known; such a row is not stored.
        logical_zone: The zone's number for the subscription that asked.
        physical_zone: Name of the building, such as "koreacentral-az2".
        score: 3, 2, 1, or None for an answer without a score.
        score_text: Azure's word for the score.
        is_quota_available: Whether the subscription has vCPU quota, as answered.
        location: The routing location.
        subscription: Digest of the subscription that asked.
        call_id: Id of the call.
        placement_preference: 0 to 10, as answered by 2026-10-05-preview; None when the answer has none.
    """

    run_id: str
    source: str
    observed_at: str
    region: str
    instance_type: str
    desired_count: int
    zone: str | None
    logical_zone: str | None
    physical_zone: str | None
    score: int | None
    score_text: str
    is_quota_available: bool | None
    location: str
    subscription: str
    call_id: str
    placement_preference: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceRow:
    """Prices of one size in one region, USD per hour.

    Attributes:
        run_id, source, observed_at: As in ``ScoreRow``.
        region: ARM code.
        region_name: The region's billing name, "KR Central".
        instance_type: ARM size.
        spot_price_usd_per_hour, ondemand_price_usd_per_hour: None when the list has no price, or was not asked.
        spot_meter_id, ondemand_meter_id: Ids of the chosen meters.
        spot_effective_start_at, ondemand_effective_start_at: When the list's price began (ISO).
    """

    run_id: str
    source: str
    observed_at: str
    region: str
    region_name: str
    instance_type: str
    spot_price_usd_per_hour: float | None
    spot_meter_id: str | None
    spot_effective_start_at: str | None
    ondemand_price_usd_per_hour: float | None = None
    ondemand_meter_id: str | None = None
    ondemand_effective_start_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvictionRow:
    """The eviction rate of one size in one region.

    Attributes:
        run_id, source, observed_at: As in ``ScoreRow``.
        region, instance_type: The pair.
        eviction_band: Percent evicted per hour, as Azure words it: "0-5" to "20+".
        interruption_frequency: 3.0 (0 to 5 %) to 1.0 (over 20 %); None for an unknown band.
    """

    run_id: str
    source: str
    observed_at: str
    region: str
    instance_type: str
    eviction_band: str
    interruption_frequency: float | None


type ShardRow = ScoreRow | PriceRow | EvictionRow
