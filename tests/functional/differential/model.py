"""What docs/data.md says that a merge publishes, in plain Python: dictionaries and loops, and nothing of the library.

Slots are numbers of ten minutes since 1970, as in the state. A history is a list of attempts; the archive that follows
from it depends on which attempts were merged, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

COUNTS = (1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
ZONES = ("1", "2", "3", "Single")
PARTS = {"spot": "spot_price", "ondemand": "spot_price", "rate": "spot_if"}  # part of a pair -> data set that lists it
A_DAY, AN_HOUR = 144, 6

type Row = Mapping[str, Any]
type Pair = tuple[str, str]  # region, size in lower case
type Workload = tuple[str, str, str]  # and zone
type Published = dict[Workload, dict[str, Any]]


@dataclass(frozen=True)
class Shard:
    """What one collector left. With ``damage`` nothing of it counts, whatever lies there."""

    status: str
    rows: tuple[Row, ...] = ()
    ondemand_asked: bool = False
    damage: str = ""


@dataclass(frozen=True)
class Attempt:
    """One collection; ``sizes`` are globs of a part by hand, ``merged`` is whether it ever came to its merge."""

    slot: int
    number: int
    count: int
    regions: tuple[str, ...]
    shards: Mapping[tuple[str, str], Shard]  # (data set, region)
    sizes: tuple[str, ...] = ()
    filtered: bool = False
    resumes: bool = False
    merged: bool = True


@dataclass(frozen=True)
class Patience:
    """Settings: when what is not shown becomes unknown, is retired, and is forgotten."""

    looks: int
    hours: int
    retire_days: int
    forget_days: int


@dataclass
class Value:
    """A price or a rate, and what is known of it."""

    known: Any = None
    began: int = 0
    confirmed: int = 0
    first_missed: int = 0
    missed_looks: int = 0


@dataclass
class Absence:
    """The days on which something was looked for and was not there, since it last was."""

    days: int = 0
    last: int = -1

    def look(self, slot: int, patience: Patience, *, there: bool) -> None:
        """Another look; a day counts once."""
        day = slot // A_DAY
        if there:
            self.days = 0
        elif day > self.last and self.days < patience.retire_days:
            self.days, self.last = self.days + 1, day


@dataclass
class Zone:
    """A workload with scores: by count the last slot of each score, the last score, and since when."""

    building: str = ""
    seen: dict[int, dict[int, int]] = field(default_factory=dict)
    score: dict[int, tuple[int, int]] = field(default_factory=dict)
    absence: Absence = field(default_factory=Absence)


@dataclass
class Known:
    """A pair with its prices, its rate and its zones."""

    parts: dict[str, Value] = field(default_factory=lambda: {part: Value() for part in PARTS})
    zones: dict[str, Zone] = field(default_factory=dict)
    listed: bool = False
    absence: Absence = field(default_factory=Absence)


class SlotRows:
    """What the attempts of a slot say together: the later price or rate, the lower score."""

    def __init__(self, attempts: Iterable[Attempt]) -> None:
        self.attempts = sorted(attempts, key=lambda one: one.number)
        self.prices: dict[Pair, dict[str, float]] = {}
        self.rates: dict[Pair, tuple[float, str]] = {}
        self.scores: dict[tuple[Pair, str, int], int] = {}  # 0: an answer without a score
        self.buildings: dict[tuple[Pair, str], str] = {}  # the last known one of each zone
        self.names: dict[str, str] = {}
        self.looked: set[tuple[str, str]] = set()  # (part, region)
        self.unknown_zones = 0
        for attempt in self.attempts:
            for (dataset, region), shard in sorted(attempt.shards.items(), key=lambda one: one[0][1]):
                if not shard.damage:
                    self._add(attempt, dataset, region, shard)

    def _add(self, attempt: Attempt, dataset: str, region: str, shard: Shard) -> None:
        if shard.status == "complete" and not attempt.sizes:
            for part, listing in PARTS.items():
                if listing == dataset and (part != "ondemand" or shard.ondemand_asked):
                    self.looked.add((part, region))
        for row in shard.rows:
            asked = not attempt.sizes or any(
                fnmatchcase(row["instance_type"].lower(), one.lower()) for one in attempt.sizes
            )
            pair = row["region"], row["instance_type"].lower()
            if dataset == "sps":
                self.unknown_zones += row["zone"] not in (*ZONES, None)
                if asked and row["zone"] in ZONES:
                    self._score(pair, row)
            elif asked and dataset == "spot_price":
                self._price(pair, row)
            elif asked and row["interruption_frequency"] is not None:
                self.rates[pair] = row["interruption_frequency"], row["eviction_band"]

    def _price(self, pair: Pair, row: Row) -> None:
        known = self.prices.setdefault(pair, {})
        for part, value in (("spot", row["spot_price_usd_per_hour"]), ("ondemand", row["ondemand_price_usd_per_hour"])):
            if value is not None:
                known[part] = value
        if row["region_name"]:
            self.names[pair[0]] = row["region_name"]

    def _score(self, pair: Pair, row: Row) -> None:
        what = pair, row["zone"], row["desired_count"]
        score, before = row["score"] or 0, self.scores.get(what, 0)
        if what not in self.scores or (score and (score < before or not before)):
            self.scores[what] = score
        if row["physical_zone"]:
            self.buildings[what[:2]] = row["physical_zone"]

    @property
    def count(self) -> int:
        """The count that the snapshot shows: that of the first attempt at everything."""
        whole = [one for one in self.attempts if not one.filtered and not one.resumes]
        return (whole or self.attempts)[0].count


class Archive:
    """What is known after some slots, folded in order of time."""

    def __init__(self, patience: Patience) -> None:
        self.patience, self.slot = patience, 0
        self.pairs: dict[Pair, Known] = {}
        self.names: dict[str, str] = {}

    def fold(self, slot: int, rows: SlotRows) -> None:
        """One more slot."""
        self.slot = slot
        self.names |= rows.names
        listed = {pair for pair, known in rows.prices.items() if "spot" in known}
        for pair, prices in rows.prices.items():
            if pair in listed or pair in self.pairs:  # what never had a spot price is no spot workload
                known = self.pairs.setdefault(pair, Known())
                for part, price in prices.items():
                    if part == "spot" or price > 0:  # an unknown on-demand price is written as 0
                        self._confirm(known.parts[part], price)
        listed |= {pair for (pair, _, _), score in rows.scores.items() if score}
        answered = self._fold_scores(rows)
        for pair, rate in rows.rates.items():
            if pair in self.pairs:
                self._confirm(self.pairs[pair].parts["rate"], rate)
        for pair in listed:
            self.pairs[pair].listed = True
        self._look(rows, listed, answered)

    def _confirm(self, value: Value, known: Any) -> None:
        if value.known != known:
            value.known, value.began = known, self.slot
        value.confirmed, value.first_missed, value.missed_looks = self.slot, 0, 0

    def _fold_scores(self, rows: SlotRows) -> set[Workload]:
        """Returns the workloads in answers. An answer without a score makes no pair, and no regional workload."""
        for (pair, _, _), score in rows.scores.items():
            if score:
                self.pairs.setdefault(pair, Known())
        before = {(*pair, zone) for pair, known in self.pairs.items() for zone in known.zones}
        told = {
            what: score
            for what, score in rows.scores.items()
            if score or (what[0] in self.pairs and (what[1] != "Single" or (*what[0], "Single") in before))
        }
        for pair, name, _ in told:
            building = rows.buildings.get((pair, name), "")
            zone = self.pairs[pair].zones.setdefault(name, Zone())
            if building and zone.building and building != zone.building:
                zone.seen, zone.score = {}, {}  # another building is another history
            zone.building = building or zone.building
        for (pair, name, count), score in told.items():
            zone = self.pairs[pair].zones[name]
            if score:
                zone.seen.setdefault(count, {})[score] = self.slot
                if zone.score.get(count, (0, 0))[0] != score:
                    zone.score[count] = score, self.slot
        return {(*pair, name) for pair, name, _ in told}

    def _look(self, rows: SlotRows, listed: set[Pair], held: set[Workload]) -> None:
        """What was looked for and is not there."""
        asked = {workload[:2] for workload in held}
        for pair, known in self.pairs.items():
            for part, value in known.parts.items():
                if (part, pair[0]) in rows.looked and value.known is not None and value.confirmed != self.slot:
                    self._miss(value)
            if pair in listed or ("spot", pair[0]) in rows.looked:
                known.absence.look(self.slot, self.patience, there=pair in listed)
            for name, zone in known.zones.items():
                if pair in asked:
                    zone.absence.look(self.slot, self.patience, there=(*pair, name) in held)
        self._forget()

    def _forget(self) -> None:
        """What was retired long ago begins anew if it comes back, and so does the name of a region without any pair."""
        before = sum(1 + len(known.zones) for known in self.pairs.values())
        self.pairs = {pair: known for pair, known in self.pairs.items() if not self._forgotten(known.absence)}
        for known in self.pairs.values():
            known.zones = {name: zone for name, zone in known.zones.items() if not self._forgotten(zone.absence)}
        if before != sum(1 + len(known.zones) for known in self.pairs.values()):
            left = {region for region, _ in self.pairs}
            self.names = {region: name for region, name in self.names.items() if region in left}

    def _miss(self, value: Value) -> None:
        value.first_missed = value.first_missed or self.slot
        value.missed_looks += 1
        long_ago = self.slot - value.first_missed >= self.patience.hours * AN_HOUR
        if value.missed_looks >= self.patience.looks and long_ago:
            value.known = None

    def _retired(self, absence: Absence) -> bool:
        return absence.days >= self.patience.retire_days

    def _forgotten(self, absence: Absence) -> bool:
        return self._retired(absence) and absence.last <= self.slot // A_DAY - self.patience.forget_days

    def live(self) -> Iterator[tuple[Workload, Known, Zone]]:
        """The live workloads; a pair without a live zone is one of zone N/A."""
        for pair, known in self.pairs.items():
            if not known.listed or self._retired(known.absence):
                continue
            zones = [(name, zone) for name, zone in known.zones.items() if not self._retired(zone.absence)]
            for name, zone in zones or [("N/A", Zone())]:
                yield (*pair, name), known, zone


def threshold(zone: Zone, least: int) -> int | None:
    """T3 (``least`` 3) or T2 (2): the largest count that succeeded, unless a smaller one has failed since."""
    won = {count: max(at for score, at in seen.items() if score >= least)
           for count, seen in zone.seen.items() if max(seen) >= least}  # fmt: skip
    lost = {count: max(at for score, at in seen.items() if score < least)
            for count, seen in zone.seen.items() if min(seen) < least}  # fmt: skip
    below = dict(zip(COUNTS, (0, *COUNTS), strict=False))
    reached = [
        min([count, *(below[other] for other, failed in lost.items() if failed >= at)]) for count, at in won.items()
    ]
    return max(reached, default=0 if 1 in lost else None)


def savings(known: Known) -> float | None:
    """Percent of the on-demand price."""
    spot, ondemand = known.parts["spot"].known, known.parts["ondemand"].known
    return None if spot is None or ondemand is None else round((ondemand - spot) / ondemand * 100, 2)


def time_of(slot: int) -> datetime:
    """When a slot began."""
    return datetime.fromtimestamp(slot * 600, UTC)
