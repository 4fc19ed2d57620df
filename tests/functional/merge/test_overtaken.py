"""A merge whose states a newer merge has deleted: the table is the newer one's, and the run ends well."""

from __future__ import annotations

import pytest

from spotlake import keys
from spotlake.errors import ConflictError
from spotlake.state.merged_states import MergedStates
from spotlake.usecases.merge import merge_run
from tests.functional.merge.conftest import World, latest


def test_a_state_that_is_gone_when_the_table_is_written_stops_no_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def gone(_: MergedStates, key: str) -> None:
        begun.append(key)
        raise ConflictError(key)

    run = world.collected(0, scores={"1": 3})
    monkeypatch.setattr(merge_run._Merge, "_before", gone)
    world.merge(run)
    assert len(begun) == 1
    assert latest(world)
    assert world.objects.get(keys.manifest(run.slot_at)) is not None
