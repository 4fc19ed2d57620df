"""No cell of a snapshot is a formula for the spreadsheet that opens it."""

from __future__ import annotations

import pytest

from tests.functional.merge.conftest import World, snapshot


@pytest.mark.parametrize("odd", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_a_name_that_a_spreadsheet_would_run_is_text(odd: str) -> None:
    world = World()
    size = f"Standard_{odd}"
    run = world.collected(0, scores={"1": 3}, sizes=[size])
    world.merge(run)
    (row,) = snapshot(world, 0)
    assert row["InstanceType"] == f"'{odd}"
    ours = {name: one for name, one in row.items() if one != "-1"}  # a score or a time that is not known
    assert not [one for one in ours.values() if one.startswith(("=", "+", "-", "@", "\t"))]
