"""Executions of one archive, one after the other or side by side: none takes from another, none counts twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from spotlake import keys
from spotlake.errors import InvalidInputError, RunInProgressError
from spotlake.models import DESIRED_COUNTS, Dataset, to_iso
from spotlake.settings import Settings
from spotlake.state.attempts import read_record
from spotlake.state.catalogue import read_catalogue
from spotlake.state.last_good import read_last_good
from spotlake.state.merged_states import MergedStates
from spotlake.state.sweep import read_sweep
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.prepare_work import prepare_collection
from tests.functional.archive.archive import REGIONS, SIZES, Archive, regions_of, run_of

SLOT = timedelta(minutes=10)


@pytest.fixture
def archive() -> Archive:
    """An archive that has listed its regions."""
    archive = Archive()
    archive.run(mode="incremental")
    archive.clock.advance(minutes=10)
    return archive


def counts_asked(archive: Archive, since: int = 0) -> list[int]:
    """By Azure's record: the desired counts of its calls, in order, each once in a row."""
    asked = [seen.desired_count for seen in archive.bench.azure.seen[since:]]
    return [count for number, count in enumerate(asked) if number == 0 or asked[number - 1] != count]


def cycle(archive: Archive, slots: int = len(DESIRED_COUNTS)) -> None:
    for _ in range(slots):
        archive.run(mode="incremental")
        archive.clock.advance(minutes=10)


def test_the_count_of_a_lost_slot_is_asked_by_the_next_one(archive: Archive) -> None:
    cycle(archive)
    lost = DESIRED_COUNTS[counts_after(archive)]
    archive.clock.advance(minutes=10)  # no run in this slot
    before = len(archive.bench.azure.seen)
    manifest = archive.run(mode="incremental")
    own = DESIRED_COUNTS[(DESIRED_COUNTS.index(lost) + 1) % len(DESIRED_COUNTS)]
    assert manifest["desired_counts"] == [own, lost]
    assert set(counts_asked(archive, before)) == {own, lost}
    archive.clock.advance(minutes=10)
    assert len(archive.run(mode="incremental")["desired_counts"]) == 1


def counts_after(archive: Archive) -> int:
    """Place in the rotation of the present slot's count: eleven slots ago it was asked."""
    asked_at = to_iso(archive.clock.now() - len(DESIRED_COUNTS) * SLOT)
    answered = read_sweep(archive.objects).answered
    (count,) = [count for count, blocks in answered.items() if set(blocks.values()) == {asked_at}]
    return DESIRED_COUNTS.index(count)


def test_after_a_pause_no_count_waits_longer_than_half_a_cycle(archive: Archive) -> None:
    cycle(archive)
    archive.clock.advance(hours=30)
    before = len(archive.bench.azure.seen)
    cycle(archive, 6)
    assert set(counts_asked(archive, before)) == set(DESIRED_COUNTS)


def test_a_lost_turn_displaces_no_count_when_the_quota_is_just_enough() -> None:
    archive = Archive(settings=Settings(quota_share_percent=20))
    archive.bench.subscriptions = ("sub-a",)
    for _ in range(12):
        archive.run(mode="incremental")
        archive.clock.advance(minutes=10)
    assert archive.bench.azure.refused == 0


def test_a_slot_started_again_two_hours_later_has_the_quota_of_now(archive: Archive) -> None:
    archive.killed = {Dataset.SPS}
    slot_at = archive.clock.now()
    assert archive.run(mode="incremental")["coverage"]["sps"] == 0.0
    archive.killed = set()
    archive.clock.advance(minutes=20)
    cycle(archive)
    sent = len(archive.bench.azure.told)
    manifest = archive.run(timestamp=to_iso(slot_at), resume=True, past=True)
    assert len(archive.bench.azure.told) - sent == len(REGIONS) * len(SIZES) // 9  # one call covers them all
    assert (manifest["coverage"]["sps"], manifest["status"]) == (100.0, "complete")


