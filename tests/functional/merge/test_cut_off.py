"""An upsert that runs out of time: where it ended, and where the next one begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spotlake.state.merged_states import Cut, MergedStates
from tests.functional.merge.conftest import SIZE, World, head
from tests.functional.merge.test_committed import OTHER, THIRD, collected, new_world, table, world

__all__ = ["world"]


def test_an_upsert_that_is_cut_off_goes_on_where_it_ended(world: World) -> None:
    table(world).room = 2
    run = collected(world, 0)
    manifest = world.merge(run)
    assert (manifest["status"], manifest["items_left"], manifest["changed_rows"]) == ("partial", 1, 3)
    key = head(world).runs[0].key
    assert head(world).cut == Cut(key=key, begin=0, next=2)
    assert (head(world).begun, head(world).table_key) == ((key,), "")
    table(world).room = 1000
    manifest = world.merge(run)
    assert table(world).written == [[SIZE, OTHER], [THIRD]]
    assert (manifest["status"], manifest["items_left"], manifest["changed_rows"]) == ("complete", 0, 3)
    assert (head(world).cut, head(world).begun, head(world).table_key) == (None, (), key)


def test_an_upsert_that_is_cut_off_says_where(world: World) -> None:
    table(world).room = 2
    manifest = world.merge(collected(world, 0))
    assert (manifest["status"], manifest["items_left"], manifest["changed_rows"]) == ("partial", 1, 3)
    assert head(world).cut == Cut(key=head(world).runs[0].key, begin=0, next=2)
    assert (head(world).begun, head(world).table_key, head(world).table_version) == ((head(world).runs[0].key,), "", 0)


@pytest.mark.parametrize(("cut_key", "written"), [("own", [OTHER]), ("other", [OTHER, THIRD, SIZE])])
def test_a_merge_goes_on_after_the_last_cut(cut_key: str, written: list[str]) -> None:
    """The chain says that workloads from 2 around to 1 are written, of this state or of another one."""
    world = new_world(0)
    states = MergedStates(world.objects)
    key = states.head().runs[0].key
    cut = Cut(key=key if cut_key == "own" else "another", begin=2, next=1)
    states.replace_head(replace(states.head(), table_version=0, table_key="", begun=(), cut=cut))
    table(world).items.clear()
    world.merge(world.run(0))
    assert table(world).written == [written]
    assert replace(head(world), etag=None) == replace(
        states.head(), table_version=states.head().version, table_key=key, begun=(), cut=None, rewrite=False, etag=None
    )


def test_a_newer_state_begins_where_the_older_one_was_cut_off(world: World) -> None:
    table(world).room = 1
    world.merge(collected(world, 0))
    world.merge(collected(world, 1))
    old, new = (one.key for one in head(world).runs)
    assert head(world).cut == Cut(key=new, begin=1, next=2)
    assert head(world).begun == (old, new)
    table(world).room = 1000
    world.merge(collected(world, 2))
    assert table(world).written == [[SIZE], [OTHER], [THIRD, SIZE, OTHER]]
    assert (head(world).cut, head(world).begun) == (None, ())


def test_the_first_try_of_a_cut_state_begins_where_it_began(world: World) -> None:
    table(world).room = 1
    run = collected(world, 0)
    for end in (1, 2):
        world.merge(run)
        assert head(world).cut == Cut(key=head(world).runs[0].key, begin=0, next=end)
    world.merge(run)
    assert (table(world).written, head(world).cut) == ([[SIZE], [OTHER], [THIRD]], None)
