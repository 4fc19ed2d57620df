"""Collect the eviction rates of one region."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import random

import requests

from spotlake.azure.http import HttpClient, HttpCounts, RetryPolicy
from spotlake.azure.price_history import price_history_query
from spotlake.azure.resource_graph import API, BANDS, GraphPages, GraphRow, band_of
from spotlake.azure.signed import Tokens
from spotlake.clock import Clock, Deadline
from spotlake.errors import UntrustedAnswerError
from spotlake.models import Dataset, Run, WorkItem, to_iso
from spotlake.names import join_key, region_key
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shard_rows import EvictionRow
from spotlake.state.doubts import is_believed
from spotlake.stores.objects import ObjectStore
from spotlake.stores.turns import Turns
from spotlake.usecases.collect.jumps import refuse_jump
from spotlake.usecases.collect.price_history import collect_price_history
from spotlake.usecases.collect.stored_shards import write_shard

# Turns keep all regions together below the limit. A request that is refused anyway waits as long as Azure asks.
_POLICY = RetryPolicy(attempts=40, backoff_seconds=1.0, longest_wait_seconds=30.0, timeout_seconds=(5.0, 60.0))
# The other rates of the region's group wait behind it, so no side input gets more time than that.
_WITNESS_SECONDS = 45.0
_WITNESS_POLICY = RetryPolicy(attempts=3, backoff_seconds=1.0, longest_wait_seconds=10.0, timeout_seconds=(5.0, 30.0))


@dataclass(frozen=True, kw_only=True)
class EvictionDeps:
    """Dependencies of the collector.

    Attributes:
        objects: The write bucket.
        session: HTTP session.
        tokens: Source of tokens.
        turns: Turns that the collectors of all regions share.
        clock: Clock of the run.
        deadline: Deadline of the Lambda or job.
        settings: Settings: API address, source, largest fall that is believed.
        sleep, monotonic, epoch, jitter: Waiting, measuring, the wall clock and chance; tests pass their own.
    """

    objects: ObjectStore
    session: requests.Session
    tokens: Tokens
    turns: Turns
    clock: Clock
    deadline: Deadline
    settings: Settings
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    epoch: Callable[[], float] = time.time
    jitter: Callable[[], float] = random


def collect_eviction_rates(run: Run, item: WorkItem, deps: EvictionDeps) -> CollectorReport:
    """Ask Resource Graph, map the bands, write the shard.

    Raises:
        UntrustedAnswerError: No row, or far fewer or far more rows than the last whole listing. The old rates stay.
        AzureError: The API failed after all retries. The old rates stay.
        SignInError, SignInUnavailableError: Azure refused the credentials, or did not answer.
        StoreError: The shard cannot be written.
    """
    began = deps.monotonic()
    http = HttpCounts()
    client = HttpClient(API, deps.session, _POLICY, deps.deadline, http, deps.sleep, deps.jitter)
    pages = GraphPages(client, deps.settings.azure_management_url, deps.tokens, lambda: deps.turns.take(deps.epoch()))
    counts: Counter[str] = Counter()
    collected_at = deps.clock.now()
    found = list(pages.rows(item.region))
    told = max(pages.total or 0, len(found))
    bands, usable = _band_of_each(found, item.region, counts)
    counts["believed_falls"] = _require_enough(usable, told, run, item, deps)
    counts["believed_jumps"] = refuse_jump(deps.objects, run, item, Dataset.EVICTION, found=len(bands), api=API)
    template = EvictionRow(
        run_id=run.run_id,
        source=deps.settings.azure_source,
        observed_at=to_iso(collected_at),
        region=item.region,
        instance_type="",
        eviction_band="",
        interruption_frequency=None,
    )
    rows = _rows(bands, item, template, counts)
    report = CollectorReport(
        dataset=Dataset.EVICTION,
        region=item.region,
        status="complete",
        rows=len(rows),
        counts={
            **http.to_dict(),
            "pages": pages.pages,
            "listed_rows": len(found) + pages.doubled,
            "doubled_rows": pages.doubled,
            "missing_rows": told - len(found),
            **counts,
        },
        seconds=round(deps.monotonic() - began, 3),
    )
    stored = write_shard(deps.objects, run, report, rows, source=deps.settings.azure_source, collected_at=collected_at)
    if item.witness:
        _ask_witness(run, item, deps)
    return stored


def _ask_witness(run: Run, item: WorkItem, deps: EvictionDeps) -> None:
    """Ask for the region's price history, in little time and with few attempts: the rates are stored already."""
    end = deps.monotonic() + _WITNESS_SECONDS
    deadline = Deadline(lambda: min(deps.deadline.seconds_left(), end - deps.monotonic()))
    client = HttpClient(API, deps.session, _WITNESS_POLICY, deadline, HttpCounts(), deps.sleep, deps.jitter)
    url, turn = deps.settings.azure_management_url, lambda: deps.turns.take(deps.epoch())
    pages = GraphPages(client, url, deps.tokens, turn, price_history_query)
    source, asked_at = deps.settings.azure_source, deps.clock.now()
    collect_price_history(run, item.region, pages, deps.objects, source=source, collected_at=asked_at)


