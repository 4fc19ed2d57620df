"""The full run: rebuild the catalogue and the call plan, collect every region; goes on where it stopped.

Checkpoints: a shard that this execution has written is not collected again; the prepared plan is the
request's record; each answered placement-score call is kept in an object of its own, so that no call whose
answer is stored is sent again. The merge is not done here: the state machine's Merge follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from spotlake import keys
from spotlake.errors import AzureError, DeadlineError, ReclaimedError, ShardRefusedError, StoreError
from spotlake.models import CollectorReport, Dataset, Run, WorkItem
from spotlake.names import is_spot_eligible
from spotlake.planning.catalogue import Catalogue, Difference, difference, fold_listing
from spotlake.planning.run_input import require_known_regions, require_known_sizes
from spotlake.shards import open_shard, parse_rows
from spotlake.state.catalogue import read_catalogue, write_catalogue
from spotlake.stores.objects import ObjectStore, read_json, write_json
from spotlake.usecases.plan.prepare_work import REQUEST_SCHEMA, Asked, PrepareDeps, prepare_collection, read_item

CHECKPOINT_SCHEMA = 1
_PRICE_THREADS = 4
_REGION_THREADS = 6
_EVICTION_THREADS = 2

type Collect = Callable[[Run, WorkItem], CollectorReport]


@dataclass(frozen=True, kw_only=True)
class FullRunDeps:
    """What the job works with.

    Attributes:
        objects: The write bucket.
        regions: Candidates when the run does not name any (routing locations of the subscription).
        prepare: Of ``prepare_collection``.
        collect_prices, collect_eviction_rates: The collectors, ready to be called from threads.
        collect_scores: The placement-score collector, with rows already stored and a hook for new ones.
        stopping: Whether the machine is being taken away; the collectors' deadline is over then.
        tell: Told of each finished collector.
    """

    objects: ObjectStore
    regions: tuple[str, ...]
    prepare: PrepareDeps
    collect_prices: Collect
    collect_eviction_rates: Collect
    collect_scores: Callable[[Run, WorkItem, Checkpoint], CollectorReport]
    stopping: Callable[[], bool]
    tell: Callable[[CollectorReport], None]


@dataclass(frozen=True)
class Checkpoint:
    """Answered calls of one region, an object each: an attempt that is killed loses only calls under way."""

    objects: ObjectStore
    run: Run
    region: str
    stopping: Callable[[], bool]
    already: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def load(cls, objects: ObjectStore, run: Run, region: str, stopping: Callable[[], bool]) -> Checkpoint:
        """What earlier attempts of this execution have stored of the region."""
        already = {}
        for key in objects.keys(keys.checkpoint(run.slot_at, f"scores/{region}/").removesuffix(".json.gz")):
            content, _ = read_json(objects, key, schema=CHECKPOINT_SCHEMA)
            if content is not None and content["owner"] == run.owner:
                already[content["call_id"]] = content["rows"]
        return cls(objects, run, region, stopping, already)

    def note(self, call_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store an answered call. Raises ReclaimedError after that when the machine is being taken away."""
        key = keys.checkpoint(self.run.slot_at, f"scores/{self.region}/{call_id}")
        content = {"owner": self.run.owner, "call_id": call_id, "rows": rows}
        write_json(self.objects, key, content, schema=CHECKPOINT_SCHEMA)
        if self.stopping():
            raise ReclaimedError(f"{self.region}: told to stop after call {call_id}")


def run_full(run: Run, deps: FullRunDeps) -> list[CollectorReport]:
    """Collect everything; returns the reports of what this attempt collected.

    A region whose prices or rates fail is left as it was: the merge names it.

    Raises:
        ReclaimedError: Told to stop; all that was answered is stored.
        InvalidInputError: A region or size is asked for that nobody knows.
        ConfigurationError, SignInError, StoreError: For good; the text says which.
    """
    return _FullRun(run, deps).run_all()


