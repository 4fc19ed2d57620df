"""Items of workloads that a rebuild does not know, because it began at a slot with nothing older."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake_local.commands.rebuild import told
from tests.functional.merge.conftest import World, items
from tests.functional.merge.test_kills import _values
from tests.functional.rebuild.test_rebuild import SIZES, lose_the_chain, made_again, merge

GONE, LEFT = SIZES[:2]


@pytest.mark.parametrize("is_emptied", [True, False], ids=["the table is emptied", "the whole archive is folded"])
def test_what_is_left_is_told_and_both_ways_out_lead_out(*, is_emptied: bool) -> None:
    world, calm = World(), World()
    for one in (world, calm):
        merge(one, one.collected(0, spot=0.1, sizes=[GONE, LEFT], scores={"1": 3}))
        merge(one, one.collected(1, spot=0.2, sizes=[LEFT], scores={"1": 3}))
    lose_the_chain(world)
    rebuilt = made_again(world, 1)
    assert rebuilt.may_leave_items
    assert "not seen since then stay in the table" in told(rebuilt)
    merge(world, world.collected(2, spot=0.3, sizes=[LEFT], scores={"1": 3}))
    assert items(world)[GONE, "koreacentral#1"]["SpotPrice"] == 0.1  # as the words say
    if is_emptied:
        items(world).clear()
    rebuilt = made_again(world, None if is_emptied else 0, table=True)
    assert not is_emptied or not rebuilt.may_leave_items
    for one in (world, calm):
        if one is calm:
            merge(one, one.collected(2, spot=0.3, sizes=[LEFT], scores={"1": 3}))
        merge(one, one.collected(3, spot=0.4, sizes=[LEFT], scores={"1": 3}))
    found, expected = live(world), live(calm)
    if is_emptied:
        expected = {key: item for key, item in expected.items() if key[0] == LEFT}
    assert found == expected


def live(world: World) -> dict[Any, dict[str, Any]]:
    """Live items without who wrote them, and without beginnings, which may lie before the slot."""
    lost = ("Scores", "IFAt")
    found = {key: item for key, item in _values(items(world)).items() if "RetiredAt" not in item}
    return {key: {name: value for name, value in item.items() if name not in lost} for key, item in found.items()}


def test_a_rebuild_that_knows_the_table_or_something_older_leaves_nothing() -> None:
    world = World()
    for number in range(3):
        merge(world, world.collected(number, spot=0.1 + number, sizes=SIZES[: 3 - number], scores={"1": 3}))
    assert not made_again(world, 0).may_leave_items  # the chain says what the table shows
    assert not made_again(world, 2, table=True).may_leave_items
    lose_the_chain(world)
    assert not made_again(world).may_leave_items