def test_an_old_slot_is_refused_unless_it_is_asked_for_knowingly(archive: Archive) -> None:
    with pytest.raises(InvalidInputError, match="past: true, at the command line --past"):
        archive.begin(timestamp=to_iso(archive.clock.now() - timedelta(hours=2)))


class OvertakenOnce(MemoryObjects):
    """At the first write of a key, somebody else is quicker."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = ""
        self.quicker: Callable[[], object] = dict

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if key == self.watched:
            self.watched = ""
            self.quicker()
        return super().put(key, body, **options)


@pytest.mark.parametrize("key", [keys.SWEEP, keys.LAST_GOOD, keys.CATALOGUE, keys.MERGED_CHAIN])
def test_two_merges_at_once_both_stand_in_every_document(key: str) -> None:
    objects = OvertakenOnce()
    archive = Archive(store=objects)
    archive.run(mode="incremental")
    ended = []
    for count in (15, 20):
        archive.clock.advance(minutes=10)
        owner, planned = archive.begin(mode="incremental", desired_count=count)
        archive.listed["eastus"] = (*archive.listed["eastus"], f"Standard_D{count}s_v5")
        ended.append((run_of(planned), archive.collect(run_of(planned), regions_of(planned))))
        archive.claims.release(owner=owner)
    objects.quicker = lambda: archive.merge(*ended[1])
    objects.watched = key
    archive.merge(*ended[0])
    assert not objects.watched
    answered = read_sweep(objects).answered
    assert all(answered[count] for count in (15, 20))
    assert read_last_good(objects).rows["eastus"]["spot_price"] == len(SIZES) + 2
    catalogue = read_catalogue(objects)
    assert catalogue is not None
    assert {"Standard_D15s_v5", "Standard_D20s_v5"} <= {*catalogue.pairs["eastus"]}
    assert [one.run_id[-5:-1] for one in MergedStates(objects).head().runs] == ["0000", "0010", "0020"]


def test_a_second_run_of_everything_at_once_is_skipped(archive: Archive) -> None:
    archive.begin(mode="incremental")
    with pytest.raises(RunInProgressError, match="is being collected"):
        archive.run(mode="incremental")


def test_a_part_by_hand_changes_no_region_s_expected_rows(archive: Archive) -> None:
    before = read_last_good(archive.objects)
    archive.run(instance_types=[SIZES[0]])
    after = read_last_good(archive.objects)
    assert (after.rows, after.ondemand_at) == (before.rows, before.ondemand_at)


def test_a_late_slot_s_row_counts_replace_no_newer_ones(archive: Archive) -> None:
    owner, late = archive.begin(mode="incremental")
    archive.claims.release(owner=owner)
    archive.listed["eastus"] = SIZES[:1]
    failures = archive.collect(run_of(late), regions_of(late))
    archive.listed["eastus"] = SIZES
    archive.clock.advance(minutes=10)
    archive.run(mode="incremental")
    archive.merge(run_of(late), failures)
    assert read_last_good(archive.objects).rows["eastus"]["spot_price"] == len(SIZES)


def test_what_a_full_run_asks_at_further_counts_is_accounted_for() -> None:
    archive = Archive(listed={region: tuple(f"Standard_D{number}s_v5" for number in range(60)) for region in REGIONS})
    archive.run(mode="incremental")
    archive.clock.advance(minutes=10)
    archive.killed = {Dataset.SPS}
    archive.run(mode="incremental", desired_count=5)
    archive.killed = set()
    failed = read_sweep(archive.objects).failed[5]
    archive.clock.advance(minutes=10)
    _, planned = archive.begin(mode="full")
    run, catalogue = run_of(planned), read_catalogue(archive.objects)
    assert catalogue is not None
    record = read_record(archive.objects, run.slot_at, run.attempt)
    work = prepare_collection(record, catalogue, archive.prepare_deps()).work  # as its job does
    assert (run.desired_counts, work.run.desired_counts) == ((1,), (1, 5))
    manifest = archive.merge(run, archive.collect(run, list(work.items)))
    assert manifest["desired_counts"] == [1, 5]
    left = read_sweep(archive.objects).failed[5]
    assert len(left) == len(failed) - 1  # no run grows by more than a tenth
