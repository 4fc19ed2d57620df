"""The world of the merge's benchmark, a twentieth of it: what is measured is a merge that is right."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from benchmarks.merge import join, ours
from benchmarks.merge.prepared import prepare
from benchmarks.merge.runs import COUNT, run_at
from spotlake import keys


def test_the_second_run_changes_what_the_world_changed(tmp_path: Path) -> None:
    prepare(tmp_path, share=0.05)
    changed = ours.merge(tmp_path, tmp_path / "ours")
    body = (tmp_path / "ours" / keys.snapshot(run_at(1).slot_at)).read_bytes()
    rows = list(csv.DictReader(gzip.decompress(body).decode().splitlines()))
    assert len(rows) > 5_000
    assert {row["DesiredCount"] for row in rows} == {str(COUNT)}
    assert 0.03 * len(rows) < changed < 0.07 * len(rows)
    assert join.numpy_changes(tmp_path) == changed
