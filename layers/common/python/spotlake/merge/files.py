"""The files that readers know: snapshot, latest, query selector (pure). Columns and forms: docs/data.md.

Unknown is -1 or "N/A" in them, and only here. A row's text is put together from texts that many rows share: of
its pair, of its zone with its scores, of its times. Written field by field it would take ten times as long.
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import batched

import numpy as np
import orjson

from spotlake.merge.rows import ZONES
from spotlake.merge.state import Column, slot_time
from spotlake.merge.view import UNKNOWN, View
from spotlake.models import DESIRED_COUNTS, NO_ZONE
from spotlake.names import split_tier
from spotlake.packing import pack, pack_parts

CSV_COLUMNS = (
    "InstanceTier", "InstanceType", "Region", "OndemandPrice", "SpotPrice", "Savings", "IF", "DesiredCount",
    "AvailabilityZone", "Score", "Time", "T2", "T3",
    # Ours, after those that SpotLake's readers know:
    "RegionCode", "ArmSkuName", "PhysicalZone", "PriceTime", "IFTime", "ScoreTime",
)  # fmt: skip
LATEST_COLUMNS = CSV_COLUMNS[:13]
_CHUNK_ROWS = 8192
_TIME_FORM = "%Y-%m-%d %H:%M:%S"
_ZONE_NAMES = (*ZONES, NO_ZONE)


class Files:
    """The files of one view, as bytes. What they share is made once.

    Args:
        view: What they show.
        casing: See ``Settings.name_casing``.
    """

    def __init__(self, view: View, casing: str) -> None:
        self._view, self._state = view, view.state
        self._numbers = view.in_order()
        self._pair = view.pair[self._numbers]
        self._row = view.row[self._numbers]
        self._names = _names(self._state.pairs, self._state.regions, casing)
        self._figures = list(
            zip(
                _numbers(self._state.pair["ondemand"]),
                _numbers(self._state.pair["spot"]),
                _numbers(view.savings),
                _numbers(self._state.pair["frequency"]),
                strict=True,
            )
        )

    def snapshot(self, slot_at: datetime, count: int) -> bytes:
        """Gzip csv of the live workloads, Score as last answered at ``count``; no index column."""
        state, pair = self._state, self._pair.tolist()
        quoted = functools.cache(_csv_field)
        firsts = [
            f"{quoted(tier)},{quoted(size)},{quoted(region)},{','.join(figures)},{count},"
            for (tier, size, region), figures in zip(self._names, self._figures, strict=True)
        ]
        codes = [f"{quoted(code)},{quoted(arm_size)}," for code, arm_size in state.pairs]
        times = _pair_times(state.pair["spot_began"], state.pair["frequency_began"])
        asked = self._asked(count, lambda zone, score, t2, t3: f"{zone},{score},{slot_at:{_TIME_FORM}},{t2},{t3},")
        began = _times(self._at_count("score_began", count))
        physical = [quoted(state.physical[row] or NO_ZONE) if row >= 0 else NO_ZONE for row in self._row.tolist()]
        lines = (
            f"{firsts[one]}{middle}{codes[one]}{zone},{times[one]},{score}\n"
            for one, middle, zone, score in zip(pair, asked, physical, began, strict=True)
        )
        return pack_parts(_chunks(",".join(CSV_COLUMNS) + "\n", lines, end=""))

    def latest(self, slot_at: datetime) -> bytes:
        """Gzip of a strict JSON array of the live workloads at count 1; ``id`` from 1 without holes, no blanks."""
        firsts = [
            f'{named},"OndemandPrice":{ondemand},"SpotPrice":{spot},"Savings":{savings},"IF":{frequency},"DesiredCount":1'
            for named, (ondemand, spot, savings, frequency) in zip(self._named(), self._figures, strict=True)
        ]
        time = f"{slot_at:{_TIME_FORM}}"
        asked = self._asked(
            1,
            lambda zone, score, t2, t3: (
                f',"AvailabilityZone":"{zone}","Score":{score},"Time":"{time}","T2":{t2},"T3":{t3}}}'
            ),
        )
        rows = (
            f'{"," if number > 1 else ""}{{"id":{number},{firsts[one]}{rest}'
            for number, (one, rest) in enumerate(zip(self._pair.tolist(), asked, strict=True), 1)
        )
        return pack_parts(_chunks("[", rows, end="]"))

    def selector(self) -> bytes:
        """Gzip JSON array of the distinct tier, size and region of live workloads, in order."""
        named = self._named()
        distinct = dict.fromkeys(named[one] for one in dict.fromkeys(self._pair.tolist()))
        return pack(("[" + ",".join(f"{{{one}}}" for one in distinct) + "]").encode())

    def _named(self) -> list[str]:
        """By pair: its names as members of a JSON object."""
        text = functools.cache(lambda value: orjson.dumps(value).decode())
        return [
            f'"InstanceTier":{text(tier)},"InstanceType":{text(size)},"Region":{text(region)}'
            for tier, size, region in self._names
        ]

    def _asked(self, count: int, form: Callable[[str, int, int, int], str]) -> list[str]:
        """By live workload: the text of its zone, score at ``count``, T2 and T3, made once for equal ones."""
        scores = self._at_count("score", count).astype(np.int64)
        scores[scores == 0] = UNKNOWN
        view, numbers = self._view, self._numbers
        values = np.stack([view.zone[numbers], scores, view.t2[numbers], view.t3[numbers]])
        base = max(DESIRED_COUNTS) + 2
        keys = ((values[0] * base + values[1] + 1) * base + values[2] + 1) * base + values[3] + 1
        _, first, of_distinct = np.unique(keys, return_index=True, return_inverse=True)
        texts = [form(_ZONE_NAMES[zone], score, t2, t3) for zone, score, t2, t3 in values[:, first].T.tolist()]
        return [texts[one] for one in of_distinct.tolist()]

    def _at_count(self, name: str, count: int) -> Column:
        """A column of the state's rows at a count, by live workload; 0 for zone N/A."""
        column = self._state.rows[name][:, DESIRED_COUNTS.index(count)]
        return np.where(self._row >= 0, column[self._row] if len(column) else 0, 0)


