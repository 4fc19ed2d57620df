"""Joins facts of sizes and geographies to rows of workloads, by the published file of sizes (docs/sizes.md)."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from spotlake import keys
from spotlake.archive.places import Place
from spotlake.errors import DamagedStateError
from spotlake.packing import unpack
from spotlake.sizes.facts import facts_of
from spotlake.sizes.geography import geography_of

# Column of the published file -> ours, with its type.
_FACTS: dict[str, tuple[str, pa.DataType]] = {
    "RegionCode": ("region", pa.string()),
    "ArmSkuName": ("instance_type", pa.string()),
    "Series": ("series", pa.string()),
    "VCpus": ("vcpus", pa.int32()),
    "MemoryGiB": ("memory_gib", pa.float64()),
    "Gpus": ("gpus", pa.float64()),
    "HasGpu": ("has_gpu", pa.bool_()),
    "Architecture": ("architecture", pa.string()),
    "Source": ("facts_source", pa.string()),
    "Geography": ("geography", pa.string()),
    "GeographyGroup": ("geography_group", pa.string()),
}
_SCHEMA = pa.schema([pa.field(name, kind) for name, kind in _FACTS.values()])
_PAIR = ["region", "instance_type"]


def facts_table(place: Place) -> pa.Table:
    """The published facts, a row a region and size; no row when there is no such file yet.

    Raises:
        DamagedStateError: The file is damaged.
    """
    found = place.get(keys.LATEST_SIZES)
    if found is None:
        return _SCHEMA.empty_table()
    try:
        read = pyarrow.csv.read_csv(
            io.BytesIO(unpack(found.body)),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(_FACTS),
                column_types={name: kind for name, (_, kind) in _FACTS.items()},
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        raise DamagedStateError(f"{place.bucket}/{keys.LATEST_SIZES}: damaged ({type(error).__name__})") from error
    return read.rename_columns([name for name, _ in _FACTS.values()])


def with_facts(table: pa.Table, facts: pa.Table) -> pa.Table:
    """Workloads with the facts of their sizes, in their order.

    A size that the file lacks has what its name tells (``facts_source`` is "name"). The price of a vCPU follows.
    """
    pairs = table.select(_PAIR).group_by(_PAIR).aggregate([])
    untold = pairs.join(facts.select(_PAIR), _PAIR, join_type="left anti")
    known = pa.concat_tables([facts, _read_from_names(untold)]) if len(untold) else facts
    numbered = table.select(_PAIR).append_column("row", pa.array(np.arange(len(table), dtype=np.int32)))
    joined = numbered.join(known, _PAIR, join_type="left outer").sort_by("row")  # a join keeps no order
    for name in _SCHEMA.names[len(_PAIR) :]:
        table = table.append_column(name, joined[name])
    spot, ondemand = table["spot_price_usd_per_hour"], table["ondemand_price_usd_per_hour"]
    savings = pc.multiply(pc.divide(pc.subtract(ondemand, spot), ondemand), 100.0)
    per_vcpu = pc.divide(spot, pc.cast(table["vcpus"], pa.float64()))
    return table.append_column("spot_price_usd_per_vcpu_hour", per_vcpu).append_column(
        "savings_percent", pc.round(savings, 2)
    )


def _read_from_names(pairs: pa.Table) -> pa.Table:
    """Facts of pairs from the names of their sizes and regions alone. Each name is read once."""
    sizes = {name: facts_of(name) for name in pc.unique(pairs["instance_type"]).to_pylist()}
    places = {name: geography_of(name) for name in pc.unique(pairs["region"]).to_pylist()}
    of_sizes = pa.Table.from_pylist(
        [
            {
                "instance_type": name,
                "series": one.series,
                "vcpus": one.vcpus,
                "memory_gib": one.memory_gib,
                "gpus": one.gpus,
                "has_gpu": one.has_gpu,
                "architecture": one.architecture,
                "facts_source": one.source,
            }
            for name, one in sizes.items()
        ],
        schema=pa.schema([_SCHEMA.field(name) for name in _SCHEMA.names if not name.startswith(("geo", "region"))]),
    )
    of_regions = pa.Table.from_pylist(
        [
            {"region": name, "geography": one and one.geography, "geography_group": one and one.group}
            for name, one in places.items()
        ],
        schema=pa.schema([_SCHEMA.field(name) for name in ("region", "geography", "geography_group")]),
    )
    told = pairs.join(of_sizes, "instance_type", join_type="inner").join(of_regions, "region", join_type="inner")
    return told.select(_SCHEMA.names).cast(_SCHEMA)
