"""A day of runs under quota: ``python -m benchmarks.simulated_day`` prints one table for each number of subscriptions.

Plans, schedules, reserves and sends as the collector does, on a virtual clock and without a network. A counter
of its own enforces Azure's quota: it sees only what arrives, and refuses the eleventh call of a pair
(subscription, routing location) within any 60 minutes. Runs before the day bring the collector to where it
would be after weeks. Exit code 1 when a call was refused, or a score at count 1 was too old.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from benchmarks.planning import CATALOGUE
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES, ScoreCall
from spotlake.planning.cover import Block, cover_pairs
from spotlake.planning.rotation import count_of_slot
from spotlake.planning.schedule import Schedule, schedule_calls
from spotlake.planning.sweep import Sweep, age_minutes, block_id, cycle_minutes, record_answers, slots_of_window
from spotlake.planning.urgency import Priorities
from spotlake.scores.quota import QuotaRules
from spotlake.stores.ledger import MemoryLedger
from spotlake_local.commands.plan_calls import read_catalogue

RUNS_A_DAY = 144
AZURE_CALLS, AZURE_WINDOW = 10, timedelta(minutes=60)
WINDOW_MINUTES = 62
OLDEST_SHARE_ALLOWED = 1.1  # of what the quota allows in theory
_FIRST_AT = datetime(2025, 12, 1, tzinfo=UTC)
_LATEST_START_SECONDS = 240.0  # how long after its slot a collector may begin to send
_SEED = 20251215


@dataclass
class EnforcedQuota:
    """Azure's side: counts the calls that arrive, and refuses those over the quota."""

    arrived: dict[tuple[str, str], deque[datetime]] = field(default_factory=lambda: defaultdict(deque))
    refused: int = 0

    def ask(self, subscription: str, location: str, at: datetime) -> bool:
        """Whether a call that arrives now is answered."""
        times = self.arrived[subscription, location]
        while times and times[0] <= at - AZURE_WINDOW:
            times.popleft()
        if len(times) >= AZURE_CALLS:
            self.refused += 1
            return False
        times.append(at)
        return True


@dataclass
class Day:
    """The result of a day.

    Attributes:
        subscriptions: Number of subscriptions.
        runs: Number of runs, before the day and in it.
        calls, pairs: Sent in the day, and the pairs of the catalogue scored by them.
        refused: Number of calls refused in all runs.
        ages: Count -> age in minutes of every block's score at the end of every run of the day.
        oldest: Count -> the greatest age after any run that followed the first whole cycle, before or in the day.
        theory_minutes: What the quota allows in theory: ``sweep.cycle_minutes``, and at least one rotation.
        seconds: Duration of the simulation.
    """

    subscriptions: int
    runs: int = 0
    calls: int = 0
    pairs: int = 0
    refused: int = 0
    ages: dict[int, Counter[float]] = field(default_factory=lambda: defaultdict(Counter))
    oldest: Counter[int] = field(default_factory=Counter)
    theory_minutes: int = 0
    seconds: float = 0.0


class Collector:
    """The parts that decide, put together as plan, collect and finish do it."""

    def __init__(self, blocks: Sequence[Block], locations: Sequence[str], subscriptions: int, failing: float) -> None:
        self.blocks, self.locations = blocks, locations
        self.subscriptions = [f"subscription-{number:03d}" for number in range(subscriptions)]
        self.failing = failing
        self.rules = QuotaRules.of(quota_calls=AZURE_CALLS, window_minutes=WINDOW_MINUTES)
        self.window_calls = len(locations) * subscriptions * self.rules.calls
        self.short = len(blocks) > self.window_calls // slots_of_window(WINDOW_MINUTES)
        self.ledger, self.azure, self.sweep = MemoryLedger(), EnforcedQuota(), Sweep()
        self.names = [block_id(block) for block in blocks]
        self.rng = Random(_SEED)  # noqa: S311 - the same day every time

    def run(self, slot_at: datetime) -> tuple[Schedule, set[str]]:
        """One run; returns what was scheduled and the ids of the calls that were answered."""
        counts = self._counts(slot_at)
        schedule = schedule_calls(
            self.blocks,
            desired_counts=counts,
            free=self.ledger.free(self.locations, now_at=slot_at, subscriptions=self.subscriptions, rules=self.rules),
            health={},
            collectors=self.locations,
            sweep=self.sweep,
            now_at=slot_at,
            priorities=Priorities(),
        )
        answered: set[str] = set()
        for calls in schedule.calls.values():
            answered |= self._send(calls, slot_at + timedelta(seconds=self.rng.random() * _LATEST_START_SECONDS))
        self._fold(schedule, answered, slot_at)
        return schedule, answered

    def _counts(self, slot_at: datetime) -> tuple[int, ...] | None:
        if slot_at.hour == slot_at.minute == 0:
            return (1,)  # the day's full run
        return None if self.short else (count_of_slot(slot_at),)

    def _send(self, calls: Iterable[ScoreCall], at: datetime) -> set[str]:
        """Reserve and send, each call as late as its right lasts or at once; some get no answer."""
        by_location: dict[str, list[ScoreCall]] = defaultdict(list)
        for call in calls:
            by_location[call.location].append(call)
        answered = set()
        for location, own in by_location.items():
            rights = self.ledger.reserve(
                location, len(own), now_at=at, subscriptions=self.subscriptions, rules=self.rules
            )
            names = [right.subscription for right in rights for _ in range(right.calls)]
            sent = sorted(at + timedelta(seconds=self.rng.random() * self.rules.usable_seconds) for _ in names)
            for call, name, when in zip(own, names, sent, strict=False):
                if self.azure.ask(name, location, when) and self.rng.random() >= self.failing:
                    answered.add(call.call_id)
        return answered

    def _fold(self, schedule: Schedule, answered: set[str], slot_at: datetime) -> None:
        for count in schedule.desired_counts:
            own = {call: block for call, block in schedule.blocks.items() if call.endswith(f"-{count}")}
            self.sweep = record_answers(
                self.sweep,
                slot_at=slot_at,
                count=count,
                answered=[block for call, block in own.items() if call in answered],
                failed=[block for call, block in own.items() if call not in answered],
                plan=self.names,
            )


