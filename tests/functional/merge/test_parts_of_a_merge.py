"""Parts of a merge by themselves: what is committed, compared, upserted and counted, each with what it is handed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from spotlake.clock import Deadline
from spotlake.merge.view import View
from spotlake.state.merged_states import Cut, Head, MergedStates
from spotlake.stores.workloads import Upserted
from spotlake.usecases.merge import merge_run
from spotlake.usecases.merge.merge_run import _Merge
from spotlake.usecases.merge.read_shards import read_slot
from spotlake.usecases.merge.write_files import Committed
from tests.functional.merge.conftest import FIRST, SIZE, World, head
from tests.functional.merge.test_committed import SLOT, collected, deps, new_world, objects, table


@cache
def _stored() -> dict[str, bytes]:
    world = new_world()
    world.merge(collected(world, 0, sizes=(SIZE,)))
    world.merge(collected(world, 1, count=5))
    return objects(world).objects


def two_slots() -> World:
    """One workload after slot 0, three after slot 1."""
    world = new_world()
    objects(world).objects.update(_stored())
    return world


def part(world: World, number: int, **changes: Any) -> _Merge:
    return _Merge(world.run(number), deps(world, world.run(number), **changes))


def view(world: World, place: int) -> View:
    return View.of(MergedStates(world.objects).load(head(world).runs[place].key), 14)


def read(world: World, number: int) -> Any:
    return read_slot(world.objects, FIRST + number * SLOT, [number + 1])


@pytest.mark.parametrize(("number", "merged", "is_newest"), [(0, 1, False), (1, 3, True)])
def test_what_is_seen_of_a_slot_that_is_merged_already(number: int, merged: int, *, is_newest: bool) -> None:
    world = two_slots()
    before = head(world)
    committed = part(world, number)._commit_once(before, read(world, number))
    assert (committed.head, committed.merged, committed.newest.live_count) == (before, merged, 3)
    assert (committed.own is committed.newest) == is_newest
    assert (committed.own is None) != is_newest


def test_a_slot_older_than_a_full_chain_is_seen_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_run, "REMEMBERED_RUNS", 2)
    world = new_world(1, 2)
    collected(world, 0, sizes=(SIZE,), scores={"1": 3, "2": 1})
    before = head(world)
    committed = part(world, 0)._commit_once(before, read(world, 0))
    assert (committed.head, head(world)) == (before, before)
    assert committed.own is not None
    assert (committed.own.live_count, committed.merged, committed.newest.live_count) == (2, 2, 3)
    assert committed.newest.state.slot == committed.own.state.slot + 2
    monkeypatch.setattr(merge_run, "REMEMBERED_RUNS", 3)
    assert len(part(world, 0)._commit_once(before, read(world, 0)).head.runs) == 3  # the chain has room


def test_a_newer_slot_is_committed_and_is_its_own_newest() -> None:
    world = two_slots()
    collected(world, 2, sizes=(SIZE,))
    committed = part(world, 2)._commit_once(head(world), read(world, 2))
    assert committed.head == head(world)
    assert objects(world).reads[head(world).runs[2].key] == 0  # it is in memory
    assert committed.own is committed.newest
    assert [one.attempts for one in committed.head.runs] == [(1,), (2,), (3,)]


# -- figures -----------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def view_figures(own: View, before: View | None, count: int, shown: Any) -> str:
        calls.append((own, before.live_count if before else None, count, shown("Ab")))
        return "figures"

    monkeypatch.setattr(merge_run, "view_figures", view_figures)
    return calls


@pytest.mark.parametrize("is_shown", [True, False])
def test_figures_compare_the_newest_slot_with_the_one_before(counted: list[tuple[Any, ...]], *, is_shown: bool) -> None:
    world = two_slots()
    newest = view(world, 1)
    merge = part(world, 1)
    if is_shown:
        merge.shown = head(world).runs[0].key, view(world, 0)
        world.objects.delete(head(world).runs[0].key)
    found: Any = merge._figures(Committed(head(world), newest, newest, 3))
    assert found == {"before": "20251215T1000Z", "figures": "figures"}
    assert counted == [(newest, 1, 5, "Ab")]


def test_figures_of_the_first_slot_compare_with_nothing(counted: list[tuple[Any, ...]]) -> None:
    world = two_slots()
    first = view(world, 0)
    chain = replace(head(world), runs=head(world).runs[:1])
    found: Any = part(world, 0)._figures(Committed(chain, first, first, 1))
    assert (found, counted) == ({"before": None, "figures": "figures"}, [(first, None, 1, "Ab")])


def test_figures_are_not_counted_of_late_slots_nor_when_they_fail(
    monkeypatch: pytest.MonkeyPatch, counted: list[tuple[Any, ...]]
) -> None:
    world = two_slots()
    newest, first = view(world, 1), view(world, 0)
    for own in (None, first):
        assert part(world, 0)._figures(Committed(head(world), newest, own, 1)) is None
    assert counted == []
    monkeypatch.setattr(merge_run, "view_figures", lambda *_: 1 / 0)
    assert part(world, 1)._figures(Committed(head(world), newest, newest, 3)) is None


# -- the table ---------------------------------------------------------------------------------------


class Compared:
    """Stands for the changes between two views: five of them, numbered 7, 17, 27, ..."""

    made: list[tuple[Any, ...]]

    def __init__(self, before: View | None, after: View, writing: Any, *, begun: Iterator[View], rewrite: bool) -> None:
        live = before.live_count if before else None
        told = (writing.run_id, writing.version, writing.ttl_days)
        Compared.made.append((live, after.live_count, told, [one.live_count for one in begun], rewrite))

    def beginning_at(self, number: int, *, done_from: int | None) -> Compared:
        Compared.made.append((number, done_from))
        return self

    def number(self, place: int) -> int:
        return 7 + 10 * place

    def __len__(self) -> int:
        return 5


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    two_slots()  # merged once for all tests, by the true changes
    Compared.made = []
    monkeypatch.setattr(merge_run, "Changes", Compared)
    return Compared.made


def upsert(world: World, done: int = 5, *, begun: tuple[str, ...] = (), **chain: Any) -> Upserted:
    """Upsert the newest state of two slots, over a chain with these fields."""
    states = MergedStates(world.objects)
    fields = {"table_version": 0, "table_key": "", "begun": begun, "cut": None, "rewrite": False, **chain}
    before = states.replace_head(replace(states.head(), **fields))
    told = Upserted(done=done, left=5 - done, overtaken=3, written=done)
    table(world).upsert = lambda *_, **__: told  # type: ignore[method-assign]
    newest = view(world, 1)
    return part(world, 1)._upsert(Committed(before, newest, newest, 3))


def test_changes_are_those_between_what_the_table_shows_and_the_newest(changes: list[tuple[Any, ...]]) -> None:
    world = two_slots()
    first, second = (one.key for one in head(world).runs)
    version = head(world).version
    assert upsert(world, table_key=first) == Upserted(done=5, written=5, overtaken=3)
    assert changes == [(1, 3, ("20251215T1010Z", version, 90), [], False)]
    assert replace(head(world), etag=None) == Head(
        version=version, runs=head(world).runs, table_version=version, table_key=second
    )


def test_what_others_may_have_written_is_looked_at_too(changes: list[tuple[Any, ...]]) -> None:
    world = two_slots()
    first, second = (one.key for one in head(world).runs)
    assert upsert(world, begun=(first, second)).overtaken == 0  # an earlier try of this merge explains it
    assert changes[0][0] is None
    assert changes[0][3:] == ([1, 3], False)
    other = two_slots()
    assert upsert(other, begun=(first,)).overtaken == 3
    assert changes[1][3:] == ([1], False)
    whole = two_slots()
    upsert(whole, rewrite=True)
    assert changes[2][3:] == ([], True)
    assert head(whole).rewrite is False


@pytest.mark.parametrize(("is_own", "done_from", "begin"), [(True, 2, 2), (False, None, 7)])
def test_an_upsert_begins_where_the_last_one_was_cut_off(
    changes: list[tuple[Any, ...]], done_from: int | None, begin: int, *, is_own: bool
) -> None:
    world = two_slots()
    key = head(world).runs[1].key
    assert upsert(world, 3, cut=Cut(key=key if is_own else "another", begin=2, next=4)).left == 2
    assert changes[1] == (4, done_from)
    assert head(world).cut == Cut(key=key, begin=begin, next=37)
    assert (head(world).table_key, head(world).begun) == ("", (key,))


def test_a_first_upsert_that_is_cut_off_says_where(changes: list[tuple[Any, ...]]) -> None:
    world = two_slots()
    upsert(world, 1)
    assert len(changes) == 1
    assert head(world).cut == Cut(key=head(world).runs[1].key, begin=7, next=17)


def test_a_table_that_shows_this_state_or_a_newer_one_is_left(changes: list[tuple[Any, ...]]) -> None:
    world = two_slots()
    assert upsert(world, table_version=head(world).version) == Upserted()
    states, newest = MergedStates(world.objects), view(world, 1)
    older = head(world)
    states.replace_head(replace(older, version=older.version + 1, table_version=0))
    assert part(world, 1)._upsert(Committed(replace(older, table_version=0), newest, newest, 3)) == Upserted()
    assert changes == []


def test_the_view_that_the_table_shows_is_kept_from_folding_or_read_again() -> None:
    world = two_slots()
    first, merge = head(world).runs[0].key, part(world, 1)
    kept = view(world, 0)
    merge.shown = first, kept
    assert merge._before(first) is kept
    assert merge.shown is None  # freed
    again = merge._before(first)
    assert again is not None
    assert again is not kept
    assert again.live_count == 1
    assert merge._before("") is None
    merge.shown = "another", kept
    assert merge._before(first) is not kept


def test_a_state_that_the_table_shows_is_kept_beside_the_one_that_changes() -> None:
    world = two_slots()
    merge, state = part(world, 1), MergedStates(world.objects).load(head(world).runs[1].key)
    merge._keep_shown(state, "another", head(world))
    assert merge.shown is None
    merge._keep_shown(state, head(world).table_key, head(world))
    assert merge.shown is not None
    key, kept = merge.shown
    assert (key, kept.live_count, kept.state is state) == (head(world).table_key, 3, False)


def test_the_table_has_fifteen_seconds_less_than_the_process() -> None:
    world = two_slots()
    seconds: list[float] = []
    states = MergedStates(world.objects)
    before = states.replace_head(replace(states.head(), table_version=0))

    def upsert(changes: Any, *, deadline: Deadline) -> Upserted:
        seconds.append(deadline.seconds_left())
        return Upserted(done=len(changes))

    table(world).upsert = upsert  # type: ignore[method-assign]
    newest = view(world, 1)
    part(world, 1, deadline=Deadline(lambda: 40.0))._upsert(Committed(before, newest, newest, 3))
    assert seconds == [25.0]
