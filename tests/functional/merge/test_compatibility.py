"""The files as SpotLake's readers know them: columns, types, order, marks of the unknown, strict JSON, gzip."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.models import Dataset
from spotlake.stores.objects import MemoryObjects
from tests.functional.merge.conftest import REGION, SIZE, World

ASKED = "1|5|10|15|20|25|30|35|40|45|50"
NUMBER = r"\d+(\.\d+)?(e-\d+)?"
# Columns of the snapshot in their order, each with the whole form of a value as text. Newer columns follow.
FORMS: Mapping[str, str] = {
    "InstanceTier": "Standard|Basic",
    "InstanceType": r"(?!Standard_|Basic_)\w+",
    "Region": r"[A-Z]{2} [A-Z]\w+|koreacentral",  # its code until a price list has named it
    "OndemandPrice": rf"-1|(?!0(\.0)?$){NUMBER}",  # the price list's 0 is "unknown"
    "SpotPrice": f"-1|{NUMBER}",
    "Savings": f"-1|-?{NUMBER}",
    "IF": r"3\.0|2\.5|2\.0|1\.5|1\.0|-1",
    "DesiredCount": ASKED,
    "AvailabilityZone": "1|2|3|Single|N/A",
    "Score": "3|2|1|-1",
    "Time": r"\d{4}-\d\d-\d\d \d\d:\d0:00",
    "T2": f"-1|0|{ASKED}",
    "T3": f"-1|0|{ASKED}",
}
IN_LOWER_CASE = {
    "InstanceTier": "standard|basic",
    "InstanceType": "(?!standard_|basic_)[a-z0-9_]+",
    "Region": "[a-z]{2} [a-z]+|koreacentral",
}
NAMES = tuple(IN_LOWER_CASE)
TEXTS = frozenset({"InstanceTier", "InstanceType", "Region", "AvailabilityZone", "Time"})

SIZES = (SIZE, "Standard_NC24ads_A100_v4", "Basic_A1")
runs = st.fixed_dictionaries(
    {
        "scores": st.dictionaries(st.sampled_from(["1", "2", "Single"]), st.sampled_from([1, 2, 3, None]), max_size=3),
        "spot": st.sampled_from([0.0, 0.000001, 0.0142, 12.5, None]),
        "ondemand": st.sampled_from([0.0, 0.118, 98.32, None]),
        "band": st.sampled_from(["0-5", "5-10", "20+", "30-40", None]),
        "count": st.sampled_from([1, 5, 50]),
        "sizes": st.sampled_from([SIZES, SIZES[:1], SIZES[1:]]),
    }
)


AGED = ("PriceConfirmed", "IFConfirmed", "ScoreConfirmed")  # of values that the last look did not confirm


def unpacked(world: World, key: str) -> str:
    stored = world.objects.get(key)
    assert stored is not None
    return (gzip.decompress(stored.body) if key.endswith(".gz") else stored.body).decode()


def strict_json(text: str) -> Any:
    """As a browser reads it: NaN and Infinity are errors."""
    assert not re.search(r"[\[{,:]\s|\s[\]},:]", re.sub(r'"[^"]*"', '""', text)), "blanks between the values"
    return orjson.loads(text)


def held(form: str, value: object) -> bool:
    return re.fullmatch(form, str(value)) is not None


def check_snapshot(text: str, forms: Mapping[str, str], slot: str, count: int) -> list[dict[str, str]]:
    """The rows, when the text is a snapshot."""
    header, *lines = csv.reader(io.StringIO(text))
    assert header[: len(forms)] == list(forms)
    assert "id" not in header
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    for row in rows:
        assert all(row.values())
        for name, form in forms.items():
            assert held(form, row[name]), (name, row[name])
    assert {(row["Time"], row["DesiredCount"]) for row in rows} <= {(slot, str(count))}
    return rows


def check_latest(text: str, forms: Mapping[str, str], slot: str) -> list[dict[str, Any]]:
    """The rows, when the text is a latest file."""
    rows: list[dict[str, Any]] = strict_json(text)
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        assert list(row)[: len(forms) + 1] == ["id", *forms]
        assert set(row) - {"id", *forms} <= set(AGED)
        assert all(held(forms["Time"], row[name]) for name in AGED if name in row)
        for name, form in forms.items():
            assert isinstance(row[name], str) == (name in TEXTS), name
            assert held(form, row[name]), (name, row[name])
    assert {(row["Time"], row["DesiredCount"]) for row in rows} <= {(slot, 1)}
    return rows


def check_association(content: Any, selector: list[dict[str, str]]) -> None:
    """Read it as SpotLake's query page does: an array of one object, each size with an array ``Region``."""
    (sizes,) = content
    by_size = {size: {region for region in sizes[size]["Region"] if region != "nan"} for size in sizes}
    pairs = {(one["InstanceType"], one["Region"]) for one in selector}
    assert {(size, region) for size, regions in by_size.items() for region in regions} == pairs
    assert all(len(sizes[size]["Region"]) == len(regions) for size, regions in by_size.items())


