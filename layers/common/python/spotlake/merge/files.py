"""Makes the files that readers know: snapshot, latest, query selector, association (pure). docs/data.md describes them.

These files write an unknown value as -1 or "N/A"; no other part of the code does. A row's text is assembled from texts
that many rows share: those of the pair, of the zone with its scores, and of the times. Writing each field would take
ten times as long.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import batched

import numpy as np
import orjson

from spotlake.merge.columns import ZONES
from spotlake.merge.evidence import shown_confirmed
from spotlake.merge.growing_columns import Column
from spotlake.merge.state import slot_time
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS, NO_ZONE, SLOTS_A_DAY
from spotlake.names import split_tier
from spotlake.packing import pack_parts
from spotlake.scores.thresholds import UNKNOWN

CSV_COLUMNS = (
    "InstanceTier", "InstanceType", "Region", "OndemandPrice", "SpotPrice", "Savings", "IF", "DesiredCount",
    "AvailabilityZone", "Score", "Time", "T2", "T3",
    # New columns, after the columns that SpotLake's readers know:
    "RegionCode", "ArmSkuName", "PhysicalZone", "PriceTime", "IFTime", "ScoreTime",
    "PriceConfirmed", "IFConfirmed", "ScoreConfirmed",
)  # fmt: skip
LATEST_COLUMNS = CSV_COLUMNS[:13]
_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_CHUNK_ROWS = 8192
_TIME_FORM = "%Y-%m-%d %H:%M:%S"
_ZONE_NAMES = (*ZONES, NO_ZONE)
_PAIR_TIMES = ("spot_began", "frequency_began", "spot_confirmed", "frequency_confirmed")


class Files:
    """The files of one view, as bytes. Texts that the files share are made once.

    Args:
        view: The workloads to show.
        casing: Casing of sizes; see ``Settings.name_casing``.
    """

    def __init__(self, view: View, casing: str) -> None:
        self._view, self._state = view, view.state
        self._numbers = view.in_order()
        self._pair = view.pair[self._numbers]
        self._row = view.row[self._numbers]
        self._cased: Callable[[str], str] = str.lower if casing == "lower" else str.strip
        pair = view.state.pair
        self._figures = list(
            zip(*map(_numbers, (pair["ondemand"], pair["spot"], view.savings, pair["frequency"])), strict=True)
        )

    def snapshot(self, slot_at: datetime, count: int) -> bytes:
        """Gzip CSV of the live workloads, without an index column. Score is the last answer at ``count``."""
        state, pair = self._state, self._pair.tolist()
        sizes = self._by_text("size", lambda size: ",".join(map(_csv_field, map(self._cased, split_tier(size)))))
        names = self._by_text("region", lambda region: _csv_field(self._shown(region)))
        firsts = [
            f"{size},{name},{','.join(figures)},{count},"
            for size, name, figures in zip(sizes, names, self._figures, strict=True)
        ]
        arm = zip(self._by_text("region", _csv_field), self._by_text("size", _csv_field), strict=True)
        codes = [f"{region},{size}," for region, size in arm]
        pair_times = {name: _times(state.pair[name]) for name in _PAIR_TIMES}
        times = [f",{price},{rate}," for price, rate in zip(*(pair_times[one] for one in _PAIR_TIMES[:2]), strict=True)]
        sures = [f",{price},{rate}," for price, rate in zip(*(pair_times[one] for one in _PAIR_TIMES[2:]), strict=True)]
        time = f"{slot_at:{_TIME_FORM}}"
        asked = self._asked(count, lambda zone, score, t2, t3: f"{zone},{score},{time},{t2},{t3},")
        texts = [_csv_field(text or NO_ZONE) for text in state.texts]
        physical = [texts[number] for number in self._of_row(state.workloads["physical"]).tolist()]
        scored = _times(self._of_row(state.workloads["score_began"][:, DESIRED_COUNTS.index(count)]))
        answered = _times(self._answered(count))
        lines = (
            f"{firsts[one]}{middle}{codes[one]}{zone}{times[one]}{score}{sures[one]}{last}\n"
            for one, middle, zone, score, last in zip(pair, asked, physical, scored, answered, strict=True)
        )
        return pack_parts(_chunks(",".join(CSV_COLUMNS) + "\n", lines, end=""))

    def latest(self, slot_at: datetime) -> bytes:
        """Gzip of a strict JSON array of the live workloads at count 1, without blanks.

        ``id`` counts from 1 without gaps.
        """
        firsts = [
            f'{named},"OndemandPrice":{ondemand},"SpotPrice":{spot},"Savings":{savings},"IF":{frequency},"DesiredCount":1'
            for named, (ondemand, spot, savings, frequency) in zip(self._named(), self._figures, strict=True)
        ]
        time = f"{slot_at:{_TIME_FORM}}"
        asked = self._asked(
            1,
            lambda zone, score, t2, t3: (
                f',"AvailabilityZone":"{zone}","Score":{score},"Time":"{time}","T2":{t2},"T3":{t3}'
            ),
        )
        aged, scored = self._aged_of_pairs(), self._aged_scores()
        rows = (
            f'{"," if number > 1 else ""}{{"id":{number},{firsts[one]}{rest}{aged[one]}{old}}}'
            for number, (one, rest, old) in enumerate(zip(self._pair.tolist(), asked, scored, strict=True), 1)
        )
        return pack_parts(_chunks("[", rows, end="]"))

    def _aged_of_pairs(self) -> list[str]:
        """By pair: when price and rate were last confirmed, of those that the last look did not show."""
        named = (("PriceConfirmed", "spot"), ("IFConfirmed", "frequency"))
        columns = [(name, shown_confirmed(self._state, part)) for name, part in named]
        texts = [""] * len(self._state.pair["region"])
        for name, column in columns:
            for place in np.flatnonzero(column).tolist():
                texts[place] += f',"{name}":"{slot_time(int(column[place])):{_TIME_FORM}}"'
        return texts

    def _aged_scores(self) -> list[str]:
        """By live workload: when the score at count 1 was last answered, where that is more than a day ago."""
        last = self._answered(1)
        texts = [""] * len(last)
        for place in np.flatnonzero((last > 0) & (last < self._state.slot - SLOTS_A_DAY)).tolist():
            texts[place] = f',"ScoreConfirmed":"{slot_time(int(last[place])):{_TIME_FORM}}"'
        return texts

    def _answered(self, count: int) -> Column:
        """By live workload: the last slot with a score at a count, 0 for never."""
        return self._of_row(self._state.workloads["seen"][:, DESIRED_COUNTS.index(count), :].max(axis=1, initial=0))

    def selector(self) -> bytes:
        """JSON array of the distinct tier, size and region of live workloads, in order."""
        named = self._named()
        distinct = dict.fromkeys(named[one] for one in dict.fromkeys(self._pair.tolist()))
        return ("[" + ",".join(f"{{{one}}}" for one in distinct) + "]").encode()

    def association(self) -> bytes:
        """JSON array of one object: by size the regions of its live workloads, ``{"D2s_v5": {"Region": [...]}}``."""
        sizes = self._by_text("size", lambda size: self._cased(split_tier(size)[1]))
        regions = self._by_text("region", self._shown)
        sold: dict[str, dict[str, None]] = {}
        for one in dict.fromkeys(self._pair.tolist()):
            sold.setdefault(sizes[one], {})[regions[one]] = None
        return orjson.dumps([{size: {"Region": sorted(sold[size])} for size in sorted(sold)}])

    def _shown(self, region: str) -> str:
        return self._cased(self._state.regions.get(region, region))

    def _by_text(self, name: str, form: Callable[[str], str]) -> list[str]:
        """By pair: a text made from the region or the size, computed once per region or size."""
        numbers = self._state.pair[name]
        made = {number: form(self._state.texts[number]) for number in _values(numbers).tolist()}
        return [made[number] for number in numbers.tolist()]

    def _named(self) -> list[str]:
        """By pair: its names as members of a JSON object."""

        def sized(arm_size: str) -> str:
            tier, size = split_tier(arm_size)
            return f'"InstanceTier":{_json(self._cased(tier))},"InstanceType":{_json(self._cased(size))}'

        regions = self._by_text("region", lambda region: f',"Region":{_json(self._shown(region))}')
        return [f"{size}{region}" for size, region in zip(self._by_text("size", sized), regions, strict=True)]

    def _asked(self, count: int, form: Callable[[str, int, int, int], str]) -> list[str]:
        """By live workload: the text of zone, score at ``count``, T2 and T3, computed once per distinct combination."""
        scores = self._of_row(self._state.workloads["score"][:, DESIRED_COUNTS.index(count)]).astype(np.int64)
        scores[scores == 0] = UNKNOWN
        view, numbers = self._view, self._numbers
        base = max(DESIRED_COUNTS) + 2
        known = ((view.zone[numbers].astype(np.int64) * base + scores + 1) * base + view.t2[numbers] + 1) * base
        distinct, of_distinct = _distinct(known + view.t3[numbers] + 1)
        digits = (((one // base**3), *(one // base**place % base - 1 for place in (2, 1, 0))) for one in distinct)
        texts = [form(_ZONE_NAMES[zone], score, t2, t3) for zone, score, t2, t3 in digits]
        return [texts[one] for one in of_distinct]

    def _of_row(self, column: Column) -> Column:
        """A column of the state's workloads, by live workload; 0 for zone N/A."""
        return np.where(self._row >= 0, column[self._row] if len(column) else 0, 0)


