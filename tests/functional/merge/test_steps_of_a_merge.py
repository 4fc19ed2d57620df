"""The steps of a merge: what each hands to the next, with the steps themselves replaced."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from spotlake.errors import ConflictError, StoreError
from spotlake.merge.evidence import Patience
from spotlake.settings import Settings
from spotlake.stores.workloads import Upserted
from spotlake.usecases.merge import merge_run, read_shards
from spotlake.usecases.merge.write_files import Committed
from tests.functional.merge.conftest import FIRST, REGION, SIZE, head
from tests.functional.merge.test_committed import OTHER, SLOT, THIRD, collected, new_world, objects
from tests.functional.merge.test_parts_of_a_merge import part, read, two_slots, view
from tests.support.errors import says


def test_each_step_gets_what_the_one_before_made(monkeypatch: pytest.MonkeyPatch) -> None:
    world = two_slots()
    ticks = count(1)
    merge: Any = part(world, 1, monotonic=lambda: next(ticks) / 7)
    newest = view(world, 1)
    committed, told = Committed(head(world), newest, newest, 42), Upserted(written=9)
    steps: list[tuple[Any, ...]] = []

    def step(name: str, result: Any) -> Any:
        def do(*given: Any) -> Any:
            steps.append((name, *given))
            return result

        return do

    merge._commit = step("commit", committed)
    merge._figures = step("figures", "figures")
    merge._upsert = step("upsert", told)
    merge._write_files = step("files", ["a", "b"])
    monkeypatch.setattr(merge_run, "write_manifest", step("manifest", None))
    monkeypatch.setattr(merge_run, "compare_witnesses", step("witnesses", ["w"]))
    merged = merge.run_all()
    slot = merged.slot
    assert steps == [
        ("commit", slot), ("figures", committed), ("upsert", committed), ("files", committed, "figures"),
        ("witnesses", world.objects, slot), ("manifest", world.objects, merged, Settings()),
    ]  # fmt: skip
    assert (merged.run, merged.newest, merged.upserted) == (world.run(1), newest, told)
    assert (merged.outputs, merged.witnesses, merged.merged_at) == (["a", "b"], ["w"], FIRST + SLOT)
    assert merged.rows == {"sps": 3, "price": 3, "eviction": 3, "merged": 42}
    assert merged.listed == {REGION: [SIZE, OTHER, THIRD]}
    assert merged.seconds == {"read": 0.143, "fold": 0.143, "upsert": 0.143, "write": 0.143, "total": 1.286}
    assert [one.record.run.attempt for one in slot.attempts] == [2]
    assert slot.columns.counts()["price"] == 0  # freed


def test_the_chain_s_attempts_are_read_too() -> None:
    world = two_slots()
    collected(world, 1, attempt=9)
    for key in list(world.objects.keys("work/azure/2025/12/15/10-10/2/")):
        world.objects.delete(key)
    merge: Any = part(world, 1)
    merge.run = world.run(1, attempt=9)
    found: list[list[int]] = []

    def commit(slot: Any) -> Any:
        found.append([one.record.run.attempt for one in slot.attempts])
        raise ConflictError("enough")

    merge._commit = commit
    with pytest.raises(ConflictError):
        merge.run_all()
    assert found == [[2, 9]]


def test_after_a_conflict_the_rows_are_read_again_sixteen_times_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    world = two_slots()
    merge: Any = part(world, 1)
    slot = read(world, 1)
    asked: list[tuple[Any, ...]] = []
    real = read_shards.read_slot

    def read_slot(*given: Any) -> Any:
        asked.append(given)
        return real(*given)

    def commit_once(chain: Any, found: Any) -> Any:
        assert (chain, found.columns.counts()["price"]) == (head(world), 3)
        found.columns = type(found.columns)()
        raise ConflictError("quicker")

    monkeypatch.setattr(merge_run, "read_slot", read_slot)
    merge._commit_once = commit_once
    with says(StoreError, "state/azure/merged_chain.json: others replaced it 16 times in a row"):
        merge._commit(slot)
    assert asked == [(world.objects, FIRST + SLOT, [2])] * 16
    merge._commit_once = lambda *_: "done"
    assert merge._commit(slot) == "done"


def test_a_conflict_is_made_good_with_all_rows() -> None:
    world = new_world(0)
    collected(world, 1)
    merge = part(world, 1)
    states = merge.states
    objects(world).quicker = [lambda: states.change_head(lambda one: type(one)(**{**vars(one), "due": ("x",)}))]
    committed = merge._commit(read(world, 1))
    assert (committed.merged, committed.head.due[0], len(committed.head.runs)) == (3, "x", 2)


def test_a_table_whose_state_is_gone_is_left_to_the_newer_merge() -> None:
    world = two_slots()
    newest = view(world, 1)
    merge: Any = part(world, 1)

    def upsert_newest(_: Any) -> Any:
        raise ConflictError("gone")

    merge._upsert_newest = upsert_newest
    assert merge._upsert(Committed(head(world), newest, newest, 3)) == Upserted()


def test_files_are_written_of_what_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    class Writing:
        def __init__(self, **options: Any) -> None:
            given.append(options)

        def write(self) -> list[str]:
            return ["written"]

    monkeypatch.setattr(merge_run, "FilesWriting", Writing)
    world = two_slots()
    merge, newest = part(world, 1), view(world, 1)
    committed, figures = Committed(head(world), newest, newest, 3), Any
    assert merge._write_files(committed, figures) == ["written"]  # type: ignore[arg-type]
    assert given == [
        {
            "run": merge.run, "objects": world.objects, "states": merge.states, "settings": Settings(),
            "deadline": merge.deps.deadline, "committed": committed, "figures": figures,
        }
    ]  # fmt: skip


def test_folding_is_made_for_this_attempt_with_the_settings() -> None:
    world = two_slots()
    settings = Settings(absent_looks=9, absent_hours=3)
    merge = part(world, 1, settings=settings)
    refold = merge._refold(head(world))
    assert (refold.objects, refold.states, refold.clock) == (world.objects, merge.states, merge.deps.clock)
    assert (refold.deadline, refold.attempt, refold.monotonic) == (merge.deps.deadline, 2, merge.deps.monotonic)
    assert refold.patience == Patience.of(settings)
    state = merge.states.load(head(world).table_key)
    refold.on_loaded(state, head(world).table_key)
    assert merge.shown is not None
    assert merge.shown[0] == head(world).table_key
