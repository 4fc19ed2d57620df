"""Reads a snapshot in columns: figures of runs that were merged before Merge kept them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import batched
from operator import itemgetter

import numpy as np

from spotlake.merge.figures import Before, Shown, count_figures
from spotlake.merge.growing_columns import Column, GrowingColumns
from spotlake.merge.pair_numbers import Known, Numbers
from spotlake.merge.state import slot_number
from spotlake.snapshot_figures import SnapshotFigures

_COLUMNS = (
    "RegionCode", "Region", "ArmSkuName", "AvailabilityZone", "SpotPrice", "Savings", "IF", "Score", "T2", "T3",
    "PriceTime", "IFTime", "ScoreTime", "DesiredCount",
)  # fmt: skip
_CHUNK_ROWS = 8192
_UNKNOWN = "-1"
_NO_TIME = "N/A"
type Row = tuple[str, ...]


def snapshot_rows(body: bytes) -> Iterator[Row]:
    """The rows of a snapshot (gzip csv): those of its columns that figures need.

    Raises:
        OSError, EOFError, ValueError: The snapshot is damaged or lacks a column.
    """
    with gzip.open(io.BytesIO(body), "rt", encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        header = next(reader, [])
        yield from map(itemgetter(*(header.index(name) for name in _COLUMNS)), reader)


def rows_figures(slot_at: datetime, rows: Iterable[Row], before: Iterable[Row] | None = None) -> SnapshotFigures:
    """The figures of a snapshot's rows, compared with the rows of the one before if there are any."""
    old = None if before is None else _Snapshot(slot_at, before)
    now = _Snapshot(slot_at, rows)
    if old is None:
        return count_figures(now.shown)
    places = np.array([old.workloads.get(name, -1) for name in now.workloads], np.int64)
    return count_figures(now.shown, Before(values=old.shown.compared(), places=places, workloads=len(old.workloads)))


class _Snapshot:
    """The rows in columns; ``workloads`` numbers them by name."""

    def __init__(self, slot_at: datetime, rows: Iterable[Row]) -> None:
        self.workloads: Numbers[tuple[str, str, str]] = Numbers()
        regions: Numbers[str] = Numbers()
        pairs: Numbers[tuple[str, str]] = Numbers()
        names: dict[str, str] = {}
        number: Known[str, float] = Known(lambda text: np.nan if text == _UNKNOWN else float(text))
        slot: Known[str, int] = Known(_slot)
        columns = GrowingColumns(
            region="i4", pair="i4", price="f8", savings="f8", rate="f8", score="i2", t2="i2", t3="i2",
            price_began="i8", rate_began="i8", score_began="i8",
        )  # fmt: skip
        counts = {"0"}
        for chunk in batched(rows, _CHUNK_ROWS, strict=False):
            code, name, size, zone, price, savings, rate, score, t2, t3, *began, count = zip(*chunk, strict=True)
            names.update(zip(code, name, strict=True))
            for workload in zip(code, size, zone, strict=True):
                self.workloads[workload]
            figures = {"price": price, "savings": savings, "rate": rate}
            times = dict(zip(("price_began", "rate_began", "score_began"), began, strict=True))
            columns.add(
                region=[regions[one] for one in code],
                pair=[pairs[one] for one in zip(code, size, strict=True)],
                **{name: [number[one] for one in texts] for name, texts in figures.items()},
                **{name: list(map(int, texts)) for name, texts in (("score", score), ("t2", t2), ("t3", t3))},
                **{name: [slot[one] for one in texts] for name, texts in times.items()},
            )
            counts = {count[0]}
        self.shown = _shown(slot_number(slot_at), int(*counts), names, list(regions), columns)


def _shown(slot: int, count: int, names: dict[str, str], codes: list[str], columns: GrowingColumns) -> Shown:
    first = np.full(columns["pair"].max(initial=-1) + 1, 0)
    first[columns["pair"][::-1]] = np.arange(len(columns["pair"]))[::-1]  # the first row of each pair

    def of_pair(name: str) -> Column:
        values: Column = columns[name][first]
        return values

    return Shown(
        slot=slot,
        desired_count=count,
        names=names,
        codes=codes,
        region=of_pair("region"),
        prices=of_pair("price"),
        savings=of_pair("savings"),
        rates=of_pair("rate"),
        price_began=of_pair("price_began"),
        rate_began=of_pair("rate_began"),
        pair=columns["pair"],
        score=columns["score"],
        t2=columns["t2"],
        t3=columns["t3"],
        score_began=columns["score_began"],
    )


def _slot(text: str) -> int:
    return 0 if text == _NO_TIME else slot_number(datetime.fromisoformat(text).replace(tzinfo=UTC))
