"""A merge publishes what a plain model of docs/data.md says. ``make differential`` tries many more histories."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.functional.differential.compare import differences, shortest, told
from tests.functional.differential.histories import DAMAGES, history
from tests.functional.differential.model import Pair, threshold
from tests.functional.differential.published import folded

SEED, HISTORIES, PARTS = 88, 60, 4  # a seed whose few histories come to every end


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
    assert any(row["instance_type"][0].islower() for row in rows)


def test_the_histories_come_to_every_end_of_a_value() -> None:
    ends = Counter[str]()
    for number in range(HISTORIES):
        tried = history(SEED, number)
        before: set[Pair] = set()
        for slot, _, archive in folded(tried.attempts, tried.patience):
            pairs = archive.pairs.values()
            ends["forgotten"] += len(before - archive.pairs.keys())
            before = set(archive.pairs)
            ends["retired"] += any(known.absence.days >= tried.patience.retire_days for known in pairs)
            values = [value for known in pairs for value in known.parts.values()]
            ends["unknown again"] += any(value.known is None and value.confirmed for value in values)
            ends["old"] += any(value.missed_looks and value.known is not None for value in values)
            zones = [zone for known in pairs for zone in known.zones.values()]
            ends["a fall of T3"] += any(threshold(zone, 3) == 1 and max(zone.seen) > 1 for zone in zones if zone.seen)
            ends["a zone without a score"] += any(not zone.seen and archive.slot == slot for zone in zones)
    assert len(ends) == 6
    assert min(ends.values()) > 5