def _json(text: str) -> str:
    return orjson.dumps(text).decode()


def _numbers(column: Column) -> list[str]:
    """Each value in its shortest form, -1 for unknown (nan)."""
    if not len(column):
        return []
    texts = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")
    return [str(UNKNOWN) if text == "null" else text for text in texts]


def _times(slots: Column) -> list[str]:
    distinct, of_distinct = _distinct(slots)
    texts = [slot_time(slot).strftime(_TIME_FORM) if slot else NO_ZONE for slot in distinct]
    return [texts[one] for one in of_distinct]


def _values(numbers: Column) -> Column:
    """The distinct values in order, without sorting; numbers from 0 to some millions."""
    there = np.zeros(numbers.max(initial=0) + 1, bool)
    there[numbers] = True
    return np.flatnonzero(there)


def _distinct(numbers: Column) -> tuple[list[int], list[int]]:
    """The distinct values in order, and of each element the place of its value there."""
    values = _values(numbers)
    return values.tolist(), np.searchsorted(values, numbers).tolist()


def _csv_field(text: str) -> str:
    """Text as a CSV field: quoted where necessary. What a spreadsheet would take for a formula gets an apostrophe."""
    if text.startswith(_OF_FORMULAS):
        text = "'" + text
    if not any(sign in text for sign in ',"\r\n'):
        return text
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([text])
    return written.getvalue()


def _chunks(begin: str, rows: Iterator[str], *, end: str) -> Iterator[bytes]:
    """Yield the text in parts; the whole text would take 40 MB."""
    yield begin.encode()
    for part in batched(rows, _CHUNK_ROWS, strict=False):
        yield "".join(part).encode()
    yield end.encode()