class _FullRun:
    def __init__(self, run: Run, deps: FullRunDeps) -> None:
        self.run, self.deps = run, deps
        content, _ = read_json(deps.objects, keys.run_request(run.slot_at), schema=REQUEST_SCHEMA)
        if content is None:
            raise StoreError(f"{keys.run_request(run.slot_at)} is missing: the run was never planned")
        self.request = content
        self.asked = Asked.from_dict(content["asked"])
        self.reports: list[CollectorReport] = []

    def run_all(self) -> list[CollectorReport]:
        if not self.request["prepared"]:
            catalogue, changed = self._rebuild_catalogue()
            prepare_collection(self.run, self.asked, catalogue, self.deps.prepare, changed=changed)
        regions = self._prepared_regions()
        with ThreadPoolExecutor(_REGION_THREADS) as scores, ThreadPoolExecutor(_EVICTION_THREADS) as rates:
            work = [
                *(scores.submit(self._collect_scores, region) for region in regions),
                *(rates.submit(self._collect_rates, region) for region in regions),
            ]
            try:
                for one in as_completed(work):
                    one.result()
            except Exception:  # what ends one ends all: nothing more is begun
                for one in work:
                    one.cancel()
                raise
        return self.reports

    def _rebuild_catalogue(self) -> tuple[Catalogue, Difference]:
        """Prices of every candidate region, and the catalogue with their listing."""
        before = read_catalogue(self.deps.objects) or Catalogue()
        require_known_regions(self.asked.regions, {*self.deps.regions, *before.pairs})
        candidates = self.asked.regions or tuple(sorted({*self.deps.regions, *before.pairs}))
        with ThreadPoolExecutor(_PRICE_THREADS) as pool:
            list(pool.map(lambda region: self._collect_region_prices(region, before), candidates))
        listing: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for region in candidates:
            sizes, name = self._listed(region)
            listing[region] = sizes
            if name:
                names[region] = name
        day = self.run.slot_at.date()
        settings = self.deps.prepare.settings
        whole = self.asked.is_whole(settings)
        after = fold_listing(before, day, listing, names, keep_days=settings.catalogue_days, whole=whole)
        require_known_sizes(self.asked.instance_types, chain.from_iterable(after.pairs.values()))
        write_catalogue(self.deps.objects, after)
        return after, difference(before, after, day)

    def _collect_region_prices(self, region: str, catalogue: Catalogue) -> None:
        known = tuple(catalogue.pairs.get(region, ()))
        item = WorkItem(run_id=self.run.run_id, region=region, instance_types=known, ondemand=True)
        self._collect(Dataset.PRICE, item, self.deps.collect_prices)

    def _listed(self, region: str) -> tuple[list[str], str]:
        """Sizes with a spot price in the region's shard of this run, and the region's billing name."""
        rows = self._shard_rows(Dataset.PRICE, region) or []
        spot = [
            row["instance_type"]
            for row in rows
            if row["spot_price_usd_per_hour"] is not None and is_spot_eligible(row["instance_type"])
        ]
        return spot, rows[0]["region_name"] if rows else ""

    def _prepared_regions(self) -> list[str]:
        content, _ = read_json(self.deps.objects, keys.run_request(self.run.slot_at), schema=REQUEST_SCHEMA)
        regions: list[str] = content["regions"] if content else []
        return regions

    def _collect_rates(self, region: str) -> None:
        item = read_item(self.deps.objects, self.run, region)
        if item is not None:
            self._collect(Dataset.EVICTION, item, self.deps.collect_eviction_rates)

    def _collect_scores(self, region: str) -> None:
        item = read_item(self.deps.objects, self.run, region)
        if item is None or not item.calls:
            return
        checkpoint = Checkpoint.load(self.deps.objects, self.run, region, self.deps.stopping)
        self._collect(Dataset.SPS, item, lambda run, work: self.deps.collect_scores(run, work, checkpoint))

    def _collect(self, dataset: Dataset, item: WorkItem, collect: Collect) -> None:
        """Collect one shard unless this execution has it already."""
        if self.deps.stopping():
            raise ReclaimedError(f"{item.region}: told to stop")
        mark = keys.checkpoint(self.run.slot_at, f"done-{dataset.value}-{item.region}")
        done, _ = read_json(self.deps.objects, mark, schema=CHECKPOINT_SCHEMA)
        if (done is not None and done["owner"] == self.run.owner) or dataset.value in item.stored:
            return
        report = self._try(dataset, item, collect)
        if self.deps.stopping() and report.status != "complete":
            raise ReclaimedError(f"{dataset.value} of {item.region}: told to stop in the middle")
        if report.status != "failed":
            write_json(self.deps.objects, mark, {"owner": self.run.owner}, schema=CHECKPOINT_SCHEMA)
        self.reports.append(report)
        self.deps.tell(report)

    def _try(self, dataset: Dataset, item: WorkItem, collect: Collect) -> CollectorReport:
        """A collector's report; what Azure or the time refused is a failed one."""
        try:
            return collect(self.run, item)
        except (AzureError, DeadlineError) as error:
            name, cause = type(error).__name__, str(error)
            return CollectorReport(
                dataset=dataset, region=item.region, status="failed", rows=0, error=name, cause=cause
            )

    def _shard_rows(self, dataset: Dataset, region: str) -> list[dict[str, Any]] | None:
        key = keys.shard(dataset, self.run.slot_at, region)
        stored = self.deps.objects.get(key)
        if stored is None:
            return None
        try:
            shard = open_shard(stored.body, key=key, dataset=dataset, run_id=self.run.run_id, region=region)
            return parse_rows(shard, key)
        except ShardRefusedError:
            return None
