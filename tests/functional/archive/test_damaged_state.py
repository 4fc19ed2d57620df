"""Whatever happens to memory and advice, the next run collects; truth is never started empty."""

from __future__ import annotations

import gzip
import importlib
import pkgutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from spotlake import keys, state
from spotlake.errors import DamagedStateError
from spotlake.models import to_iso
from spotlake.state.kinds import Memory
from spotlake.usecases.rebuild.rebuild import RebuildDeps, rebuild
from tests.functional.archive.archive import SIZES, Archive, regions_of, run_of
from tests.functional.archive.year import newest_state

DOCUMENTS = {
    document.key: document
    for module in pkgutil.iter_modules(state.__path__)
    for document in vars(importlib.import_module(f"spotlake.state.{module.name}")).values()
    if isinstance(document, Memory)
}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda body: body[: len(body) // 2],
    "empty": lambda _: b"",
    "not json": lambda _: gzip.compress(b"<html>"),
    "newer schema": lambda _: gzip.compress(b'{"schema": 99}'),
    "no fields": lambda _: gzip.compress(b'{"schema": 1}'),
    "other types": lambda _: gzip.compress(b'{"schema": 1, "pairs": 3, "answered": [], "rows": "x", "blocks": {}}'),
}


def test_every_document_of_the_state_has_a_kind() -> None:
    named = {value for name, value in vars(keys).items() if isinstance(value, str) and value.startswith("state/azure/")}
    truth = {keys.MERGED_CHAIN, keys.MERGED_STATES_PREFIX, keys.STATE_PREFIX}
    named.discard(keys.DOUBTS_PREFIX)  # a document of each region and data set: state/doubts.py
    assert named - truth == set(DOCUMENTS)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("key", DOCUMENTS)
def test_a_damaged_document_stops_no_run(key: str, damage: str) -> None:
    archive = Archive()
    archive.run(mode="incremental")
    stored = archive.objects.get(key)
    body: bytes = DAMAGE[damage](stored.body if stored else b"")
    archive.objects.put(key, body if key.endswith(".gz") or damage in ("cut", "empty") else gzip.decompress(body))
    for _ in range(2):
        archive.clock.advance(minutes=10)
        manifest = archive.run(mode="incremental")
        assert manifest["coverage"]["price"] == 100.0
    assert (manifest["status"], manifest["rows"]["price"]) == ("complete", 3 * len(SIZES))


@pytest.mark.parametrize("damage", ["cut", "empty", "not json", "newer schema"])
def test_a_damaged_chain_is_named_and_not_replaced(damage: str) -> None:
    archive = Archive()
    archive.run(mode="incremental")
    archive.objects.put(keys.MERGED_CHAIN, damaged := DAMAGE[damage](b"{"))
    archive.clock.advance(minutes=10)
    with pytest.raises(DamagedStateError, match=keys.MERGED_CHAIN):
        archive.run(mode="incremental")
    stored: Any = archive.objects.get(keys.MERGED_CHAIN)
    assert stored.body == damaged


@pytest.mark.parametrize("damage", ["cut", "empty", "not json", "newer schema", "no fields"])
@pytest.mark.parametrize("name", ["record", "work", "end"])
def test_a_damaged_document_of_an_attempt_holds_up_no_other_slot_and_no_rebuild(name: str, damage: str) -> None:
    archive = Archive()
    late_owner, planned = archive.begin(mode="incremental")
    late = run_of(planned)
    failures = archive.collect(late, regions_of(planned))
    archive.end(late_owner, late)
    archive.clock.advance(minutes=10)
    archive.spot_usd = 0.03
    archive.run(mode="incremental")
    (key,) = (
        key for key in archive.objects.keys(keys.WORK_PREFIX) if "/00-10/" in key and key.endswith(f"/{name}.json.gz")
    )
    stored = archive.objects.get(key)
    archive.objects.put(key, DAMAGE[damage](stored.body if stored else b""))
    archive.merge(late, failures)  # folds the later slot again
    merged = newest_state(archive)
    assert set(merged.pair["spot"].tolist()) == {0.03}
    archive.clock.advance(minutes=10)
    rebuild(RebuildDeps(objects=archive.objects, clock=archive.clock, settings=archive.settings), since=late.slot_at)
    assert newest_state(archive).encode() == merged.encode()
    archive.run(timestamp=to_iso(late.slot_at + timedelta(minutes=10)), resume=True)
    assert set(newest_state(archive).pair["spot"].tolist()) == {0.03}
