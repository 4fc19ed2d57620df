"""Collects the prices of one region: spot prices in every run, on-demand prices when they are due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import requests

from spotlake.azure.http import HttpClient, HttpCounts, RetryPolicy
from spotlake.azure.price_rules import MOST_DISAGREEING, ChosenPrices, choose_prices, windows_spot
from spotlake.azure.retail import API, SIZES_A_REQUEST, PricePages, narrow_filter, price_filter
from spotlake.clock import Clock, Deadline
from spotlake.errors import AzureError, DeadlineError, UntrustedAnswerError
from spotlake.models import Dataset, Run, WorkItem, to_iso
from spotlake.names import join_key
from spotlake.reports import CollectorReport, Findings
from spotlake.settings import Settings
from spotlake.shard_rows import PriceRow
from spotlake.state.doubts import is_believed
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.collect.jumps import refuse_jump
from spotlake.usecases.collect.stored_shards import write_shard

# After a 429 that names no time: a minute, the penalty that other collectors of this list have met.
_POLICY = RetryPolicy(
    attempts=6,
    backoff_seconds=2.0,
    longest_wait_seconds=70.0,
    unasked_wait_seconds=60.0,
    timeout_seconds=(5.0, 60.0),
)
# Sizes that a listing lacks are asked for once more, 15 per request. In August 2026 rows were gone for hours, up to 300
# in a region. Two requests in a row without a result end this, because the pairs are then not sold.
_MOST_NARROW_REQUESTS = 20
_DRY_REQUESTS = 2


@dataclass(frozen=True, kw_only=True)
class PriceDeps:
    """Dependencies of the collector.

    Attributes:
        objects: The write bucket.
        session: HTTP session.
        clock: Clock of the run.
        deadline: Deadline of the Lambda or job.
        settings: Settings: API address, source, largest fall that is believed.
        on_listed: Called with the region and its rows that have a spot price, before the shard is written.
        sleep, monotonic: Waiting and measuring; tests pass their own.
    """

    objects: ObjectStore
    session: requests.Session
    clock: Clock
    deadline: Deadline
    settings: Settings
    on_listed: Callable[[str, Sequence[PriceRow]], None] = lambda _region, _rows: None
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


def collect_prices(run: Run, item: WorkItem, deps: PriceDeps) -> CollectorReport:
    """Read the region's price list, choose by the rules, write the shard.

    Raises:
        UntrustedAnswerError: The answer is empty, far smaller or larger than before, or unreadable. No shard is
            written; the old prices stay.
        AzureError: The API failed after all retries. The old prices stay.
        StoreError: The shard cannot be written.
    """
    began = deps.monotonic()
    counts = HttpCounts()
    client = HttpClient(API, deps.session, _POLICY, deps.deadline, counts, deps.sleep)
    pages = PricePages(
        client,
        deps.settings.azure_retail_url,
        price_filter(item.region, ondemand=item.ondemand),
        may_be_empty=True,  # Azure lists a region before it sells anything there, and a region may close
    )
    chosen = choose_prices(pages.rows(), region=item.region, now_at=run.slot_at, keep_windows=item.witness)
    believed_falls = _require_enough(chosen, run, item, deps)
    sizes = len(chosen.spot.keys() | chosen.ondemand.keys())
    believed_jumps = refuse_jump(deps.objects, run, item, Dataset.PRICE, found=sizes, api=API)
    narrow = _ask_narrowly(chosen, item, pages, run)
    collected_at = deps.clock.now()
    rows = list(_rows(chosen, run, item, to_iso(collected_at), deps.settings.azure_source))
    report = CollectorReport(
        dataset=Dataset.PRICE,
        region=item.region,
        status="complete",
        rows=len(rows),
        counts={
            **counts.to_dict(),
            "pages": pages.pages,
            "rows_read": pages.rows_read + narrow.rows_read,
            **_counts(chosen, item, narrow),
            "believed_falls": believed_falls,
            "believed_jumps": believed_jumps,
        },
        seconds=round(deps.monotonic() - began, 3),
        found=_findings(chosen, item, narrow, run),
    )
    deps.on_listed(item.region, [row for row in rows if row.spot_price_usd_per_hour is not None])
    return write_shard(deps.objects, run, report, rows, source=deps.settings.azure_source, collected_at=collected_at)


def _require_enough(chosen: ChosenPrices, run: Run, item: WorkItem, deps: PriceDeps) -> int:
    """Refuse an answer without spot prices, or with far fewer than the catalogue has, until it has lasted.

    For a region that never had a spot price the answer is believed: Azure lists regions, and sells on demand, before it
        sells spot there.

    Returns:
        1 for a smaller answer that is believed because it has lasted (``planning/doubt.py``), else 0.
    """
    known = len(item.instance_types)
    found = (
        len(chosen.spot) if not item.filtered else sum(1 for one in item.instance_types if join_key(one) in chosen.spot)
    )
    if not known or (found and found >= known * (100 - deps.settings.price_max_fall_percent) / 100):
        return 0
    if not item.filtered and is_believed(deps.objects, run, item, Dataset.PRICE, found):
        return 1
    raise UntrustedAnswerError(API, f"{item.region}: {found or 'no'} spot prices, the catalogue has {known} sizes")


@dataclass
class _Narrow:
    """Counts of a second request: sizes asked again, and sizes found."""

    requests: int = 0
    rows_read: int = 0
    healed: int = 0
    failures: int = 0
    answered: list[str] = field(default_factory=list)


def _lacking(chosen: ChosenPrices, item: WorkItem) -> tuple[set[str], set[str]]:
    """Sizes of the catalogue without a spot price, and those without the on-demand price that was asked for."""
    spot = {one for one in item.instance_types if join_key(one) not in chosen.spot}
    priced = chosen.ondemand.keys() | chosen.unpriced
    ondemand = {one for one in item.instance_types if item.ondemand and join_key(one) not in priced}
    return spot, ondemand


def _findings(chosen: ChosenPrices, item: WorkItem, narrow: _Narrow, run: Run) -> Findings:
    spot, ondemand = _lacking(chosen, item)
    return Findings(
        unconfirmed_sizes=tuple(sorted(spot | ondemand)),
        unknown_kinds=tuple(chosen.unknown_samples),
        absent_spot=tuple(sorted(spot.intersection(narrow.answered))),
        absent_ondemand=tuple(sorted(ondemand.intersection(narrow.answered))),
        disagreeing_sizes=tuple(sorted(chosen.disagreeing)[:MOST_DISAGREEING]),
        windows_spot_usd_per_hour=windows_spot(chosen, region=item.region, now_at=run.slot_at),
    )


def _ask_narrowly(chosen: ChosenPrices, item: WorkItem, pages: PricePages, run: Run) -> _Narrow:
    """Ask once more for sizes that the listing lacks. An error here loses no known price.

    What an earlier run did not find in this way either is left out for some hours (``planning/price_memory.py``).
    """
    narrow, dry = _Narrow(), 0
    spot, ondemand = _lacking(chosen, item)
    missing = sorted(spot.difference(item.absent_spot) | ondemand.difference(item.absent_ondemand))
    for start in range(0, min(len(missing), _MOST_NARROW_REQUESTS * SIZES_A_REQUEST), SIZES_A_REQUEST):
        sizes = missing[start : start + SIZES_A_REQUEST]
        wanted = narrow_filter(item.region, sizes, ondemand=item.ondemand)
        asked = PricePages(pages.client, pages.base_url, wanted, may_be_empty=True)
        narrow.requests += 1
        try:
            found = choose_prices(asked.rows(), region=item.region, now_at=run.slot_at)
        except (AzureError, DeadlineError):
            narrow.failures += 1
            break
        narrow.rows_read += asked.rows_read
        narrow.answered += sizes
        healed = chosen.add_missing(found)
        narrow.healed += healed
        dry = 0 if healed else dry + 1
        if dry == _DRY_REQUESTS:
            break
    return narrow


def _counts(chosen: ChosenPrices, item: WorkItem, narrow: _Narrow) -> dict[str, int]:
    return {
        "ondemand_asked": int(item.ondemand),
        "narrow_requests": narrow.requests,
        "narrow_failures": narrow.failures,
        "healed_sizes": narrow.healed,
        "unconfirmed_sizes": len(set[str]().union(*_lacking(chosen, item))),
        "invalid_rows": chosen.rejected["unreadable"],
        "price_disagreements": chosen.disagreements,
        "respelt_region_rows": chosen.respelt_regions,
        **{f"rejected_{kind}": number for kind, number in sorted(chosen.rejected.items())},
    }


def _rows(chosen: ChosenPrices, run: Run, item: WorkItem, observed_at: str, source: str) -> Iterator[PriceRow]:
    wanted = {join_key(one) for one in item.instance_types}
    casing = {join_key(one): one for one in item.instance_types}
    for size in sorted(chosen.spot.keys() | chosen.ondemand.keys()):
        if item.filtered and size not in wanted:
            continue
        spot, ondemand = chosen.spot.get(size), chosen.ondemand.get(size)
        named = spot or ondemand
        if named is None:
            continue
        yield PriceRow(
            run_id=run.run_id,
            source=source,
            observed_at=observed_at,
            region=item.region,
            region_name=named.region_name,
            instance_type=casing.get(size, named.instance_type),
            spot_price_usd_per_hour=spot.usd_per_hour if spot else None,
            spot_meter_id=spot.meter_id if spot else None,
            spot_effective_start_at=spot.effective_start_at if spot else None,
            ondemand_price_usd_per_hour=ondemand.usd_per_hour if ondemand and item.ondemand else None,
            ondemand_meter_id=ondemand.meter_id if ondemand and item.ondemand else None,
            ondemand_effective_start_at=ondemand.effective_start_at if ondemand and item.ondemand else None,
        )
