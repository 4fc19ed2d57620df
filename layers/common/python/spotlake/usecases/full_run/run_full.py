"""The full run's job: lists all prices, plans the calls, collects everything. The job continues where it stopped.

Stored shards are not collected again, and stored work is not planned again. Each answered placement-score call is a
checkpoint, so no call with a stored answer is sent again. The state machine's Merge follows the job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from spotlake import keys
from spotlake.errors import (
    AzureError,
    AzureUnavailableError,
    DeadlineError,
    InvalidInputError,
    ReclaimedError,
    ShardRefusedError,
    SpotlakeError,
)
from spotlake.models import Dataset, Run, WorkItem
from spotlake.names import is_spot_eligible
from spotlake.planning.attempt import Work
from spotlake.planning.catalogue import Catalogue, fold_listing
from spotlake.planning.price_memory import PriceMemory, note_listing
from spotlake.planning.run_input import require_known_regions, require_known_sizes
from spotlake.reports import CollectorReport
from spotlake.shard_rows import PriceRow
from spotlake.shards import open_shard, parse_rows
from spotlake.state.attempts import read_record, read_work
from spotlake.state.catalogue import read_catalogue
from spotlake.state.checkpoints import Checkpoint
from spotlake.state.last_good import LastGood, read_last_good
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.collect.stored_shards import stored_report, write_shard
from spotlake.usecases.plan.prepare_work import PrepareDeps, prepare_collection
from spotlake.usecases.plan.slot_answers import SlotAnswers, read_slot_answers

_LOG = logging.getLogger(__name__)
_PRICE_THREADS = 4
_REGION_THREADS = 6
_EVICTION_THREADS = 2

type Collect = Callable[[Run, WorkItem], CollectorReport]
type OnListed = Callable[[str, Sequence[PriceRow]], None]


@dataclass(frozen=True, kw_only=True)
class FullRunDeps:
    """Dependencies of the job.

    Attributes:
        objects: The write bucket.
        regions: Candidate regions when the run names none (routing locations of the subscription).
        prepare: Dependencies of ``prepare_collection``.
        collect_prices: The price collector. It calls its third argument with the listing.
        collect_eviction_rates: The eviction-rate collector. All collectors are called from threads.
        collect_scores: The placement-score collector; it gets the attempt's work and the stored calls.
        collect_sizes: Asks for the facts of sizes, given the sizes of each region; it is a side input.
        stopping: Whether the machine is being taken away. The collectors' deadline is then over.
        on_report: Called with the report of each finished collector.
    """

    objects: ObjectStore
    regions: tuple[str, ...]
    prepare: PrepareDeps
    collect_prices: Callable[[Run, WorkItem, OnListed], CollectorReport]
    collect_eviction_rates: Collect
    collect_scores: Callable[[Run, WorkItem, Work, Checkpoint], CollectorReport]
    stopping: Callable[[], bool]
    on_report: Callable[[CollectorReport], None]
    collect_sizes: Callable[[Run, Mapping[str, Iterable[str]]], object] = lambda *_: None


def run_full(run: Run, deps: FullRunDeps) -> list[CollectorReport]:
    """Collect everything. Returns the reports of this start of the job.

    A region whose prices or rates fail keeps its old values, and the manifest names the region.

    Raises:
        ReclaimedError: The machine is being taken away. All answers are stored.
        InvalidInputError: The input names an unknown region or size.
        DeadlineError, AzureUnavailableError: A listing failed, and no other listing has the sizes of the input.
        ConfigurationError, SignInError, StoreError: The run cannot continue; the text names the cause.
    """
    return _FullRun(run, deps).run_all()


@dataclass
class _Listing:
    """The price listings of this attempt: sizes with a spot price, and failed listings."""

    sizes: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, CollectorReport] = field(default_factory=dict)

    def note(self, region: str, rows: Sequence[PriceRow]) -> None:
        self.sizes[region] = [row.instance_type for row in rows if is_spot_eligible(row.instance_type)]


class _FullRun:
    def __init__(self, run: Run, deps: FullRunDeps) -> None:
        self.run, self.deps = run, deps
        self.record = read_record(deps.objects, run.slot_at, run.attempt)
        self.reports: list[CollectorReport] = []
        self.listing = _Listing()

    def run_all(self) -> list[CollectorReport]:
        work = read_work(self.deps.objects, self.run.slot_at, self.run.attempt) or self._prepare()
        with (
            ThreadPoolExecutor(1) as sizes,
            ThreadPoolExecutor(_REGION_THREADS) as scores,
            ThreadPoolExecutor(_EVICTION_THREADS) as rates,
        ):
            sizes.submit(self._collect_sizes, work)
            pending = [
                *(scores.submit(self._collect_scores, item, work) for item in work.items.values()),
                *(rates.submit(self._collect_rates, item) for item in work.items.values()),
            ]
            try:
                for one in as_completed(pending):
                    one.result()
            except Exception:  # an error that ends one collector ends all; no further one begins
                for one in pending:
                    one.cancel()
                raise
        return self.reports

    def _prepare(self) -> Work:
        """List the prices of every candidate region, then plan with the new catalogue."""
        scope = self.record.scope
        before = read_catalogue(self.deps.objects)
        require_known_regions(scope.regions, {*self.deps.regions, *before.pairs})
        candidates = scope.regions or tuple(sorted({*self.deps.regions, *before.pairs}))
        answers = SlotAnswers()
        if scope.resume:
            answers = read_slot_answers(self.deps.objects, self.run.slot_at, scope.instance_types)
        last_good = read_last_good(self.deps.objects)
        memory, slot_at = PRICE_MEMORY.read(self.deps.objects), self.run.slot_at
        # What is asked for by name, or sells, is listed; what sold nothing so far, once a week.
        due = {*scope.regions, *before.pairs, *(one for one in candidates if memory.is_listing_due(one, slot_at))}
        candidates = tuple(filter(due.__contains__, candidates))
        with ThreadPoolExecutor(_PRICE_THREADS) as pool:
            listed = [region for region in candidates if Dataset.PRICE not in answers.whole.get(region, ())]
            list(pool.map(lambda region: self._list_prices(region, before, memory, last_good), listed))
        unsold = [region for region, sizes in self.listing.sizes.items() if not sizes and region not in before.pairs]
        PRICE_MEMORY.change(self.deps.objects, lambda one: _without_prices(one, slot_at, unsold))
        day, settings = slot_at.date(), self.deps.prepare.settings
        catalogue = fold_listing(  # for this run alone: the merge keeps the listing, and the names of regions
            before, day, self.listing.sizes, {},
            keep_days=settings.catalogue_days, keep_closed_days=settings.retire_after_days,
        )  # fmt: skip
        self._require_known_sizes(catalogue)
        # A region without listed sizes sells nothing, so rates and scores are not collected there.
        selling = [region for region in candidates if self.listing.sizes.get(region) != []]
        return prepare_collection(self.record, catalogue, self.deps.prepare, candidates=selling, answers=answers).work

    def _list_prices(self, region: str, catalogue: Catalogue, memory: PriceMemory, last_good: LastGood) -> None:
        known = tuple(catalogue.pairs.get(region, ()))
        item = WorkItem(
            region=region,
            instance_types=known,
            ondemand=True,
            last_good_rows=last_good.rows.get(region, {}),
            whole_at=last_good.collected_at.get(region, {}),
            absent_spot=memory.absent_sizes(region, "spot", self.run.slot_at),
            absent_ondemand=memory.absent_sizes(region, "ondemand", self.run.slot_at),
        )
        stored = stored_report(self.deps.objects, Dataset.PRICE, self.run, region)  # of an earlier start of this job
        if stored is None:
            stored = self._collect(
                Dataset.PRICE, item, lambda run, work_item: self.deps.collect_prices(run, work_item, self.listing.note)
            )
        elif stored.status != "failed" and (rows := self._stored_prices(region)) is not None:
            self.listing.note(region, rows)
        # A region without a readable listing stays out of the listing: an empty one would say that it sells nothing.
        if stored is not None and stored.status == "failed":
            self.listing.failed[region] = stored

    def _require_known_sizes(self, catalogue: Catalogue) -> None:
        """Refuse globs that match no size, once all listings are there. A failed listing may hold the sizes."""
        try:
            require_known_sizes(self.record.scope.instance_types, chain.from_iterable(catalogue.pairs.values()))
        except InvalidInputError:
            for region, report in sorted(self.listing.failed.items()):
                told = f"the prices of {region} could not be listed, so its sizes are unknown ({report.error})"
                if report.error == DeadlineError.__name__:
                    raise DeadlineError(told) from None
                raise AzureUnavailableError("retail prices", told) from None
            raise

    def _stored_prices(self, region: str) -> list[PriceRow] | None:
        run = self.run
        key = keys.shard(Dataset.PRICE, run.slot_at, region, run.attempt)
        stored = self.deps.objects.get(key)
        if stored is None:
            return None
        try:
            shard = open_shard(
                stored.body,
                key=key,
                dataset=Dataset.PRICE,
                run_id=run.run_id,
                region=region,
                attempt=run.attempt,
            )
            rows = parse_rows(shard, key, PriceRow)
        except ShardRefusedError:
            return None
        return [row for row in rows if row.spot_price_usd_per_hour is not None]

    def _collect_sizes(self, work: Work) -> None:
        """Ask for the facts of sizes. Whatever goes wrong with them, the run continues."""
        try:
            self.deps.collect_sizes(self.run, {region: item.instance_types for region, item in work.items.items()})
        except Exception as error:  # noqa: BLE001 - a side input stops no run
            _LOG.warning("no facts of sizes: %s: %s", type(error).__name__, error)

    def _collect_rates(self, item: WorkItem) -> None:
        if item.is_due(Dataset.EVICTION):
            self._collect(Dataset.EVICTION, item, self.deps.collect_eviction_rates)

    def _collect_scores(self, item: WorkItem, work: Work) -> None:
        if not item.is_due(Dataset.SPS):
            return
        checkpoint = Checkpoint.load(self.deps.objects, self.run, item.region, self.deps.stopping)
        self._collect(
            Dataset.SPS, item, lambda run, work_item: self.deps.collect_scores(run, work_item, work, checkpoint)
        )

    def _collect(self, dataset: Dataset, item: WorkItem, collect: Collect) -> CollectorReport | None:
        """Collect one shard. Returns its report; None when the attempt has stored the shard already."""
        if self.deps.stopping():
            raise ReclaimedError(f"{item.region}: the machine is taken away")
        if stored_report(self.deps.objects, dataset, self.run, item.region) is not None:
            return None
        try:
            report = collect(self.run, item)
        except (AzureError, DeadlineError) as error:
            if self.deps.stopping():
                raise ReclaimedError(
                    f"{dataset.value} of {item.region}: the machine is taken away in the middle"
                ) from error
            report = self._write_failed(dataset, item.region, error)
        except SpotlakeError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault over one answer costs one region's data set, as in the Map
            _LOG.exception("%s of %s: %s", dataset.value, item.region, type(error).__name__)
            told = AzureError(dataset.value, f"a fault of this program: {type(error).__name__} (see the job's log)")
            report = self._write_failed(dataset, item.region, told, name=type(error).__name__)
        self.reports.append(report)
        self.deps.on_report(report)
        return report

    def _write_failed(self, dataset: Dataset, region: str, error: SpotlakeError, *, name: str = "") -> CollectorReport:
        """Write a shard without rows that holds the error, so that the merge can report it."""
        name = name or type(error).__name__
        report = CollectorReport(dataset=dataset, region=region, status="failed", rows=0, error=name, cause=str(error))
        deps = self.deps.prepare
        return write_shard(
            self.deps.objects,
            self.run,
            report,
            (),
            source=deps.settings.azure_source,
            collected_at=deps.clock.now(),
        )


def _without_prices(memory: PriceMemory, slot_at: datetime, regions: Iterable[str]) -> PriceMemory:
    for region in regions:
        memory = note_listing(memory, slot_at, region, sells=False)
    return memory
