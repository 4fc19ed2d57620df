"""``datapackage.json`` describes the files as they are: each file of an archive is read and compared."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from spotlake import keys
from spotlake.settings import Settings
from tests.functional.history.conftest import keep
from tests.functional.merge.conftest import World, world
from tests.functional.reading.conftest import Kept

__all__ = ["world"]
ARROW = {
    "string": {"string"},
    "number": {"double", "float"},
    "integer": {"int8"},
    "boolean": {"bool"},
    "datetime": {"timestamp[ms, tz=UTC]"},
}
READ: dict[str, Callable[[str], object]] = {
    "string": str,
    "number": float,
    "integer": int,
    "boolean": {"true": True, "false": False}.__getitem__,
}


@pytest.fixture(scope="module")
def package(kept: Kept) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads((kept.folder / keys.DATA_PACKAGE).read_bytes())
    return content


def test_every_kind_of_file_is_there_with_paths_that_exist(kept: Kept, package: dict[str, Any]) -> None:
    names = {one["name"]: one for one in package["resources"]}
    assert set(names) == {"latest", "latest-json", "snapshots", "days", "states", "first-states", "workloads", "gaps"}
    assert all((kept.folder / path).is_file() for one in names.values() for path in one["path"])
    for folder, kinds in (("days", ["days"]), ("states", ["states", "first-states"]), ("workloads", ["workloads"]),
                          ("gaps", ["gaps"])):  # fmt: skip
        there = [
            path.relative_to(kept.folder).as_posix() for path in (kept.folder / "history/azure" / folder).rglob("*.*")
        ]
        assert sorted(path for name in kinds for path in names[name]["path"]) == sorted(there)


def test_every_parquet_file_has_the_columns_and_types_that_are_told(kept: Kept, package: dict[str, Any]) -> None:
    for resource in package["resources"]:
        for path in resource["path"] if resource["format"] == "parquet" else []:
            schema = pq.read_schema(kept.folder / path)
            told = resource["schema"]["fields"]
            assert [one["name"] for one in told] == schema.names, path
            for one in told:
                kind = str(schema.field(one["name"]).type)
                assert kind in ARROW[one["type"]], (path, one["name"], kind)


def test_every_line_of_text_is_as_it_is_told(kept: Kept, package: dict[str, Any]) -> None:
    for resource in package["resources"]:
        for path in resource["path"] if resource["format"] == "csv" else []:
            body = (kept.folder / path).read_bytes()
            text = gzip.decompress(body) if resource.get("compression") == "gz" else body
            check_lines(list(csv.reader(text.decode().splitlines())), resource["schema"]["fields"])


def check_lines(lines: list[list[str]], fields: list[dict[str, Any]]) -> None:
    header, *rows = lines
    assert header == [one["name"] for one in fields]
    assert rows
    for row in rows:
        for value, one in zip(row, fields, strict=True):
            if value in one.get("missingValues", []):
                continue
            assert value, one["name"]
            if one["type"] == "datetime":
                form = one.get("format")
                assert datetime.strptime(value, form) if form else datetime.fromisoformat(value).tzinfo  # noqa: DTZ007
            else:
                READ[one["type"]](value)


def test_every_object_of_the_latest_file_has_the_members_that_are_told(kept: Kept, package: dict[str, Any]) -> None:
    (resource,) = [one for one in package["resources"] if one["name"] == "latest-json"]
    told = {one["name"]: one for one in resource["schema"]["fields"]}
    for row in orjson.loads((kept.folder / keys.LATEST).read_bytes()):
        assert set(row) <= set(told)
        for name, value in row.items():
            assert isinstance(value, str) == (told[name]["type"] in ("string", "datetime")), name


def test_the_licence_is_a_setting_and_says_where_it_stands(package: dict[str, Any], world: World) -> None:
    assert package["licenses"] == [
        {"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}]  # fmt: skip
    world.merge(world.collected(0, scores={"1": 3}))
    for licence in ("CC-BY-4.0", "ODbL-1.0"):
        keep(world.objects, settings=Settings(data_licence=licence))
    stored = world.objects.get(keys.DATA_PACKAGE)
    assert stored is not None
    assert orjson.loads(stored.body)["licenses"] == [{"name": "ODbL-1.0"}]


@pytest.mark.parametrize(("minutes", "writes"), [(1, False), (84, True)])
def test_it_is_written_when_a_day_begins_and_not_each_slot(world: World, minutes: int, writes: bool) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    keep(world.objects)
    before = world.objects.etag(keys.DATA_PACKAGE)
    world.merge(world.collected(minutes, scores={"1": 2}))
    keep(world.objects)
    assert (world.objects.etag(keys.DATA_PACKAGE) != before) == writes


def test_a_damaged_one_is_written_again(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    keep(world.objects)
    good = world.objects.etag(keys.DATA_PACKAGE)
    world.objects.put(keys.DATA_PACKAGE, b"[]")
    keep(world.objects)
    assert world.objects.etag(keys.DATA_PACKAGE) == good