@settings(deadline=None, max_examples=60)
@given(specs=st.lists(runs, min_size=1, max_size=3), casing=st.sampled_from(["source", "lower"]))
def test_every_file_of_every_run_has_the_readers_form(specs: list[dict[str, Any]], casing: str) -> None:
    forms = FORMS if casing == "source" else {**FORMS, **IN_LOWER_CASE}
    world = World()
    for number, spec in enumerate(specs):
        run = world.collected(number, **spec)
        world.merge(run, name_casing=casing)
        slot = f"2025-12-15 10:{number}0:00"
        in_snapshot = check_snapshot(unpacked(world, keys.snapshot(run.slot_at)), forms, slot, spec["count"])
        in_latest = check_latest(unpacked(world, keys.LATEST), forms, slot)
        key = (*NAMES, "AvailabilityZone")
        shown = [[row[name] for name in key] for row in in_latest]
        assert [[row[name] for name in key] for row in in_snapshot] == shown
        selector = strict_json(unpacked(world, keys.QUERY_SELECTOR))
        assert selector == [
            dict(zip(NAMES, one, strict=True)) for one in dict.fromkeys(tuple(row[:3]) for row in shown)
        ]
        check_association(strict_json(unpacked(world, keys.ASSOCIATION)), selector)


def test_what_is_unknown_is_marked_and_nothing_else_is(world: World) -> None:
    run = world.collected(0, spot=0.01, ondemand=None, band=None, scores={"2": None}, sizes=SIZES[:1])
    world.merge(run)
    (row,) = orjson.loads(unpacked(world, keys.LATEST))
    assert {name: row[name] for name in FORMS} == {
        "InstanceTier": "Standard", "InstanceType": "D2s_v5", "Region": "KR Central", "OndemandPrice": -1,
        "SpotPrice": 0.01, "Savings": -1, "IF": -1, "DesiredCount": 1, "AvailabilityZone": "2", "Score": -1,
        "Time": "2025-12-15 10:00:00", "T2": -1, "T3": -1,
    }  # fmt: skip
    (item,) = world.workloads.items.values()  # type: ignore[attr-defined]
    assert not {"OndemandPrice", "Savings", "IF", "IFAt", "Scores", "T2", "T3"} & set(item)


def test_zero_is_a_threshold_and_not_unknown(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 1}))
    (row,) = orjson.loads(unpacked(world, keys.LATEST))
    assert (row["T2"], row["T3"]) == (0, 0)


def test_names_with_signs_of_csv_and_json_stay_whole(world: World) -> None:
    run = world.collected(0, scores={"1": 3})
    name = 'KR "Central", \\new'
    world.shard(run, Dataset.PRICE, [{**world.price(SIZE, 0.01), "region_name": name}])
    world.merge(run)
    (row,) = csv.DictReader(io.StringIO(unpacked(world, keys.snapshot(run.slot_at))))
    assert (row["Region"], row["RegionCode"], row["ArmSkuName"]) == (name, REGION, SIZE)
    assert [one["Region"] for one in strict_json(unpacked(world, keys.LATEST))] == [name]


class Recording(MemoryObjects):
    """A bucket that remembers how each object was put."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[str, tuple[str | None, str | None]] = {}

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self.kinds[key] = options.get("content_type"), options.get("content_encoding")
        return super().put(key, body, **options)


def test_files_are_what_their_names_say() -> None:
    world = World(objects=(objects := Recording()))
    run = world.collected(0, scores={"1": 3})
    world.merge(run)
    for key in (keys.LATEST, keys.QUERY_SELECTOR, keys.ASSOCIATION):
        assert objects.kinds[key] == ("application/json", None)
        assert isinstance(orjson.loads(objects.objects[key]), list)
    assert not [key for key, (_, encoding) in objects.kinds.items() if encoding]
    packed = [key for key in objects.objects if key.endswith(".gz")]
    assert {keys.LATEST_PACKED, keys.snapshot(run.slot_at)} <= set(packed)
    assert all(gzip.decompress(objects.objects[key]) for key in packed)
    assert gzip.decompress(objects.objects[keys.LATEST_PACKED]) == objects.objects[keys.LATEST]


SPOILT: dict[str, Callable[[str], str]] = {
    "nan": lambda text: text.replace('"Score":3', '"Score":NaN'),
    "id from 0": lambda text: text.replace('"id":1,', '"id":0,'),
    "null": lambda text: text.replace('"SpotPrice":0.01', '"SpotPrice":null'),
    "number as text": lambda text: text.replace('"SpotPrice":0.01', '"SpotPrice":"0.01"'),
    "blanks": lambda text: text.replace(",", ", "),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_the_check_of_the_form_can_fail(world: World, kind: str) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    text, slot = unpacked(world, keys.LATEST), "2025-12-15 10:00:00"
    assert len(check_latest(text, FORMS, slot)) == 1
    assert SPOILT[kind](text) != text
    with pytest.raises((AssertionError, ValueError)):
        check_latest(SPOILT[kind](text), FORMS, slot)
