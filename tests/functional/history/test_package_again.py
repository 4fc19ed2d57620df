"""When the data package is made anew."""

from __future__ import annotations

import pytest

from spotlake import keys
from spotlake.published import columns
from tests.functional.history.conftest import keep
from tests.functional.history.test_what_it_leaves import store, world_of


def test_the_package_is_made_anew_on_the_same_day_when_a_column_is_described_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(0, 1)
    keep(world.objects)
    keep(world.objects)
    assert store(world).puts.count(keys.DATA_PACKAGE) == 1
    monkeypatch.setattr(columns, "CHANGES", columns.CHANGES[:-1])
    keep(world.objects)
    assert store(world).puts.count(keys.DATA_PACKAGE) == 2
