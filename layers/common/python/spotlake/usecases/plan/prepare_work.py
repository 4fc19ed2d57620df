"""Prepares a collection: chooses counts and calls under the quota, and stores the work of all regions.

Plan prepares the Map of collectors. The full run's job prepares its own collection, after it has listed all prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import orjson

from spotlake.clock import Clock
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES, Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.cover import Block, cover_pairs
from spotlake.planning.lessons import Learnt
from spotlake.planning.price_memory import PriceMemory
from spotlake.planning.rotation import count_of_slot
from spotlake.planning.run_input import matches
from spotlake.planning.schedule import Schedule, schedule_calls
from spotlake.planning.scope import pairs_to_score
from spotlake.planning.score_knowledge import ScoreKnowledge
from spotlake.planning.sweep import Sweep, block_id, cycle_minutes, lost_count, move_to_plan, slots_of_window
from spotlake.planning.urgency import Priorities, Wanted
from spotlake.scores.quota import QuotaRules
from spotlake.settings import Settings
from spotlake.state.attempts import write_work
from spotlake.state.call_plan import CALL_PLAN, StoredPlan
from spotlake.state.last_good import LAST_GOOD, LastGood
from spotlake.state.lessons import read_learnt
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.state.sweep import SWEEP
from spotlake.stores.ledger import QuotaLedger
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects
from spotlake.usecases.plan.production_beside import Production, look_at_production
from spotlake.usecases.plan.slot_answers import SlotAnswers

_PART_EFFORT_SECONDS = 1.0  # effort for a plan of some pairs, which is used once

type Pairs = Mapping[str, Sequence[str]]  # region -> sizes


@dataclass(frozen=True, kw_only=True)
class PrepareDeps:
    """Dependencies of preparing.

    Attributes:
        objects: The write bucket.
        production: Production's bucket, which is only read. If it cannot be read, its configuration is not used.
        ledger: The quota ledger.
        clock: Clock of the run; quota is looked up at this time.
        subscriptions: Ids of the subscriptions, the reference first.
        routing: Routing locations of placement-score calls.
        settings: The settings.
        effort_seconds: Seconds that improving a call plan may take.
        knowledge: What is known of the subscriptions, for the collectors. Restrictions are added from the lessons.
        notes: What had to be done without while this was made ready, for people.
        secret_days_left: Days until the Azure secret or certificate ends; None where nobody wrote it.
    """

    objects: ObjectStore
    production: ReadOnlyObjects
    ledger: QuotaLedger
    clock: Clock
    subscriptions: tuple[str, ...]
    routing: tuple[str, ...]
    settings: Settings
    effort_seconds: float
    knowledge: ScoreKnowledge = field(default_factory=ScoreKnowledge)
    notes: tuple[str, ...] = ()
    secret_days_left: int | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A prepared collection.

    Attributes:
        work: The stored work.
        notes: Sentences for people: why a count was chosen, or a file ignored.
    """

    work: Work
    notes: tuple[str, ...] = ()


def prepare_collection(
    record: AttemptRecord,
    catalogue: Catalogue,
    deps: PrepareDeps,
    *,
    candidates: Sequence[str] = (),
    answers: SlotAnswers | None = None,
) -> Prepared:
    """Choose counts and calls, and store the work.

    Args:
        record: Record of the attempt.
        catalogue: Pairs that can be spot.
        deps: Dependencies.
        candidates: Regions to list although the catalogue lacks them.
        answers: Answers that the slot has already; they are not asked again.
    """
    return _Preparation(record, catalogue, deps, answers or SlotAnswers()).prepare(candidates)


