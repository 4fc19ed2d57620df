"""A merge publishes what a plain model of docs/data.md says. ``make differential`` tries many more histories."""

from __future__ import annotations

import pytest

from tests.functional.differential.compare import differences, shortest, told
from tests.functional.differential.histories import DAMAGES, history

SEED, HISTORIES, PARTS = 20, 60, 4


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_published_is_what_the_model_says(part: int) -> None:
    for number in range(part, HISTORIES, PARTS):
        tried = history(SEED, number)
        if any(differences(tried)):
            fewest = shortest(tried)
            pytest.fail("\n".join([f"history {number} of seed {SEED}", told(fewest), *differences(fewest)]))


def test_the_histories_hold_what_a_merge_has_to_bear() -> None:
    tried = [history(SEED, number) for number in range(HISTORIES)]
    attempts = [attempt for one in tried for attempt in one.attempts]
    shards = [shard for attempt in attempts for shard in attempt.shards.values()]
    rows = [row for shard in shards for row in shard.rows]
    assert {shard.damage for shard in shards} == {"", *DAMAGES}
    assert {shard.status for shard in shards} == {"complete", "partial", "failed"}
    assert any(attempt.sizes for attempt in attempts)
    assert not all(attempt.merged for attempt in attempts)
    slots = [[one.attempts[place].slot for place in one.order] for one in tried]
    assert any(order != sorted(order) for order in slots)  # late slots
    assert any(len(one.order) > len(set(one.order)) for one in tried)  # merged twice
    assert any(len(one.attempts) > len({attempt.slot for attempt in one.attempts}) + 1 for one in tried)
    assert {row.get("zone") for row in rows if "zone" in row} == {"1", "2", "3", "Single", None, "7"}
    assert any(row["instance_type"].islower() for row in rows)
