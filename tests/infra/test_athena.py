"""Tables for Athena, beside what the change history's files are."""

from __future__ import annotations

import re

from spotlake import keys
from spotlake.history.blocks import Block
from spotlake.history.fields import CHANGES, KEYS, VALUES
from spotlake.history.files import DAY, STATE, to_table
from tests.infra.conftest import Synthesised
from tests.infra.templates import Template

# Types of Hive that read a type of Arrow as Parquet holds it (Athena user guide, data types, read 2026-11).
HIVE = {
    "double": "double",
    "float": "float",
    "int8": "tinyint",
    "bool": "boolean",
    "timestamp[ms, tz=UTC]": "timestamp",
}


def test_there_is_none_of_it_by_default(template: Template) -> None:
    assert [kind for kind in ("AWS::Glue::Database", "AWS::Glue::Table", "AWS::Athena::WorkGroup")
            if template.of_type(kind)] == []  # fmt: skip


def test_tables_have_the_columns_of_the_files(synthesised: Synthesised) -> None:
    tables = {
        one["TableInput"]["Name"]: one["TableInput"] for one in synthesised.other.of_type("AWS::Glue::Table").values()
    }
    assert set(tables) == {"days", "states", "workloads"}
    changes, state = to_table(Block.empty(CHANGES), DAY), to_table(Block.empty((*KEYS, *VALUES)), STATE)
    for name, table in tables.items():
        schema = (state if name == "states" else changes).schema
        told = [(one["Name"], one["Type"]) for one in table["StorageDescriptor"]["Columns"]]
        assert told == [(field.name, HIVE.get(str(field.type), "string")) for field in schema]


def test_the_place_of_each_partition_is_that_of_the_keys(synthesised: Synthesised) -> None:
    from datetime import date

    day = date(2026, 3, 4)
    there = {
        "days": keys.history_day(day),
        "states": keys.history_state(day),
        "workloads": keys.history_region(day, "koreacentral"),
    }
    for table in synthesised.other.of_type("AWS::Glue::Table").values():
        given = table["TableInput"]
        template = given["Parameters"]["storage.location.template"]
        place = re.sub(r"\$\{(\w+)\}", lambda match: {"day": "2026-03-04", "month": "2026-03"}[match[1]], template)
        assert place == "s3://spotlake-other/" + there[given["Name"]].rsplit("/", 1)[0] + "/"
        assert f"projection.{given['PartitionKeys'][0]['Name']}.format" in given["Parameters"]


def test_a_query_has_a_limit_and_its_results_are_packed_away_and_deleted(synthesised: Synthesised) -> None:
    group = synthesised.other.only("AWS::Athena::WorkGroup")["WorkGroupConfiguration"]
    assert group["EnforceWorkGroupConfiguration"] is True
    assert group["BytesScannedCutoffPerQuery"] == 10 * 1024**3
    assert group["ResultConfiguration"]["OutputLocation"] == "s3://spotlake-other/athena/"
    rules = synthesised.other.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    days = {one["Prefix"]: one.get("ExpirationInDays") for one in rules if "Prefix" in one}
    assert (days["athena/"], days["rawdata/azure/2"]) == (7, 400)