def _names(pairs: Sequence[tuple[str, str]], regions: dict[str, str], casing: str) -> list[tuple[str, str, str]]:
    """Tier, size and display name of each pair, in the casing that readers compare."""
    cased: Callable[[str], str] = str.lower if casing == "lower" else str.strip
    split = functools.cache(split_tier)
    shown = {region: cased(regions.get(region, region)) for region in dict.fromkeys(code for code, _ in pairs)}
    return [(cased(split(size)[0]), cased(split(size)[1]), shown[region]) for region, size in pairs]


def _numbers(column: Column) -> list[str]:
    """Each value in its shortest form, -1 for unknown (nan)."""
    if not len(column):
        return []
    texts = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")
    return [str(UNKNOWN) if text == "null" else text for text in texts]


def _times(slots: Column) -> list[str]:
    distinct, of_distinct = np.unique(slots, return_inverse=True)
    texts = [slot_time(slot).strftime(_TIME_FORM) if slot else NO_ZONE for slot in distinct.tolist()]
    return [texts[one] for one in of_distinct.tolist()]


def _pair_times(prices: Column, frequencies: Column) -> list[str]:
    return [f"{price},{rate}" for price, rate in zip(_times(prices), _times(frequencies), strict=True)]


def _csv_field(text: str) -> str:
    """As csv has it: quoted where it must be."""
    if not any(sign in text for sign in ',"\r\n'):
        return text
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([text])
    return written.getvalue()


def _chunks(begin: str, rows: Iterator[str], *, end: str) -> Iterator[bytes]:
    """The text in parts: as a whole it would take 40 MB."""
    yield begin.encode()
    for part in batched(rows, _CHUNK_ROWS, strict=False):
        yield "".join(part).encode()
    yield end.encode()
