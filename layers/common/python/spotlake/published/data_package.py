"""Makes ``datapackage.json``: what the published files are, for programs (pure).

The form is Data Package 2.0 (datapackage.org, read 2026-11). A series of files that grows by the slot cannot be listed;
``pattern`` says how its keys are made, and ``path`` names what is there or one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NotRequired, TypedDict

import orjson

from spotlake import keys
from spotlake.published import columns
from spotlake.published.columns import Column

SCHEMA: Final = 1
_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_PARQUET, _CSV, _JSON = "application/vnd.apache.parquet", "text/csv", "application/json"
_TITLE = "Prices, eviction rates and placement scores of Azure Spot virtual machines"
_LINKS: Final = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}


class FieldJson(TypedDict):
    """A column."""

    name: str
    type: str
    description: str
    constraints: dict[str, bool]
    unit: NotRequired[str]
    format: NotRequired[str]
    missingValues: NotRequired[list[str]]


class SchemaJson(TypedDict):
    """The columns of a resource; "" is text where no field says otherwise."""

    fields: list[FieldJson]
    missingValues: list[str]


class ResourceJson(TypedDict):
    """One file, or a series of files that are alike."""

    name: str
    title: str
    path: list[str]
    format: str
    mediatype: str
    pattern: NotRequired[str]
    compression: NotRequired[str]
    encoding: NotRequired[str]
    schema: SchemaJson


@dataclass(frozen=True, kw_only=True)
class Series:
    """Keys of files that are there, by kind; each in order."""

    snapshots: Sequence[str] = ()
    days: Sequence[str] = ()
    states: Sequence[str] = ()
    first_states: Sequence[str] = ()
    workloads: Sequence[str] = ()
    before: Sequence[str] = ()
    gaps: Sequence[str] = ()
    sizes: Sequence[str] = ()


@dataclass(frozen=True)
class _Kind:
    name: str
    title: str
    columns: Sequence[Column]
    paths: Sequence[str]
    pattern: str = ""


def data_package(series: Series, *, edition: str, licence: str) -> bytes:
    """The JSON of the package.

    Args:
        series: Keys of the files. A resource without any file is left out.
        edition: Names what the package was made for; the same edition gives the same package.
        licence: SPDX name of the data's licence.
    """
    kinds = (
        _Kind("latest", "Every live workload of the newest slot", columns.LATEST_TABLE, [keys.LATEST_TABLE]),
        _Kind("latest-json", "The same at count 1, as SpotLake's page reads it", columns.LATEST, [keys.LATEST]),
        _Kind("sizes", "What every size has, and where it is sold", columns.SIZES, series.sizes),
        _Kind("snapshots", "The market at a slot", columns.SNAPSHOT, series.snapshots,
              "rawdata/azure/{YYYY}/{MM}/{DD}/{HH}-{MM}-00.csv.gz"),
        _Kind("days", "Changes of a day: all values of a workload from a change on", columns.CHANGES, series.days,
              "history/azure/days/day={YYYY-MM-DD}/changes.parquet"),
        _Kind("states", "All live workloads before a day's first slot", columns.STATE, series.states,
              "history/azure/states/day={YYYY-MM-DD}/state.parquet"),
        _Kind("first-states", "The same on the first day of a month, with the times of all values",
              columns.LATEST_TABLE,
              series.first_states, "history/azure/states/day={YYYY-MM-DD}/state.parquet"),
        _Kind("workloads", "Changes of a region in a month", columns.CHANGES, series.workloads,
              "history/azure/workloads/month={YYYY-MM}/{region}.parquet"),
        _Kind("before", "Spot prices of a region before the archive began", columns.BEFORE, series.before,
              "history/azure/before/{region}.parquet"),
        _Kind("gaps", "Slots that are missing or lack something, and why", columns.GAPS, series.gaps,
              "history/azure/gaps/month={YYYY-MM}.csv"),
    )  # fmt: skip
    package = {
        "$schema": _PROFILE,
        "name": "spotlake-azure",
        "title": _TITLE,
        "version": edition,
        "keywords": ["azure", "spot", "prices", "eviction rates", "placement scores"],
        "licenses": [_licence(licence)],
        "resources": [_resource(kind) for kind in kinds if kind.paths],
    }
    return orjson.dumps(package, option=orjson.OPT_INDENT_2)


def edition_of(body: bytes) -> str | None:
    """The edition of a stored package; None for anything else."""
    try:
        version = orjson.loads(body)["version"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None


def _licence(name: str) -> dict[str, str]:
    return {"name": name} | ({"path": _LINKS[name]} if name in _LINKS else {})


def _resource(kind: _Kind) -> ResourceJson:
    first = kind.paths[0].removesuffix(".gz")
    ending = first.rsplit(".", 1)[1]
    resource: ResourceJson = {
        "name": kind.name,
        "title": kind.title,
        "path": list(kind.paths),
        "format": ending,
        "mediatype": {"parquet": _PARQUET, "csv": _CSV, "json": _JSON}[ending],
        "schema": {"fields": [_field(one, is_text=ending != "parquet") for one in kind.columns], "missingValues": []},
    }
    if kind.pattern:
        resource["pattern"] = kind.pattern
    if ending != "parquet":
        resource["encoding"] = "utf-8"
    if first != kind.paths[0]:
        resource["compression"] = "gz"
    return resource


def _field(column: Column, *, is_text: bool) -> FieldJson:
    one: FieldJson = {
        "name": column.name,
        "type": column.type,
        "description": column.what,
        "constraints": {"required": not column.can_be_unknown},
    }
    if column.unit:
        one["unit"] = column.unit
    if column.form:
        one["format"] = column.form
    if is_text and column.unknown:
        one["missingValues"] = list(column.unknown)
    return one