def _require_enough(found: int, told: int, run: Run, item: WorkItem, deps: EvictionDeps) -> int:
    """Refuse an answer with too few rows, until it has lasted. No row at all is never believed of a region that sells.

    Azure has answered 200 without rows for days (2024, 2025). A region whose last whole price listing, which another
    API gave, has no row either has closed.

    Args:
        found: Number of usable rows.
        told: Number of rows that came, or that the answer announced.
        run: The attempt.
        item: The region's work.
        deps: Dependencies.

    Returns:
        1 for a smaller answer that is believed because it has lasted (``planning/doubt.py``), else 0.
    """
    if not found and item.last_good_rows.get(Dataset.PRICE.value) == 0:
        return 1
    if not found and item.instance_types:
        raise UntrustedAnswerError(API, f"{item.region}: no eviction rate at all")
    share = (100 - deps.settings.eviction_max_fall_percent) / 100
    if found < told * share:
        raise UntrustedAnswerError(API, f"{item.region}: {found} usable rows came of {told}")
    before = item.last_good_rows.get(Dataset.EVICTION.value, 0)
    if found >= before * share:
        return 0
    if is_believed(deps.objects, run, item, Dataset.EVICTION, found):
        return 1
    raise UntrustedAnswerError(API, f"{item.region}: {found} rows, the last good run had {before}")


def _rows(bands: Mapping[str, str], item: WorkItem, template: EvictionRow, counts: Counter[str]) -> list[EvictionRow]:
    """One row per size, in the casing of the catalogue. A filtered attempt keeps only its own sizes."""
    casing = {join_key(size): size for size in item.instance_types}
    counts["unknown_bands"] = sum(band not in BANDS for band in bands.values())
    counts["unknown_sizes"] = len(bands.keys() - casing.keys())
    return [
        replace(
            template,
            instance_type=casing.get(size, size),
            eviction_band=band,
            interruption_frequency=BANDS.get(band),
        )
        for size, band in bands.items()
        if not item.filtered or size in casing
    ]


def _band_of_each(found: Iterable[GraphRow], region: str, counts: Counter[str]) -> tuple[dict[str, str], int]:
    """Size (``join_key``) -> band, and the number of rows that say so.

    A size with two different bands is dropped, because neither is known to be true.
    """
    bands: dict[str, str] = {}
    rows: Counter[str] = Counter()
    torn: set[str] = set()
    for row in found:
        size, band = join_key(str(row.get("skuName") or "")), band_of(row.get("evictionRate"))
        if "_" not in size or not band or region_key(str(row.get("location"))) != region:
            counts["invalid_rows"] += 1
            continue
        rows[size] += 1
        if bands.setdefault(size, band) != band:
            torn.add(size)
    counts["contradicted_sizes"] = len(torn)
    kept = {size: band for size, band in bands.items() if size not in torn}
    return kept, sum(rows[size] for size in kept)
