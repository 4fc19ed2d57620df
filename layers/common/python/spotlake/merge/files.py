"""Makes the files that readers know: snapshot, latest, query selector, association (pure). docs/data.md describes them.

These files write an unknown value as -1 or "N/A"; no other part of the code does. A row is joined from parts: each is a
text of a table, which many rows share, such as that of a size, of a time, or of a zone with its scores. Writing each
field would take ten times as long, formatting each row four times.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import numpy as np
import orjson

from spotlake import names
from spotlake.merge.columns import ZONES
from spotlake.merge.evidence import shown_confirmed
from spotlake.merge.growing_columns import Column, first_of_each
from spotlake.merge.pair_numbers import Numbers
from spotlake.merge.state import slot_time
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS, NO_ZONE, SLOTS_A_DAY
from spotlake.names import plain_field, split_tier
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
_CHUNK_ROWS = 8192
_TIME_FORM = "%Y-%m-%d %H:%M:%S"
_ZONE_NAMES = (*ZONES, NO_ZONE)
_QUOTED = re.compile(r'[,"\r\n]')  # what makes a CSV field a quoted one
_NAMED_FIGURES = b',"OndemandPrice":%b,"SpotPrice":%b,"Savings":%b,"IF":%b,"DesiredCount":1'


class _Part(NamedTuple):
    """A part of many rows: a table of texts, and the place in it of each row's text."""

    table: Column
    places: Column

    def of(self, begin: int, end: int) -> Column | bytes:
        """The texts of these rows."""
        text: Column | bytes = self.table[self.places[begin:end]] if len(self.places) else self.table[0]
        return text


