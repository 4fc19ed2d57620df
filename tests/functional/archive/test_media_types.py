"""Every object of an archive has its media type, and each write of a shared object has its condition."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.clock import Deadline
from spotlake.settings import Settings
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.keep_history.keep_history import HistoryDeps, keep_history
from spotlake.usecases.rebuild.rebuild import RebuildDeps, rebuild
from spotlake.usecases.report.report_run import ReportDeps, report_run
from tests.functional.archive.archive import Archive, regions_of, run_of

PARQUET = "application/vnd.apache.parquet"
# The beginning of a key -> its media type and encoding. The longest beginning counts.
EXPECTED: dict[str, tuple[str | None, str | None]] = {
    "rawdata/azure/sps/": ("application/gzip", None),
    "rawdata/azure/spot_": (None, None),  # the archive of these tests writes its listings by itself
    "rawdata/azure/2026/": ("application/gzip", None),
    "rawdata/azure/localfile/2026/11/23/00-00_memory": ("application/gzip", None),
    "rawdata/azure/localfile/2026/11/23/00-00_execution": ("application/json", None),
    "runs/azure/2026/11/23/00-00.html": ("text/html; charset=utf-8", "gzip"),
    "runs/azure/2026/11/23/00-00.json": ("application/json", None),
    "runs/azure/2026/11/24/00-00.json": ("application/json", None),
    "runs/azure/2026/11/23/00-00_figures": ("application/gzip", None),
    "runs/azure/2026/11/24/00-00_figures": ("application/gzip", None),
    "latest_data/latest_azure.json": ("application/json", None),
    "latest_data/latest_azure.json.gz": ("application/gzip", None),
    "latest_data/latest_azure.parquet": (PARQUET, None),
    "query-selector/": ("application/json", None),
    "history/azure/": (PARQUET, None),
    "history/azure/index.json": ("application/json", None),
    "history/azure/gaps/": ("text/csv", None),
    "datapackage.json": ("application/json", None),
    "state/azure/": ("application/json", None),
    "state/azure/merged/": ("application/gzip", None),
    "work/azure/": ("application/gzip", None),
}


class Noting(MemoryObjects):
    """Notes how each object is written: its type and encoding, and whether it had to be absent or unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, set[tuple[Any, Any]]] = {}
        self.conditions: dict[str, list[str]] = {}

    def put(self, key: str, body: bytes, **options: Any) -> str:
        told = options.get("content_type"), options.get("content_encoding")
        self.written.setdefault(key, set()).add(told)
        found = "absent" if options.get("if_absent") else "unchanged" if options.get("if_etag") else "always"
        self.conditions.setdefault(key, []).append(found)
        return super().put(key, body, **options)


@pytest.fixture
def objects() -> Noting:
    """Two slots on two days, the first one reported, both in the history, and the chain made again."""
    store = Noting()
    archive = Archive(store=store)
    owner, planned = archive.begin(mode="incremental")
    run = run_of(planned)
    archive.merge(run, archive.collect(run, regions_of(planned)))
    report: Any = {"run": run.to_dict(), "plan": {}, "collectors": [], "merge": {}}
    deps = ReportDeps(objects=store, claims=archive.claims, wall=archive.clock, azure="simulated", architecture="arm64")
    report_run(report, deps)
    archive.claims.release(owner=owner)
    archive.clock.advance(days=1)
    archive.run(mode="incremental")
    history = HistoryDeps(objects=store, wall=archive.clock, deadline=Deadline(lambda: 900.0), settings=Settings())
    keep_history(history)
    rebuild(RebuildDeps(objects=store, clock=archive.clock, settings=Settings()), archive.clock.now())
    return store


def test_every_object_has_its_media_type_and_every_kind_was_written(objects: Noting) -> None:
    unlike = {}
    for key, found in objects.written.items():
        beginning = max((one for one in EXPECTED if key.startswith(one)), key=len, default="")
        if found != {EXPECTED.get(beginning)}:
            unlike[key] = found
    assert unlike == {}
    assert [one for one in EXPECTED if not any(key.startswith(one) for key in objects.written)] == []


# The beginning of a key -> the conditions under which such an object is written.
CONDITIONS: dict[str, set[str]] = {
    "rawdata/azure/sps/": {"absent"},
    "work/azure/": {"absent"},
    "runs/azure/2026/11/23/00-00.json": {"absent"},
    "runs/azure/2026/11/23/00-00_figures": {"absent"},
    "rawdata/azure/2026/11/23/00-00": {"absent"},
    "latest_data/": {"absent", "unchanged"},
    "query-selector/": {"absent", "unchanged"},
    "state/azure/merged_chain.json": {"absent", "unchanged"},
    "history/azure/days/": {"absent"},
    "history/azure/index.json": {"absent"},
    "history/azure/gaps/": {"absent"},
    "datapackage.json": {"absent"},
    "state/azure/catalogue": {"absent", "unchanged"},
}


def test_what_two_executions_may_write_at_once_is_written_on_condition(objects: Noting) -> None:
    found = {
        beginning: {one for key, told in objects.conditions.items() if key.startswith(beginning) for one in told}
        for beginning in CONDITIONS
    }
    assert found == CONDITIONS