def simulate(pairs: Mapping[str, set[str]], blocks: Sequence[Block], *, subscriptions: int, failing: float) -> Day:
    """Run until every score has been asked twice (at least a day long), then one more day."""
    began = time.perf_counter()
    locations = sorted(pairs)
    collector = Collector(blocks, locations, subscriptions, failing)
    inside = {
        name: sum(size in pairs[region] for region in block.regions for size in block.instance_types)
        for name, block in zip(collector.names, blocks, strict=True)
    }
    rotation = len(DESIRED_COUNTS) * SLOT_MINUTES
    cycle = cycle_minutes(len(blocks), collector.window_calls, WINDOW_MINUTES) if collector.short else rotation
    day = Day(subscriptions, theory_minutes=cycle)
    first_whole = -(-cycle // SLOT_MINUTES) * 5 // 4 + RUNS_A_DAY // 4
    before = first_whole + max(RUNS_A_DAY, cycle * 5 // 4 // SLOT_MINUTES)
    day.runs = before + RUNS_A_DAY
    for number in range(day.runs):
        slot_at = _FIRST_AT + timedelta(minutes=number * SLOT_MINUTES)
        schedule, answered = collector.run(slot_at)
        if number >= before:
            day.calls += schedule.planned
            day.pairs += sum(inside[schedule.blocks[call]] for call in answered)
        if number >= first_whole:
            _note_ages(day, collector, slot_at, in_day=number >= before)
    day.refused = collector.azure.refused
    day.seconds = time.perf_counter() - began
    return day


def _note_ages(day: Day, collector: Collector, slot_at: datetime, *, in_day: bool) -> None:
    for count in DESIRED_COUNTS:
        slots = Counter(collector.sweep.answered_at(name, count) for name in collector.names)
        ages = {age_minutes(slot, slot_at): number for slot, number in slots.items()}
        known = {age: number for age, number in ages.items() if age is not None}
        day.oldest[count] = max(day.oldest[count], int(max(known)) if len(known) == len(ages) else sys.maxsize)
        if in_day:
            day.ages[count].update(known)


def _median(ages: Counter[float]) -> float:
    half, seen = ages.total() / 2, 0
    for age in sorted(ages):
        seen += ages[age]
        if seen >= half:
            return age
    return 0.0


def _print(day: Day, console: Console) -> None:
    title = (
        f"{day.subscriptions} subscriptions: {day.calls:,} calls, {day.pairs:,} scores of pairs, "
        f"{day.refused} refused; allowed in theory {day.theory_minutes} min ({day.runs} runs, {day.seconds:.0f} s)"
    )
    table = Table("desired count", "median age, min", "oldest in the day", "oldest ever", "of theory", title=title)
    for column in table.columns:
        column.justify = "right"
    for count in DESIRED_COUNTS:
        ages, oldest = day.ages[count], day.oldest[count]
        share = f"{oldest / day.theory_minutes:.2f}"
        table.add_row(str(count), f"{_median(ages):.0f}", f"{max(ages, default=0):.0f}", str(oldest), share)
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.simulated_day", description="Simulate a day of runs under quota.")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="csv or csv.gz (default: the simulator's)")
    parser.add_argument("--subscriptions", type=int, nargs="+", default=[1, 3, 20, 200], metavar="N")
    parser.add_argument("--failing-percent", type=float, default=0.0, help="calls that get no answer (default: 0)")
    arguments = parser.parse_args()
    pairs, _ = read_catalogue(arguments.catalogue)
    blocks = cover_pairs(pairs).blocks
    console, good = Console(width=110), True
    console.print(
        f"{len(blocks):,} calls cover {sum(map(len, pairs.values())):,} pairs; {len(pairs)} routing locations"
    )
    for number in arguments.subscriptions:
        day = simulate(pairs, blocks, subscriptions=number, failing=arguments.failing_percent / 100)
        _print(day, console)
        good &= day.refused == 0 and day.oldest[1] <= OLDEST_SHARE_ALLOWED * day.theory_minutes
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