class _Made(NamedTuple):
    """A part of many rows whose texts are many: they are made for some rows at a time."""

    of: Callable[[int, int], Column]


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
        self._cased = names.casing(casing)
        self._figures = _figures(view)  # by pair

    def snapshot(self, slot_at: datetime, count: int) -> bytes:
        """Gzip CSV of the live workloads, without an index column. Score is the last answer at ``count``."""
        state, time = self._state, f"{slot_at:{_TIME_FORM}}"

        def began_or_confirmed(name: str) -> _Part:
            return _by_value(state.pair[name][self._pair], lambda slot: f"{_time(slot)},")

        began = self._of_row(state.workloads["score_began"][:, DESIRED_COUNTS.index(count)])
        physical = self._of_row(state.workloads["physical"])
        parts = (
            self._by_text("size", lambda size: ",".join(map(_csv_field, map(self._cased, split_tier(size)))) + ","),
            self._by_text("region", lambda region: _csv_field(self._shown(region)) + ","),
            _Part(self._figures, self._pair),
            self._asked(count, lambda zone, score, t2, t3: f",{count},{zone},{score},{time},{t2},{t3},"),
            self._by_text("region", lambda region: _csv_field(region) + ","),
            self._by_text("size", lambda size: _csv_field(size) + ","),
            _by_value(physical, lambda number: _csv_field(state.texts[number] or NO_ZONE) + ","),
            began_or_confirmed("spot_began"),
            began_or_confirmed("frequency_began"),
            _by_value(began, lambda slot: f"{_time(slot)},"),
            began_or_confirmed("spot_confirmed"),
            began_or_confirmed("frequency_confirmed"),
            _by_value(self._answered(count), lambda slot: f"{_time(slot)}\n"),
        )
        return pack_parts(self._chunks(",".join(CSV_COLUMNS) + "\n", parts, end=""))

    def latest(self, slot_at: datetime) -> bytes:
        """Gzip of a strict JSON array of the live workloads at count 1, without blanks.

        ``id`` counts from 1 without gaps.
        """
        time = f"{slot_at:{_TIME_FORM}}"
        asked = self._asked(
            1,
            lambda zone, score, t2, t3: (
                f',"AvailabilityZone":"{zone}","Score":{score},"Time":"{time}","T2":{t2},"T3":{t3}'
            ),
        )
        figures = _Made(self._named_figures)
        parts: Iterable[_Part | _Made] = (_Made(_ids), *self._names, figures, asked, *self._aged(), _text("}"))
        return pack_parts(self._chunks("[", parts, end="]"))

    def _chunks(self, begin: str, parts: Iterable[_Part | _Made], *, end: str) -> Iterator[bytes]:
        """Yield a file of all live workloads in chunks: the whole text would take 40 MB."""
        yield begin.encode()
        yield from _joined(parts, len(self._pair))
        yield end.encode()

    def _named_figures(self, begin: int, end: int) -> Column:
        """The figures of some live workloads, as members of an object. The workloads of a pair follow each other."""
        pairs = self._pair[begin:end]
        first = first_of_each(pairs)
        figures = iter(b",".join(self._figures[pairs[first]].tolist()).split(b","))
        named = _table([_NAMED_FIGURES % four for four in zip(figures, figures, figures, figures, strict=False)])
        texts: Column = named[np.cumsum(first) - 1]
        return texts

    def _aged(self) -> Iterator[_Part]:
        """When price, rate and score at count 1 were last confirmed, of those that are old.

        A price and a rate are old when the last look did not show them, a score when it is more than a day old.
        """
        last = self._answered(1)
        confirmed = {
            "PriceConfirmed": shown_confirmed(self._state, "spot")[self._pair],
            "IFConfirmed": shown_confirmed(self._state, "frequency")[self._pair],
            "ScoreConfirmed": np.where(last < self._state.slot - SLOTS_A_DAY, last, 0),
        }
        for name, slots in confirmed.items():
            if slots.any():
                yield _by_value(slots, _named_time(name))

    def _answered(self, count: int) -> Column:
        """By live workload: the last slot with a score at a count, 0 for never."""
        return self._of_row(self._state.workloads["seen"][:, DESIRED_COUNTS.index(count), :].max(axis=1))

    def selector(self) -> bytes:
        """JSON array of the distinct tier, size and region of live workloads, in order."""
        pairs = first_of_each(self._pair)
        size, region = (_Part(part.table, part.places[pairs]) for part in self._names)
        names, every = size.places * len(region.table) + region.places, np.arange(len(size.places))
        first = np.empty(len(size.table) * len(region.table), np.int64)
        first[names[::-1]] = every[::-1]  # from the last to the first, so the place of the first stays
        chosen = np.flatnonzero(first[names] == every)
        named = (_Part(part.table, part.places[chosen]) for part in (size, region))
        return b"[" + b"".join(_joined((_text("{"), *named, _text("},")), len(chosen)))[:-1] + b"]"

    def association(self) -> bytes:
        """JSON array of one object: by size the regions of its live workloads, ``{"D2s_v5": {"Region": [...]}}``."""
        pair, texts = self._state.pair, self._state.texts
        pairs = self._pairs_in_order()
        by_size = pairs[np.argsort(pair["size"][pairs])]
        numbers = pair["size"][by_size]
        begins = np.flatnonzero(first_of_each(numbers)).tolist()
        names = np.array([self._shown(text) for text in texts], object)
        regions = names[pair["region"][by_size]].tolist()
        sold: dict[str, set[str]] = {}
        for begin, end in zip(begins, [*begins[1:], len(by_size)], strict=False):
            size = self._cased(split_tier(texts[numbers[begin]])[1])
            sold.setdefault(size, set()).update(regions[begin:end])
        return orjson.dumps([{size: {"Region": sorted(sold[size])} for size in sorted(sold)}])

    def _pairs_in_order(self) -> Column:
        """Numbers of the pairs of live workloads, by region and size."""
        pairs: Column = self._pair[first_of_each(self._pair)]
        return pairs

    def _shown(self, region: str) -> str:
        return self._cased(self._state.regions.get(region, region))

    def _by_text(self, name: str, form: Callable[[str], str]) -> _Part:
        """A text made from the region or the size, by live workload."""
        texts = self._state.texts
        return _by_value(self._state.pair[name][self._pair], lambda number: form(texts[number]))

    @functools.cached_property
    def _names(self) -> tuple[_Part, _Part]:
        """Names of live workloads as members of a JSON object."""

        def sized(arm_size: str) -> str:
            tier, size = split_tier(arm_size)
            return f'"InstanceTier":{_json(self._cased(tier))},"InstanceType":{_json(self._cased(size))}'

        region = self._by_text("region", lambda region: f',"Region":{_json(self._shown(region))}')
        return self._by_text("size", sized), region

    def _asked(self, count: int, form: Callable[[str, int, int, int], str]) -> _Part:
        """By live workload: the text of zone, score at ``count``, T2 and T3."""
        scores = self._of_row(self._state.workloads["score"][:, DESIRED_COUNTS.index(count)]).astype(np.int64)
        scores[scores == 0] = UNKNOWN
        view, numbers = self._view, self._numbers
        base = max(DESIRED_COUNTS) + 2
        known = ((view.zone[numbers].astype(np.int64) * base + scores + 1) * base + view.t2[numbers] + 1) * base

        def formed(code: int) -> str:
            return form(_ZONE_NAMES[code // base**3], *(code // base**place % base - 1 for place in (2, 1, 0)))

        return _by_value(known + view.t3[numbers] + 1, formed)

    def _of_row(self, column: Column) -> Column:
        """A column of the state's workloads, by live workload; 0 for zone N/A."""
        return np.where(self._row >= 0, column[self._row] if len(column) else 0, 0)


def _ids(begin: int, end: int) -> Column:
    """The beginnings of the objects of some live workloads, and the comma that stands before all but the first."""
    ids = orjson.dumps(np.arange(begin + 1, end + 1), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    comma = b"," if begin else b""
    return _table((comma + b'{"id":' + ids.replace(b",", b',\n,{"id":') + b",").split(b"\n"))


def _figures(view: View) -> Column:
    """By pair: prices, savings and rate, each in its shortest form, -1 for unknown (nan): ``1.5,-1,-1,3.0``."""
    pair = view.state.pair
    # A rate has few decimals; what a wider type adds to them is not known.
    rate = np.round(pair["frequency"].astype(np.float64), 6)
    figures = np.column_stack([pair["ondemand"], pair["spot"], view.savings, rate])
    text = orjson.dumps(figures, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].replace(b"null", str(UNKNOWN).encode())
    return _table(text.split(b"],["))


def _by_value(numbers: Column, form: Callable[[int], str]) -> _Part:
    """The text of each number; made once for each distinct number, and equal texts stand once in the table."""
    lowest = int(numbers.min(initial=np.iinfo(np.int32).max, where=numbers > 0))  # times are far from 0
    near = np.where(numbers > 0, numbers.astype(np.int64) - (lowest - 1), 0)
    place = np.zeros(near.max(initial=0) + 1, np.int32)
    place[near] = 1
    values = np.flatnonzero(place)
    texts: Numbers[bytes] = Numbers()
    place[values] = [texts[form(value + lowest - 1 if value else 0).encode()] for value in values.tolist()]
    return _Part(_table(list(texts)), place[near])


def _text(text: str) -> _Part:
    """One text for every row."""
    return _Part(_table([text.encode()]), np.empty(0))


def _table(texts: list[bytes]) -> Column:
    table = np.empty(len(texts), object)
    table[:] = texts
    return table


def _joined(parts: Iterable[_Part | _Made], rows: int) -> Iterator[bytes]:
    """The texts of so many rows, in chunks of rows."""
    tables = list(parts)
    for begin in range(0, rows, _CHUNK_ROWS):
        end = min(begin + _CHUNK_ROWS, rows)
        texts = np.empty((end - begin, len(tables)), object)
        for column, part in enumerate(tables):
            texts[:, column] = part.of(begin, end)
        yield b"".join(texts.ravel().tolist())


def _named_time(name: str) -> Callable[[int], str]:
    return lambda slot: f',"{name}":"{_time(slot)}"' if slot else ""


def _time(slot: int) -> str:
    return slot_time(slot).strftime(_TIME_FORM) if slot else NO_ZONE


def _json(text: str) -> str:
    return orjson.dumps(text).decode()


def _csv_field(text: str) -> str:
    """Text as a CSV field: quoted where necessary. What a spreadsheet would take for a formula gets an apostrophe."""
    text = plain_field(text)
    if not _QUOTED.search(text):
        return text
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([text])
    return written.getvalue()
