"""A history told twice: by the library's merge, and by the plain model of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.functional.differential import published
from tests.functional.differential.histories import REGIONS, History
from tests.functional.differential.model import Published, SlotRows
from tests.functional.differential.written import Merged


def differences(history: History) -> Iterator[str]:
    """What the library publishes otherwise than the model, value by value."""
    merged = Merged(history)
    for slot, slot_rows, archive in published.folded(history.attempts, history.patience):
        shown = published.snapshot(archive, slot_rows.count)
        yield from _unlike(f"snapshot of {slot}", merged.snapshot(slot), shown)
        found = merged.rows(slot)
        yield from _unlike_row(
            f"manifest of {slot}", {name: found[name] for name in counted(slot_rows)}, counted(slot_rows)
        )
    yield from _unlike("table", merged.items(), published.items(archive))
    codes = {name: code for code, name in REGIONS.items()}
    latest = {(codes.get(region, region), size, zone): row for (region, size, zone), row in merged.latest().items()}
    yield from _unlike("latest", latest, published.latest(archive))


def counted(rows: SlotRows) -> dict[str, int]:
    """Known values of a slot."""
    return {
        "sps": sum(score > 0 for score in rows.scores.values()),
        "price": sum("spot" in prices for prices in rows.prices.values()),
        "eviction": len(rows.rates),
        "unknown_zone_rows": rows.unknown_zones,
    }


def told(history: History) -> str:
    """A history as people read it."""
    lines = [f"{history.patience}, merged in the order {history.order}"]
    for place, one in enumerate(history.attempts):
        kind = f"count {one.count}, sizes {one.sizes}, resumes {one.resumes}, merged {one.merged}"
        lines.append(f"{place}: slot {one.slot}, attempt {one.number}, {kind}")
        for (dataset, region), shard in one.shards.items():
            lines.append(f"   {dataset} {region}: {shard.status}, {shard.damage or 'whole'}")
            lines += [f"      {' '.join(map(str, row.values()))}" for row in shard.rows]
    return "\n".join(lines)


def shortest(history: History) -> History:
    """The history without every attempt and shard that the difference does not need."""
    place = 0
    while place < len(history.attempts):
        fewer = _without(history, place)
        if fewer.order and any(differences(fewer)):
            history = fewer
            continue
        for what in list(history.attempts[place].shards):
            attempt = history.attempts[place]
            shards = {name: shard for name, shard in attempt.shards.items() if name != what}
            attempts = (*history.attempts[:place], replace(attempt, shards=shards), *history.attempts[place + 1 :])
            if any(differences(replace(history, attempts=attempts))):
                history = replace(history, attempts=attempts)
        place += 1
    return history


def _without(history: History, place: int) -> History:
    attempts = (*history.attempts[:place], *history.attempts[place + 1 :])
    order = tuple(one - (one > place) for one in history.order if one != place)
    return replace(history, attempts=attempts, order=order)


def _unlike(where: str, found: Published, wanted: Published) -> Iterator[str]:
    for workload in sorted(found.keys() | wanted.keys()):
        if workload not in found or workload not in wanted:
            yield f"{where}, {'#'.join(workload)}: {'missing' if workload in wanted else 'not to be there'}"
        else:
            yield from _unlike_row(f"{where}, {'#'.join(workload)}", found[workload], wanted[workload])


def _unlike_row(where: str, found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            yield f"{where}, {name}: {found.get(name)!r}, the model says {wanted.get(name)!r}"
