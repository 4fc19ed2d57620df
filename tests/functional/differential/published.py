"""What readers would find of a plain archive: rows of the snapshot and of latest, items of the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.functional.differential.model import (
    A_DAY,
    Archive,
    Attempt,
    Known,
    Patience,
    Published,
    SlotRows,
    Value,
    Zone,
    savings,
    threshold,
    time_of,
)  # fmt: skip


def folded(attempts: Iterable[Attempt], patience: Patience) -> Iterable[tuple[int, SlotRows, Archive]]:
    """The archive after each slot, in order of time. It is one archive, which goes on."""
    merged = [one for one in attempts if one.merged]
    archive = Archive(patience)
    for slot in sorted({one.slot for one in merged}):
        rows = SlotRows(one for one in merged if one.slot == slot)
        archive.fold(slot, rows)
        yield slot, rows, archive


def snapshot(archive: Archive, count: int) -> Published:
    """Rows by workload, as docs/data.md has their columns."""
    return {workload: {
        **_figures(archive, workload[0], known, zone, count),
        "RegionCode": workload[0],
        "PhysicalZone": zone.building or "N/A",
        "PriceTime": _time(known.parts["spot"].began),
        "IFTime": _time(known.parts["rate"].began),
        "ScoreTime": _time(zone.score.get(count, (0, 0))[1]),
        "PriceConfirmed": _time(known.parts["spot"].confirmed),
        "IFConfirmed": _time(known.parts["rate"].confirmed),
        "ScoreConfirmed": _time(_answered(zone, count)),
    } for workload, known, zone in archive.live()}  # fmt: skip


def latest(archive: Archive) -> Published:
    """Objects by workload: the figures at count 1, and confirmed times of what is old."""
    found: Published = {}
    for workload, known, zone in archive.live():
        found[workload] = _figures(archive, workload[0], known, zone, 1)
        for name, value in (("PriceConfirmed", known.parts["spot"]), ("IFConfirmed", known.parts["rate"])):
            if value.first_missed:
                found[workload][name] = _time(value.confirmed)
        if 0 < _answered(zone, 1) < archive.slot - A_DAY:
            found[workload]["ScoreConfirmed"] = _time(_answered(zone, 1))
    return found


def items(archive: Archive) -> Published:
    """Items of live workloads, without what the writer says of itself. An unknown value has no attribute."""
    return {workload: _item(archive, workload[0], workload[2], known, zone) for workload, known, zone in archive.live()}


def _item(archive: Archive, region: str, name: str, known: Known, zone: Zone) -> dict[str, Any]:
    spot, ondemand, rate = known.parts["spot"], known.parts["ondemand"], known.parts["rate"]
    frequency, band = rate.known or (None, None)
    told = {
        "Region": region,
        "RegionName": archive.names.get(region, region),
        "AvailabilityZone": name,
        "PhysicalZone": zone.building or None,
        "SpotPrice": spot.known,
        "OndemandPrice": ondemand.known,
        "Savings": savings(known),
        "PriceAt": None if spot.known is None else _iso(spot.began),
        "IF": frequency,
        "EvictionBand": band,
        "IFAt": None if frequency is None else _iso(rate.began),
        "PriceConfirmedAt": _iso(spot.confirmed) if spot.first_missed else None,
        "IFConfirmedAt": _iso(rate.confirmed) if rate.first_missed else None,
        "Scores": {str(count): {"s": score, "at": _iso(began)} for count, (score, began) in zone.score.items()} or None,
        "T2": threshold(zone, 2),
        "T3": threshold(zone, 3),
    }
    return {attribute: value for attribute, value in told.items() if value is not None}


def _figures(archive: Archive, region: str, known: Known, zone: Zone, count: int) -> dict[str, Any]:
    rate: Value = known.parts["rate"]
    told = {
        "Region": archive.names.get(region, region),
        "OndemandPrice": known.parts["ondemand"].known,
        "SpotPrice": known.parts["spot"].known,
        "Savings": savings(known),
        "IF": rate.known and rate.known[0],
        "DesiredCount": count,
        "Score": zone.score.get(count, (None, 0))[0],
        "Time": _time(archive.slot),
        "T2": threshold(zone, 2),
        "T3": threshold(zone, 3),
    }
    return {name: -1 if value is None else value for name, value in told.items()}


def _answered(zone: Zone, count: int) -> int:
    return max(zone.seen.get(count, {}).values(), default=0)


def _time(slot: int) -> str:
    return f"{time_of(slot):%Y-%m-%d %H:%M:%S}" if slot else "N/A"


def _iso(slot: int) -> str:
    return f"{time_of(slot):%Y-%m-%dT%H:%M:%SZ}"
