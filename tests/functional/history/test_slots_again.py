"""Which slots are written again, and from which state before each: read from the files that are left."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from spotlake.models import run_id_of
from spotlake.settings import Settings
from spotlake.state.history_files import HistoryFiles, frame_at
from spotlake.state.merged_states import MergedStates
from spotlake.stores.objects import MemoryObjects, StoredObject
from tests.functional.history.conftest import keep
from tests.functional.merge.conftest import FIRST, SIZE, World

OTHER = "Standard_E4s_v5"
TEN_MINUTES = timedelta(minutes=10)


class Counting(MemoryObjects):
    """Counts the reads of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.gets: Counter[str] = Counter()

    def get(self, key: str) -> StoredObject | None:
        self.gets[key] += 1
        return super().get(key)


def live_sizes(world: World, number: int) -> set[str]:
    """Sizes that the history says were live in a slot."""
    index, _ = HistoryFiles(world.objects).index()
    assert index is not None
    frame = frame_at(world.objects, index, FIRST + number * TEN_MINUTES)
    return {frame.texts[text] for text in frame["instance_type"].tolist()}


def test_a_slot_whose_state_before_was_replaced_is_written_again() -> None:
    world = World()
    for number in (0, 1):
        world.merge(world.collected(number, spot=0.01 + number / 1000))
    keep(world.objects)
    states = MergedStates(world.objects)
    head = states.head()
    first, second = head.runs
    copy = f"{first.key}.copy"
    stored = world.objects.get(first.key)
    assert stored is not None
    world.objects.put(copy, stored.body)
    states.replace_head(replace(head, runs=(replace(first, key=copy), second)))
    keep(world.objects)
    kept = HistoryFiles(world.objects).day(FIRST.date()).kept(run_id_of(FIRST + TEN_MINUTES))
    assert kept is not None
    assert kept.before == hashlib.sha256(copy.encode()).hexdigest()[:8]


def test_changes_begin_at_the_frame_that_was_kept_though_the_setting_is_another_one_now() -> None:
    world = World()
    world.merge(world.collected(0, sizes=(SIZE, OTHER)))
    for number in (288, 433):  # two and three days later one size is no longer listed
        world.merge(world.collected(number, sizes=(OTHER,)))
    keep(world.objects, settings=Settings(retire_after_days=30))
    assert live_sizes(world, 433) == {SIZE, OTHER}
    world.merge(world.collected(434, sizes=(OTHER,)))
    keep(world.objects, settings=Settings(retire_after_days=2))
    assert live_sizes(world, 434) == {OTHER}


def test_each_state_is_read_once() -> None:
    objects = Counting()
    world = World(objects)
    for number in range(3):
        world.merge(world.collected(number, spot=0.01 + number / 1000))
    objects.gets.clear()
    keep(objects)
    assert {run.key: objects.gets[run.key] for run in MergedStates(objects).head().runs} == {
        run.key: 1 for run in MergedStates(objects).head().runs
    }
