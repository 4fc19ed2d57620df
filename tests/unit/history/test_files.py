"""The history's Parquet files: what any reader sees in them, and what comes back."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spotlake.errors import DamagedStateError
from spotlake.history.blocks import Block
from spotlake.history.fields import CHANGES, FRAME, TIME_NOTES
from spotlake.history.files import (
    DAY,
    NOTES,
    REGION,
    STATE_WITH_TIMES,
    Layout,
    block_of,
    from_parquet,
    read_table,
    replaced,
    to_parquet,
    to_table,
)
from spotlake.models import DESIRED_COUNTS
from tests.support.errors import says
from tests.unit.history.blocks import ONDEMAND, RATE, SPOT, block, frame, told, workload

SLOT = 2_940_000  # 2025-11-24 16:00 UTC, in ten minutes since the epoch
AT = datetime(2025, 11, 24, 16, 0, tzinfo=UTC)
NOTE_NAMES = ("region", "instance_type", "zone", "slot", "field", "at")


def changes() -> Block:
    known: dict[str, Any] = {
        SPOT: 0.1, ONDEMAND: 0.5, RATE: 2.5, "score_1": 3, "t2": 5, "t3": 0, "physical_zone": "r-az1",
        "region_name": "R",
    }  # fmt: skip
    return block(
        CHANGES,
        {"region": "r", "instance_type": "A", "zone": "1", "slot": SLOT, "live": True, **known},
        {"region": "r", "instance_type": "A", "zone": "N/A", "slot": SLOT + 1, "live": False},
        {"region": "s", "instance_type": "A", "zone": "Single", "slot": SLOT, "live": True},
    )


def notes() -> Block:
    return block(
        TIME_NOTES,
        {"region": "r", "slot": SLOT, "field": f"{SPOT}_confirmed", "at": SLOT},
        {"region": "r", "instance_type": "A", "zone": "2", "slot": SLOT, "field": "score_5_began", "at": None},
    )


def test_a_reader_sees_texts_numbers_and_moments_and_null_for_what_is_unknown() -> None:
    first, second, third = pq.read_table(io.BytesIO(to_parquet(changes(), DAY))).to_pylist()
    unknown = dict.fromkeys(
        (SPOT, ONDEMAND, RATE, *(f"score_{count}" for count in DESIRED_COUNTS), "t2", "t3", "physical_zone",
         "region_name")
    )  # fmt: skip
    assert first == {
        "region": "r", "instance_type": "A", "zone": "1", "changed_at": AT, "live": True, **unknown, SPOT: 0.1,
        ONDEMAND: 0.5, RATE: 2.5, "score_1": 3, "t2": 5, "t3": 0, "physical_zone": "r-az1", "region_name": "R",
    }  # fmt: skip
    assert second == {
        "region": "r", "instance_type": "A", "zone": "N/A", "changed_at": datetime(2025, 11, 24, 16, 10, tzinfo=UTC),
        "live": False, **unknown,
    }  # fmt: skip
    assert third == {"region": "s", "instance_type": "A", "zone": "Single", "changed_at": AT, "live": True, **unknown}
    look, single = pq.read_table(io.BytesIO(to_parquet(notes(), NOTES))).to_pylist()
    assert look == {
        "region": "r", "instance_type": None, "zone": None, "changed_at": AT, "field": f"{SPOT}_confirmed", "at": AT,
    }  # fmt: skip
    assert single == {
        "region": "r", "instance_type": "A", "zone": "2", "changed_at": AT, "field": "score_5_began", "at": None,
    }  # fmt: skip


def test_columns_have_their_types() -> None:
    moment, text = pa.timestamp("ms", tz="UTC"), pa.dictionary(pa.int32(), pa.string())
    schema = to_table(changes(), DAY).schema
    assert {name: schema.field(name).type for name in schema.names} == {
        "region": text, "instance_type": text, "zone": text, "physical_zone": text, "region_name": text,
        "changed_at": moment, "live": pa.bool_(), SPOT: pa.float64(), ONDEMAND: pa.float64(), RATE: pa.float32(),
        **{f"score_{count}": pa.int8() for count in DESIRED_COUNTS}, "t2": pa.int8(), "t3": pa.int8(),
    }  # fmt: skip
    assert to_table(changes(), Layout(columns=("slot", "region"))).column_names == ["changed_at", "region"]
    held = to_table(changes().take(np.array([2])), DAY).column("region").combine_chunks().dictionary.to_pylist()
    assert held == ["s"]  # and no other text


def written(body: bytes) -> pq.FileMetaData:
    return pq.ParquetFile(io.BytesIO(body)).metadata


@pytest.mark.parametrize(("layout", "given", "times"), [(DAY, changes, []), (REGION, changes, ["changed_at"]),
                                                        (NOTES, notes, ["changed_at", "at"])])  # fmt: skip
def test_files_are_small_and_easy_to_skip_in(layout: Layout, given: Any, times: list[str]) -> None:
    about = written(to_parquet(given(), layout))
    group = about.row_group(0)
    columns = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}
    assert about.format_version == "2.6"
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    keys = {"region", "instance_type", "zone", "changed_at"}
    assert {name for name, column in columns.items() if column.is_stats_set} == keys
    delta = {name for name, column in columns.items() if "DELTA_BINARY_PACKED" in column.encodings}
    plain = {name for name, column in columns.items() if column.has_dictionary_page}
    assert (delta, plain) == (set(times), set(columns) - set(times) - {"live"})
    names = list(columns)
    assert [(names[one.column_index], one.descending) for one in group.sorting_columns] == [
        (name, False) for name in names if name in keys
    ]
    assert about.metadata is None  # no schema of Arrow's own, and nothing about the file


def test_large_files_have_groups_of_rows_of_their_layout_s_size() -> None:
    many = changes().take(np.zeros(5, np.int64))
    found = written(to_parquet(many, Layout(columns=CHANGES, group_rows=2)))
    assert [found.row_group(number).num_rows for number in range(found.num_row_groups)] == [2, 2, 1]


def test_files_are_packed_better_than_by_default() -> None:
    """The sizes vary by some percents: the prices and times here follow no simple rule."""
    rows = [
        {
            "region": f"r{number // 40 % 7}", "instance_type": f"Standard_D{number // 8}s_v{number % 5}",
            "zone": "123"[number % 3], "slot": SLOT + number * 7 % 144, "live": True,
            SPOT: number * number % 977 / 1000, "score_1": number * number % 4,
        }
        for number in range(300)
    ]  # fmt: skip
    many, sink = block(CHANGES, *rows), io.BytesIO()
    pq.write_table(to_table(many, DAY), sink, compression="zstd", store_schema=False)
    assert len(to_parquet(many, DAY)) < 0.98 * len(sink.getvalue())


def test_what_is_told_about_a_file_stands_in_its_footer_in_order_of_names() -> None:
    body = to_parquet(changes(), DAY, {"b": [1], "a": "é"})
    assert written(body).metadata == {b"spotlake": '{"a":"é","b":[1]}'.encode()}
    _, about = from_parquet(body, CHANGES, "k")
    table, again = read_table(body, "k")
    assert about == again == {"a": "é", "b": [1]}
    assert (table.num_rows, table.column("region").to_pylist()) == (3, ["r", "r", "s"])
    assert from_parquet(to_parquet(changes(), DAY), CHANGES, "k")[1] is None
    assert read_table(to_parquet(changes(), DAY), "k")[1] is None


def test_blocks_come_back_as_they_were() -> None:
    for given, layout, names in (
        (changes(), DAY, CHANGES),
        (notes(), NOTES, TIME_NOTES),
        (frame(workload("r", "A", "1", spot=(0.1, 7, 0), rate=(1.5, 1, 2), t2=50)), STATE_WITH_TIMES, FRAME),
        (Block.empty(CHANGES), DAY, CHANGES),
        (Block.empty(TIME_NOTES), NOTES, TIME_NOTES),
    ):
        found, _ = from_parquet(to_parquet(given, layout), names, "k")
        assert (told(found, *names), found.texts) == (told(given, *names), given.texts)
        assert {name: column.dtype for name, column in found.columns.items()} == {
            name: column.dtype for name, column in given.columns.items()
        }
    few, _ = from_parquet(to_parquet(changes(), DAY), ("slot", "live", SPOT), "k")
    assert told(few, "slot", "live", SPOT) == [(SLOT, True, 0.1), (SLOT + 1, False, None), (SLOT, True, None)]


def test_a_table_of_several_parts_and_of_plain_texts_is_a_block() -> None:
    def part(region: str | None, zone: str | None, at: datetime | None, score: int | None) -> pa.Table:
        return pa.table(
            {
                "region": pa.array([region], pa.string()), "zone": pa.array([zone], pa.string()),
                "field": pa.array(["score_1_began"], pa.string()),
                "changed_at": pa.array([at], pa.timestamp("ms", tz="UTC")), "score_1": pa.array([score], pa.int8()),
                SPOT: pa.array([None if score is None else score / 2], pa.float64()),
            }
        )  # fmt: skip

    table = pa.concat_tables([part("s", "2", AT, 3), part(None, None, None, None), part("r", "N/A", AT, 1)])
    found = block_of(table, ("region", "zone", "field", "slot", "score_1", SPOT))
    assert found.texts == ["", "r", "s"]
    assert told(found, "region", "zone", "field", "slot", "score_1", SPOT) == [
        ("s", "2", "score_1_began", SLOT, 3, 1.5),
        ("", None, "score_1_began", 0, 0, None),
        ("r", "N/A", "score_1_began", SLOT, 1, 0.5),
    ]
    no_parts = block_of(table.slice(0, 0), ("region", "zone", "slot"))
    assert (len(no_parts), no_parts["zone"].dtype.str) == (0, "|i1")


def test_a_damaged_file_or_one_that_lacks_a_column_is_named() -> None:
    body = to_parquet(changes(), Layout(columns=("region", "slot")))
    with says(DamagedStateError, "k/a: damaged (ArrowInvalid)"):
        from_parquet(b"PAR1 this is none PAR1", ("region",), "k/a")
    with says(DamagedStateError, "k/b: damaged (ArrowInvalid)"):
        read_table(b"", "k/b")
    with says(DamagedStateError, "k/c: damaged (KeyError)"):
        from_parquet(body, ("region", "zone"), "k/c")


def table_of(**columns: Any) -> bytes:
    """A sound file of one row, with some other columns than ours."""
    sink = io.BytesIO()
    plain = {"region": ["r"], "zone": ["1"], "changed_at": [AT], "score_1": pa.array([3], pa.int8())}
    pq.write_table(pa.table({**plain, **columns}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        table_of(zone=["9"]), table_of(score_1=["high"]), table_of(changed_at=[[1]]), table_of(region=[[1]]),
        to_parquet(changes(), DAY, {}).replace(b"{}", b"{x"),
        to_parquet(changes(), DAY).replace(b"(\xb5/\xfd", b"zstd"),
    ],
    ids=["zone", "number", "time", "text", "footer", "page"],
)  # fmt: skip
def test_whatever_is_wrong_in_a_file_it_is_named_as_damaged(body: bytes) -> None:
    with pytest.raises(DamagedStateError, match=r"^k/d: damaged \(\w+\)$"):
        from_parquet(body, ("region", "zone", "slot", "score_1"), "k/d")


def test_a_file_with_any_odd_byte_is_read_or_named_as_damaged() -> None:
    """What is named as damaged is made again from other files; any other error would stop each run."""
    sound, refused = to_parquet(notes(), NOTES, {"a": "b"}), 0
    for place in range(0, len(sound), 5):
        odd = bytearray(sound)
        odd[place] ^= 0xFF
        for read in (lambda body: from_parquet(body, TIME_NOTES, "k"), lambda body: read_table(body, "k")):
            try:
                read(bytes(odd))
            except DamagedStateError:
                refused += 1
    assert refused > len(sound) // 5


def test_the_rows_of_some_slots_are_replaced() -> None:
    def rows(*given: tuple[str, int, float]) -> Block:
        return block(
            CHANGES,
            *({"region": "r", "instance_type": size, "zone": "1", "slot": slot, SPOT: spot, "live": True}
              for size, slot, spot in given)
        )  # fmt: skip

    before = rows(("A", 1, 1.0), ("A", 2, 2.0), ("A", 3, 3.0), ("B", 2, 4.0))
    found = replaced(before, [2, 9], rows(("C", 2, 7.0), ("A", 9, 8.0), ("B", 2, 9.0)))
    assert told(found, "instance_type", "slot", SPOT) == [
        ("A", 1, 1.0), ("A", 3, 3.0), ("A", 9, 8.0), ("B", 2, 9.0), ("C", 2, 7.0),
    ]  # fmt: skip

    def note(size: str, slot: int, field: str) -> dict[str, Any]:
        return {"region": "r", "instance_type": size, "zone": "1", "slot": slot, "field": field, "at": 1}

    noted = block(TIME_NOTES, note("A", 1, "score_5_began"), note("A", 3, "score_1_began"))
    more = block(TIME_NOTES, note("A", 2, "score_1_began"), note("A", 2, "score_5_began"))
    assert told(replaced(noted, [2], more), "field", "slot") == [
        ("score_1_began", 2), ("score_1_began", 3), ("score_5_began", 1), ("score_5_began", 2),
    ]  # fmt: skip