@dataclass
class _Preparation:
    record: AttemptRecord
    catalogue: Catalogue
    deps: PrepareDeps
    answers: SlotAnswers
    notes: list[str] = field(default_factory=list)

    def prepare(self, candidates: Sequence[str]) -> Prepared:
        deps, scope = self.deps, self.record.scope
        note = self.notes.append
        learnt, last_good = read_learnt(deps.objects, note), LAST_GOOD.read(deps.objects, note)
        memory = PRICE_MEMORY.read(deps.objects, note)
        due = (region for region in candidates if memory.is_listing_due(region, self.record.run.slot_at))
        regions = tuple(sorted({*(scope.regions or self.catalogue.pairs), *due}))
        pairs = pairs_to_score(self.catalogue, scope, learnt.invalid, retry=self.record.run.mode is Mode.FULL)
        production = look_at_production(deps.production, deps.objects, self.record.run.slot_at, note)
        share = self._share_percent(production)
        run, schedule, quota_left = self._schedule(pairs, learnt, regions, share, production)
        items = {region: self._item(run, region, schedule, share, last_good) for region in regions}
        witnesses = self._witnesses(memory, [region for region in regions if not items[region].later])
        for region in regions:
            items[region] = replace(
                items[region],
                absent_spot=memory.absent_sizes(region, "spot", run.slot_at),
                absent_ondemand=memory.absent_sizes(region, "ondemand", run.slot_at),
                witness=region in witnesses,
            )
        work = Work(
            run=run,
            items=items,
            calls_planned=schedule.planned,
            calls_waiting=schedule.waiting,
            quota_left=quota_left,
            oldest_waiting_minutes=schedule.oldest_age_minutes,
            blocks=schedule.blocks,
            confirmed_at={region: last_good.collected_at.get(region, {}) for region in regions},
            knowledge=deps.knowledge.with_restrictions(learnt),
        )
        return Prepared(work=write_work(deps.objects, work), notes=(*deps.notes, *dict.fromkeys(self.notes)))

    def _schedule(
        self,
        pairs: Pairs,
        learnt: Learnt,
        regions: Sequence[str],
        share_percent: int,
        production: Production,
    ) -> tuple[Run, Schedule, int]:
        """The attempt with its counts, its calls, and the quota that was free before."""
        deps, settings, scope = self.deps, self.deps.settings, self.record.scope
        rules = QuotaRules.of(
            quota_calls=settings.quota_calls,
            window_minutes=settings.quota_window_minutes,
            share_percent=share_percent,
        )
        now_at = deps.clock.now()
        free = deps.ledger.free(deps.routing, now_at=now_at, subscriptions=deps.subscriptions, rules=rules)
        blocks, sweep = ((), Sweep()) if scope.resume else self._plan_blocks(pairs)
        window_calls = len(deps.routing) * len(deps.subscriptions) * rules.calls
        short = len(blocks) > window_calls // slots_of_window(settings.quota_window_minutes)
        in_sweep = short and self.record.run.mode is not Mode.FULL and not scope.desired_counts
        run = self._with_counts(sweep, production, in_sweep=in_sweep)
        if in_sweep and window_calls:
            hours = cycle_minutes(len(blocks), window_calls, settings.quota_window_minutes) / 60
            self.notes.append(f"with this quota every score is asked again after about {hours:.1f} hours")
        in_rotation = not in_sweep and not scope.desired_counts and run.mode is not Mode.FULL
        if in_rotation and sum(free.values()) >= 2 * len(blocks):
            run = self._with_lost_count(run, blocks, sweep)
        schedule = schedule_calls(
            blocks,
            desired_counts=None if in_sweep else run.desired_counts,
            free=free,
            health=learnt.weights(deps.routing, run.slot_at),
            collectors=regions,
            sweep=sweep,
            now_at=run.slot_at,
            priorities=Priorities(regions=settings.priority_regions, instance_types=settings.priority_instance_types),
            wanted=self._still_wanted(pairs, run.desired_counts) if scope.resume else None,
        )
        return replace(run, desired_counts=schedule.desired_counts), schedule, sum(free.values())

    def _plan_blocks(self, pairs: Pairs) -> tuple[tuple[Block, ...], Sweep]:
        """The call plan for these pairs, and its sweep. Both are stored, unless the input named a part."""
        objects = self.deps.objects
        digest = sha256(orjson.dumps({region: sorted(sizes) for region, sizes in sorted(pairs.items())})).hexdigest()
        known = CALL_PLAN.read(objects, self.notes.append)
        if digest[:16] == known.pairs_digest:
            return known.blocks, SWEEP.read(objects, self.notes.append)
        if self.record.scope.filtered:
            return cover_pairs(pairs, effort_seconds=_PART_EFFORT_SECONDS).blocks, Sweep()
        blocks = cover_pairs(pairs, effort_seconds=self.deps.effort_seconds, start=known.blocks).blocks
        SWEEP.change(objects, lambda sweep: move_to_plan(sweep, known.blocks, blocks, pairs), self.notes.append)
        CALL_PLAN.write(objects, StoredPlan(pairs_digest=digest[:16], blocks=blocks), self.notes.append)
        return blocks, SWEEP.read(objects, self.notes.append)

    def _still_wanted(self, pairs: Pairs, counts: Sequence[int]) -> list[Wanted]:
        """Blocks of the pairs that the slot has no answer for, by count."""
        wanted: list[Wanted] = []
        for count in counts:
            left = self.answers.missing_pairs(pairs, count)
            blocks = cover_pairs(left, effort_seconds=_PART_EFFORT_SECONDS).blocks if left else ()
            wanted.extend(
                Wanted(block=block, block_id=block_id(block), count=count, age_minutes=None, urgency=0.0)
                for block in blocks
            )
        return wanted

    def _share_percent(self, production: Production) -> int:
        """Our share of the quota: the setting, or half where production may use it too."""
        return self.deps.settings.quota_share_percent or (50 if production.shares_quota else 100)

    def _with_counts(self, sweep: Sweep, production: Production, *, in_sweep: bool) -> Run:
        """The attempt with its counts. Notes say why they were chosen."""
        run, scope = self.record.run, self.record.scope
        if scope.desired_counts:
            return replace(run, desired_counts=scope.desired_counts)
        if scope.resume and self.answers.desired_counts:
            return replace(run, desired_counts=self.answers.desired_counts)
        if run.mode is Mode.FULL:
            return replace(run, desired_counts=(1,))
        if in_sweep:
            self.notes.append(f"the quota is short: desired count {sweep.desired_count} until its sweep is finished")
            return replace(run, desired_counts=(sweep.desired_count,))
        if production.index is None:
            self.notes.append(f"{production.ignored}; the desired count follows the timestamp")
            return replace(run, desired_counts=(count_of_slot(run.slot_at),))
        return replace(run, desired_counts=(DESIRED_COUNTS[production.index],))

    def _with_lost_count(self, run: Run, blocks: Sequence[Block], sweep: Sweep) -> Run:
        """The attempt with its own count and that of a lost slot."""
        lost = lost_count(sweep, [block_id(block) for block in blocks], run.desired_counts[0], run.slot_at)
        if lost is None:
            return run
        self.notes.append(f"desired count {lost} lost its turn: this run asks it too")
        return replace(run, desired_counts=(*run.desired_counts, lost))

    def _witnesses(self, memory: PriceMemory, regions: Sequence[str]) -> frozenset[str]:
        """Whose second witness is asked: of a whole incremental run, whose two listings are of one slot."""
        run, scope = self.record.run, self.record.scope
        if run.mode is Mode.FULL or scope.filtered or scope.resume:
            return frozenset()
        return memory.witnesses_due(filter(self.catalogue.pairs.get, regions), run.slot_at)

    def _later(self, run: Run, region: str, last_good: LastGood) -> tuple[Dataset, ...]:
        """Listings whose turn is a later slot. Who asks for a full run, or for a part, asks for all of it."""
        scope, settings = self.record.scope, self.deps.settings
        if run.mode is Mode.FULL or scope.filtered or scope.resume:
            return ()
        every = {Dataset.PRICE: settings.price_every_minutes, Dataset.EVICTION: settings.eviction_every_minutes}
        return tuple(
            dataset
            for dataset, minutes in every.items()
            if minutes > SLOT_MINUTES and not last_good.listing_is_due(region, dataset, run.slot_at, minutes)
        )

    def _item(self, run: Run, region: str, schedule: Schedule, share_percent: int, last_good: LastGood) -> WorkItem:
        scope, settings = self.record.scope, self.deps.settings
        known = self.catalogue.pairs.get(region, {})
        sizes = tuple(size for size in known if matches(size, scope.instance_types))
        due = last_good.ondemand_is_due(region, run.slot_at, settings.ondemand_refresh_hours)
        later = self._later(run, region, last_good)
        return WorkItem(
            region=region,
            instance_types=sizes,
            calls=schedule.calls[region],
            datasets=tuple(one for one in Dataset if one not in {*self.answers.whole.get(region, ()), *later}),
            later=later,
            fallback_locations=schedule.fallbacks,
            ondemand=run.mode is Mode.FULL or due,
            # No size of a never listed region is known. The merge drops sizes that were not asked for.
            filtered=bool(scope.instance_types) and bool(known),
            quota_share_percent=share_percent,
            last_good_rows=dict(last_good.rows.get(region, {})),
            whole_at=dict(last_good.collected_at.get(region, {})),
        )
