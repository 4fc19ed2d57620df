"""Each state document as it stands in the archive, word for word, and what it means."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from spotlake.merge.findings import Finding, Findings
from spotlake.models import Dataset
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.cover import Block
from spotlake.planning.doubt import Doubt
from spotlake.planning.lessons import InvalidNames, LocationScore
from spotlake.planning.price_memory import Compared, PriceMemory, Told, Unsold
from spotlake.planning.sweep import Sweep
from spotlake.scores.geography import Locations
from spotlake.sizes.facts import Offer, RegionSizes, SizeFacts, Sizes
from spotlake.sizes.geography import Geography
from spotlake.state.call_plan import CALL_PLAN, StoredPlan
from spotlake.state.catalogue import CATALOGUE
from spotlake.state.doubts import doubts_of
from spotlake.state.findings import FINDINGS
from spotlake.state.full_runs import FULL_RUNS, FullRuns
from spotlake.state.health import HEALTH
from spotlake.state.kinds import Memory
from spotlake.state.last_good import LAST_GOOD, LastGood
from spotlake.state.lessons import INVALID, LOCATION_HEALTH, RESTRICTED, KnownRestrictions
from spotlake.state.locations import LOCATIONS
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.state.production_seen import PRODUCTION_SEEN, ProductionSeen
from spotlake.state.refused_subscriptions import REFUSED_SUBSCRIPTIONS
from spotlake.state.sizes import SIZES
from spotlake.state.sweep import SWEEP
from spotlake.stores.objects import MemoryObjects

RUN = "20251215T1000Z"
AT, AT_TEXT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC), "2025-12-15T10:00:00Z"
LATER_AT, LATER = datetime(2025, 12, 15, 11, 10, tzinfo=UTC), "2025-12-15T11:10:00Z"
A, B = "Standard_A", "Standard_B"
FACTS = SizeFacts(
    instance_type="Standard_D2s_v5", series="Dsv5", vcpus=2, full_vcpus=4, memory_gib=8.0, gpus=0.5, has_gpu=True,
    architecture="x64", quota_family="standardDSv5Family", is_spot_capable=True, retires_on=date(2028, 9, 15),
    source="live",
)  # fmt: skip
FACTS_JSON = {
    "instance_type": "Standard_D2s_v5", "series": "Dsv5", "vcpus": 2, "full_vcpus": 4, "memory_gib": 8.0, "gpus": 0.5,
    "has_gpu": True, "architecture": "x64", "quota_family": "standardDSv5Family", "is_spot_capable": True,
    "retires_on": "2028-09-15", "source": "live",
}  # fmt: skip

# The document, its key and schema, its JSON without the schema, and its content.
DOCUMENTS: list[tuple[Memory[Any], str, int, Mapping[str, Any], Any]] = [
    (
        CALL_PLAN, "call_plan.json.gz", 1,
        {"pairs_digest": "d1", "blocks": [{"regions": ["r", "s"], "instance_types": [A, B]}]},
        StoredPlan(pairs_digest="d1", blocks=(Block(("r", "s"), (A, B)),)),
    ),
    (
        CATALOGUE, "catalogue.json.gz", 2,
        {"pairs": {"r": {A: "2025-12-15"}}, "names": {"r": "R One"}, "listed": {"r": ["2025-12-14", "2025-12-15"]}},
        Catalogue(pairs={"r": {A: "2025-12-15"}}, names={"r": "R One"}, listed={"r": ("2025-12-14", "2025-12-15")}),
    ),
    (
        doubts_of(Dataset.PRICE, "r"), "doubts/spot_price/r.json", 1,
        {"rows": 7, "first_at": AT_TEXT, "last_at": LATER, "looks": 2, "believed": True},
        Doubt(rows=7, first_at=AT_TEXT, last_at=LATER, looks=2, believed=True),
    ),
    (
        FINDINGS, "findings.json", 1,
        {"at": AT_TEXT, "seen": {"items_left": {"since": AT_TEXT, "told": LATER, "waits": True}}},
        Findings(at=AT_TEXT, seen={"items_left": Finding(since=AT_TEXT, told=LATER, waits=True)}),
    ),
    (
        FULL_RUNS, "full_runs.json", 1,
        {"begun_at": LATER, "done_at": AT_TEXT}, FullRuns(begun_at=LATER_AT, done_at=AT),
    ),
    (FULL_RUNS, "full_runs.json", 1, {"begun_at": None, "done_at": None}, FullRuns()),
    (
        HEALTH, "health.json", 3, {"kinds": {"full": {"Some.Error": AT_TEXT}}}, {"full": {"Some.Error": AT_TEXT}},
    ),
    (
        INVALID, "invalid_names.json.gz", 1,
        {"regions": {"r": RUN}, "instance_types": {A: RUN}},
        InvalidNames(regions={"r": RUN}, instance_types={A: RUN}),
    ),
    (
        RESTRICTED, "restricted_pairs.json.gz", 1,
        {"pairs": {"r": {A: RUN, B: "20251215T1010Z"}, "s": {A: RUN}}, "by_subscription": {"ab12": {"r": {B: RUN}}}},
        KnownRestrictions(
            pairs={("r", A): RUN, ("r", B): "20251215T1010Z", ("s", A): RUN}, by_subscription={"ab12": {("r", B): RUN}}
        ),
    ),
    (
        LOCATION_HEALTH, "location_health.json.gz", 1,
        {"locations": {"eastus": {"weight": 0.25, "run_id": RUN}}}, {"eastus": LocationScore(weight=0.25, run_id=RUN)},
    ),
    (
        LAST_GOOD, "last_good.json.gz", 1,
        {"rows": {"r": {"price": 9}}, "collected_at": {"r": {"sps": AT_TEXT}}, "ondemand_at": {"r": LATER}},
        LastGood(rows={"r": {"price": 9}}, collected_at={"r": {"sps": AT_TEXT}}, ondemand_at={"r": LATER}),
    ),
    (
        LOCATIONS, "locations.json.gz", 1,
        {
            "fetched_at": AT_TEXT, "routing": ["eastus", "westus"], "zones": {"r": {"ab12": {"1": "r-az2"}}},
            "failed": {"cd34": "AuthorizationFailed"}, "reference": "ab12",
            "geographies": {"r": ["Korea", "Asia Pacific"]},
        },
        Locations(
            fetched_at=AT, routing=("eastus", "westus"), zones={"r": {"ab12": {"1": "r-az2"}}},
            failed={"cd34": "AuthorizationFailed"}, reference="ab12",
            geographies={"r": Geography("Korea", "Asia Pacific")},
        ),
    ),
    (
        PRICE_MEMORY, "price_memory.json.gz", 1,
        {
            "unsold": {"r": {"at": AT_TEXT, "looks": 3}}, "absent": {"r": {"spot": {A: LATER}}},
            "told": {"unknown_kind": {"meter": {"first": AT_TEXT, "last": LATER}}},
            "witnessed": {"r": {"at": AT_TEXT, "agreeing": 5, "disagreeing": 1}},
        },
        PriceMemory(
            unsold={"r": Unsold(at=AT_TEXT, looks=3)}, absent={"r": {"spot": {A: LATER}}},
            told={"unknown_kind": {"meter": Told(first=AT_TEXT, last=LATER)}},
            witnessed={"r": Compared(at=AT_TEXT, agreeing=5, disagreeing=1)},
        ),
    ),
    (
        PRODUCTION_SEEN, "production_seen.json", 1,
        {"position": "2025-12-15 3", "since": AT_TEXT}, ProductionSeen(position="2025-12-15 3", since=AT_TEXT),
    ),
    (REFUSED_SUBSCRIPTIONS, "refused_subscriptions.json", 1, {"subscriptions": {"ab12": RUN}}, {"ab12": RUN}),
    (
        SIZES, "sizes.json.gz", 1,
        {
            "facts": [FACTS_JSON],
            "regions": {
                "r": {
                    "asked_at": AT_TEXT, "offers": [[0, "13", "2", True, "NotAvailable"]], "counts": {"odd": 1},
                    "odd": ["x"],
                }
            },
            "failed": {"s": "AzureRefusedError"},
        },
        Sizes(
            regions={
                "r": RegionSizes(
                    asked_at=AT, counts={"odd": 1}, odd=("x",),
                    offers={
                        "standard_d2s_v5": Offer(
                            facts=FACTS, zones=("1", "3"), restricted_zones=("2",), is_restricted=True,
                            reason="NotAvailable",
                        )
                    },
                )
            },
            failed={"s": "AzureRefusedError"},
        ),
    ),
    (
        SWEEP, "sweep.json.gz", 1,
        {
            "desired_count": 5, "began_at": AT_TEXT, "answered": {"5": {"b1": AT_TEXT}},
            "failed": {"5": {"b2": [2, LATER]}}, "next_began_at": LATER,
        },
        Sweep(
            desired_count=5, began_at=AT_TEXT, answered={5: {"b1": AT_TEXT}}, failed={5: {"b2": (2, LATER)}},
            next_began_at=LATER,
        ),
    ),
]  # fmt: skip


def stored(key: str, body: bytes) -> Any:
    return orjson.loads(gzip.decompress(body) if key.endswith(".gz") else body)


@pytest.mark.parametrize(("kind", "name", "schema", "told", "content"), DOCUMENTS, ids=[one[1] for one in DOCUMENTS])
def test_a_document_is_read_and_written_as_it_stands(
    kind: Memory[Any], name: str, schema: int, told: Mapping[str, Any], content: Any
) -> None:
    key = f"state/azure/{name}"
    body = orjson.dumps({"schema": schema, **told})
    objects = MemoryObjects("archive", {key: gzip.compress(body) if name.endswith(".gz") else body})
    notes: list[str] = []
    assert kind.read(objects, notes.append) == content
    assert notes == []
    fresh = MemoryObjects("archive", {})
    assert kind.read(fresh, notes.append) == kind.empty()
    kind.change(fresh, lambda before: content, notes.append)
    assert notes == []
    if content != kind.empty():
        assert stored(key, fresh.objects[key]) == {"schema": schema, **told}


@pytest.mark.parametrize(("kind", "name", "schema", "told", "content"), DOCUMENTS, ids=[one[1] for one in DOCUMENTS])
def test_a_damaged_document_starts_empty_and_is_told_of(
    kind: Memory[Any], name: str, schema: int, told: Mapping[str, Any], content: Any
) -> None:
    key = f"state/azure/{name}"
    for damage in (
        b"\x00",
        orjson.dumps({"schema": schema, next(iter(told)): 3}),
        orjson.dumps({"schema": 99, **told}),
    ):
        objects = MemoryObjects("archive", {key: gzip.compress(damage) if name.endswith(".gz") else damage})
        notes: list[str] = []
        assert kind.read(objects, notes.append) == kind.empty()
        assert len(notes) == 1
        assert key in notes[0]
        assert notes[0].endswith("; started empty")


OLDER: list[tuple[Memory[Any], str, Mapping[str, Any], Any]] = [
    (
        CATALOGUE, "catalogue.json.gz", {"schema": 1, "pairs": {}, "names": {}, "listed": {"r": "2025-12-15"}},
        Catalogue(listed={"r": ("2025-12-15",)}),
    ),
    (HEALTH, "health.json", {"schema": 1, "error": "X"}, {"incremental": {"X": "1970-01-01T00:00:00Z"}}),
    (HEALTH, "health.json", {"schema": 1, "error": None}, {}),
    (
        HEALTH, "health.json", {"schema": 2, "kinds": {"full": {"error": "Y"}, "incremental": {"error": None}}},
        {"full": {"Y": "1970-01-01T00:00:00Z"}},
    ),
    (
        LOCATIONS, "locations.json.gz",
        {"schema": 1, "fetched_at": AT_TEXT, "routing": ["eastus"], "zones": {}, "failed": {}},
        Locations(fetched_at=AT, routing=("eastus",), zones={}),
    ),
    (
        LAST_GOOD, "last_good.json.gz", {"schema": 1, "rows": {"r": {"if": 1}}, "ondemand_at": {}},
        LastGood(rows={"r": {"if": 1}}),
    ),
    (INVALID, "invalid_names.json.gz", {"schema": 1}, InvalidNames()),
    (RESTRICTED, "restricted_pairs.json.gz", {"schema": 1}, KnownRestrictions()),
    (LOCATION_HEALTH, "location_health.json.gz", {"schema": 1}, {}),
    (
        SWEEP, "sweep.json.gz", {"schema": 1, "desired_count": 1, "began_at": None, "answered": {"1": {"b": AT_TEXT}}},
        Sweep(answered={1: {"b": AT_TEXT}}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "told", "content"), OLDER, ids=[f"{one[1]} {number}" for number, one in enumerate(OLDER)]
)
def test_a_document_of_the_past_is_read(kind: Memory[Any], name: str, told: Any, content: Any) -> None:
    body, notes = orjson.dumps(told), list[str]()
    objects = MemoryObjects("archive", {f"state/azure/{name}": gzip.compress(body) if name.endswith(".gz") else body})
    assert kind.read(objects, notes.append) == content
    assert notes == []
