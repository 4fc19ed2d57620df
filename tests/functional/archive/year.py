"""A year of an archive on a virtual clock: one slot in six hours, and everything that goes wrong in a year.

The tiny Azure's own record says what is true; ``year_truth.py`` compares. Every choice follows the seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import requests

from spotlake import keys
from spotlake.azure.http import HttpClient
from spotlake.azure.locations import API, fetch_locations
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import AzureError, DamagedStateError, StoreError
from spotlake.merge.state import MergedState
from spotlake.models import Dataset, Mode, Run, WorkItem, to_iso
from spotlake.planning.attempt import Failure
from spotlake.reports import CollectorReport
from spotlake.state.locations import LOCATIONS
from spotlake.state.merged_states import MergedStates
from spotlake.stores.turns import MemoryTurns
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.collect.eviction_rates import EvictionDeps, collect_eviction_rates
from spotlake.usecases.collect.placement_scores import collect_placement_scores
from spotlake.usecases.collect.prices import PriceDeps, collect_prices
from spotlake.usecases.full_run.run_full import FullRunDeps, run_full
from spotlake.usecases.plan.prepare_work import PrepareDeps
from spotlake.usecases.rebuild.rebuild import RebuildDeps, rebuild
from tests.functional.archive.archive import Archive, regions_of, run_of
from tests.functional.archive.tiny_azure import TinyAzure
from tests.functional.placement_scores.double import Bench

BEGIN_AT = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(hours=6)
RECORDS_KEPT = timedelta(days=14)  # the lifecycle rule of work/
REGIONS = tuple(f"region{name}" for name in "abcdefgh")
SIZES = tuple(f"Standard_D{number}s_v5" for number in range(2, 14))
_NUMBERS = ("123", "231", "312", "213")


class Table(MemoryWorkloads):
    """Refuses while it is told to, in the middle of its work."""

    refuses = False

    def upsert(self, changes: Any, **options: Any) -> Any:
        if not self.refuses:
            return super().upsert(changes, **options)
        super().upsert(list(changes)[::2], **options)
        raise StoreError("table azure-test: ThrottlingException")


@dataclass
class Year(Archive):
    """An archive in front of the tiny Azure. ``live`` lets days pass, with or without faults.

    Attributes:
        seed: Decides everything.
        luck: Less than 1: more goes wrong.
        happened: How often each thing went wrong.
        table_back_at: When the table takes writes again.
        pauses: When nothing ran, and how long.
        most_pairs: The most pairs that a merged state had.
    """

    seed: int = 0
    luck: float = 1.0
    happened: Counter[str] = field(default_factory=Counter)
    table_back_at: datetime = BEGIN_AT
    pauses: list[tuple[datetime, timedelta]] = field(default_factory=list)
    most_pairs: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - no secret
        self.azure = TinyAzure(ManualClock(BEGIN_AT))
        self.bench = Bench(clock=self.azure.clock, subscriptions=("sub-0", "sub-1"))
        self.bench.azure = self.azure
        self.azure.numbers = {f"sub-{one}": dict(zip("123", order, strict=True)) for one, order in enumerate(_NUMBERS)}
        self.table = Table()
        self.workloads = self.table
        super().__post_init__()
        self.session = requests.Session()
        self.session.mount("https://", self.azure)
        for region in REGIONS[:4]:
            self.azure.open(region, SIZES[:10], self.random)

    # -- time ------------------------------------------------------------------------------------

    def live(self, days: float, *, calm: bool = False) -> None:
        """Let days pass: a slot in six hours, and what goes wrong."""
        end_at = self.clock.now() + timedelta(days=days)
        while self.clock.now() < end_at:
            self.azure.failing.clear()
            if not calm:
                self._misfortune()
                self.azure.drift(self.random)
            self.table.refuses = self.clock.now() < self.table_back_at
            self.slot()
            self._expire_records()
            self.most_pairs = max(self.most_pairs, len(newest_state(self).pair["region"]))
            self.clock.advance(seconds=STEP.total_seconds())

    def slot(self) -> None:
        """One execution, and the full run where it is due; what fails is told, and the next slot goes on."""
        owner, planned = self.begin()
        assert planned["status"] == "planned", planned
        run = run_of(planned)
        if run.mode is Mode.FULL:
            self._ended(owner, run, lambda: self._full(run))
            return
        if planned.get("start_full_run"):
            other, full = self.begin(mode="full", timestamp=to_iso(run.slot_at))
            if full["status"] == "planned":
                self._ended(other, run_of(full), lambda: self._full(run_of(full)))
        failures = self.collect(run, regions_of(planned))
        self._ended(owner, run, lambda: failures)

    def _ended(self, owner: str, run: Run, collect: Callable[[], list[Failure]]) -> None:
        error = None
        try:
            failures = collect()
            try:
                self.merge(run, failures)
            except DamagedStateError as damaged:
                if "`spotlake rebuild`" not in str(damaged):
                    raise
                self._rebuild()
                self.merge(run, failures)
        except StoreError as failed:
            if not self.table.refuses:
                raise  # nothing else may stop a merge
            error = type(failed).__name__
        self.end(owner, run, error=error)

    def _rebuild(self) -> None:
        self.happened["rebuild"] += 1
        rebuild(RebuildDeps(objects=self.objects, clock=self.clock, settings=self.settings))

    def _full(self, run: Run) -> list[Failure]:
        failures: list[Failure] = []
        deps = FullRunDeps(
            objects=self.objects,
            regions=tuple(sorted(self.azure.located)),
            prepare=self.prepare_deps(),
            collect_prices=lambda run, item, on_listed: self._collected(run, item, Dataset.PRICE, on_listed=on_listed),
            collect_eviction_rates=lambda run, item: self._collected(run, item, Dataset.EVICTION),
            collect_scores=lambda run, item, work, _: self._collected(run, item, Dataset.SPS),
            stopping=lambda: False,
            on_report=lambda _: None,
        )
        run_full(run, deps)
        return failures

    # -- what the harness replaces -----------------------------------------------------------------

    def _collect_one(self, run: Run, item: WorkItem, dataset: Dataset) -> Failure | None:
        """One collector, in front of the tiny Azure."""
        try:
            self._collected(run, item, dataset)
        except AzureError as error:
            return Failure(error=type(error).__name__, cause=str(error), dataset=dataset, region=item.region)
        return None

    def _collected(self, run: Run, item: WorkItem, dataset: Dataset, **changes: Any) -> CollectorReport:
        common: dict[str, Any] = {
            "objects": self.objects, "session": self.session, "clock": self.clock, "deadline": Deadline.after(600),
            "settings": self.settings, "sleep": lambda _: None,
        }  # fmt: skip
        if dataset is Dataset.PRICE:
            return collect_prices(run, item, PriceDeps(**common, **changes))
        if dataset is Dataset.EVICTION:
            turns = MemoryTurns(spacing_seconds=0.0)
            return collect_eviction_rates(run, item, EvictionDeps(tokens=self.bench.tokens, turns=turns, **common))
        known = LOCATIONS.read(self.objects)
        assert known is not None
        zones = known.zone_map(self.bench.subscriptions)
        deps = self.bench.deps(objects=self.objects, session=self.session, zones=zones, threads=1)
        return collect_placement_scores(run, item, deps)

    def prepare_deps(self) -> PrepareDeps:
        """Locations are asked once a day, as ``AzureAccess.locations`` does."""
        now_at = self.clock.now()
        known = LOCATIONS.read(self.objects)
        if known is None or not known.is_fresh(now_at, self.bench.subscriptions):
            known = fetch_locations(
                HttpClient(API, self.session, deadline=Deadline.after(60)),
                self.settings.azure_management_url,
                tokens=self.bench.tokens,
                subscriptions=self.bench.subscriptions,
                now_at=now_at,
                previous=known,
            )
            LOCATIONS.write(self.objects, known)
        return PrepareDeps(**{**vars(super().prepare_deps()), "routing": known.routing})

    def _expire_records(self) -> None:
        """The lifecycle rule of work/."""
        oldest = self.clock.now() - RECORDS_KEPT
        for key in list(self.objects.keys(keys.WORK_PREFIX)):
            slot_at = keys.slot_in(keys.WORK_PREFIX, key)
            if slot_at is not None and slot_at < oldest:
                self.objects.delete(key)

    # -- what goes wrong -----------------------------------------------------------------------------

    def _misfortune(self) -> None:
        """With some chance something happens before the next slot; about once in two days."""
        chances: dict[Callable[[], None], float] = {
            self._pause: 0.004, self._table_outage: 0.01, self._lose: 0.03, self._damage: 0.03, self._open: 0.006,
            self._close: 0.004, self._shrink: 0.008, self._grow: 0.01, self._subscriptions: 0.03, self._listing: 0.03,
        }  # fmt: skip
        for happen, chance in chances.items():
            if self.random.random() * self.luck < chance:
                self.happened[happen.__name__.strip("_")] += 1
                happen()

    def _pause(self) -> None:
        pause = STEP * self.random.randint(1, 160)
        self.pauses.append((self.clock.now(), pause))
        self.clock.advance(seconds=pause.total_seconds())

    def paused_since(self, moment: str) -> timedelta:
        """How long nothing ran after a moment (ISO)."""
        return sum((pause for at, pause in self.pauses if to_iso(at) >= moment), timedelta())

    def _table_outage(self) -> None:
        self.table_back_at = self.clock.now() + timedelta(hours=self.random.randint(1, 24))

    def _lose(self) -> None:
        self.objects.delete(self._a_document())

    def _damage(self) -> None:
        key = self._a_document()
        stored = self.objects.get(key)
        body = b"" if stored is None else stored.body
        self.objects.put(key, self.random.choice((b"", b"{", body[: len(body) // 2], b'{"schema": 99}')))

    def _a_document(self) -> str:
        """A document of the state: one time in four of the truth, otherwise of memory or advice."""
        found = [*self.objects.keys(keys.STATE_PREFIX)]
        merged = [key for key in found if key.startswith(keys.MERGED_STATES_PREFIX)]
        truth = [keys.MERGED_CHAIN, *merged[-3:], *([self.random.choice(merged)] if merged else [])]
        others = [key for key in found if key not in merged and key != keys.MERGED_CHAIN]
        return self.random.choice(truth if self.random.random() < 0.25 or not others else others)

    def _open(self) -> None:
        closed = [region for region in REGIONS if not self.azure.sold.get(region)]
        if closed:
            self.azure.open(self.random.choice(closed), self.random.sample(SIZES, 10), self.random)

    def _close(self) -> None:
        opened = self._opened()
        if len(opened) > 2:
            region = self.random.choice(opened)
            self.azure.sold[region] = {}
            if self.random.random() < 0.5:
                self.azure.located.discard(region)

    def _shrink(self) -> None:
        region = self.random.choice(self._opened())
        sizes = self.azure.sold[region]
        for size in self.random.sample(sorted(sizes), round(len(sizes) * 0.6)):
            del sizes[size]

    def _grow(self) -> None:
        region = self.random.choice(self._opened())
        sizes = self.random.sample(SIZES, 8)
        grown: dict[str, Any] = {}
        self.azure.sold[region], before = grown, self.azure.sold[region]
        self.azure.open(region, sizes, self.random)
        self.azure.sold[region] |= before

    def _opened(self) -> list[str]:
        return [region for region, sizes in self.azure.sold.items() if sizes]

    def _subscriptions(self) -> None:
        known = sorted(self.azure.numbers)
        self.bench.subscriptions = tuple(self.random.sample(known, self.random.randint(1, len(known))))

    def _listing(self) -> None:
        self.azure.failing = {self.random.choice(REGIONS)}


def newest_state(archive: Archive) -> MergedState:
    """The newest merged state that can be read."""
    states = MergedStates(archive.objects)
    head, is_readable = states.head_to_replace()
    readable = (one.key for one in reversed(head.runs) if states.is_readable(one.key))
    key = next(readable, None) if is_readable else None
    return MergedState() if key is None else states.load(key)


def made_again(year: Year) -> bytes:
    """The newest merged state, made again from everything that was ever collected; records have long expired."""
    for prefix in (keys.MERGED_CHAIN, keys.MERGED_STATES_PREFIX, keys.WORK_PREFIX):
        for key in list(year.objects.keys(prefix)):
            year.objects.delete(key)
    rebuild(RebuildDeps(objects=year.objects, clock=year.clock, settings=year.settings))
    return newest_state(year).encode()


def fresh(year: Year) -> Year:
    """An archive that begins now, in front of the same Azure, after a day."""
    begun = Year(settings=year.settings)
    begun.azure.sold, begun.azure.located = year.azure.sold, year.azure.located
    begun.bench.subscriptions = year.bench.subscriptions
    begun.live(1, calm=True)
    return begun
