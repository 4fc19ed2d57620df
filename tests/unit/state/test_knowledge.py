"""What the collectors are told of earlier runs, gathered from documents that may be missing, damaged or unreadable."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.doubt import Doubt
from spotlake.planning.lessons import InvalidNames, Learnt, LocationScore
from spotlake.planning.score_knowledge import ScoreKnowledge
from spotlake.reports import CollectorReport, Findings
from spotlake.scores.geography import Locations
from spotlake.state.doubts import doubts_of, is_believed
from spotlake.state.figures import NOT_COUNTED, encode_figures, read_figures
from spotlake.state.health import is_news, note_reported
from spotlake.state.lessons import (
    INVALID,
    LOCATION_HEALTH,
    RESTRICTED,
    KnownRestrictions,
    learn_from,
    read_invalid_names,
    read_learnt,
)
from spotlake.state.locations import LOCATIONS
from spotlake.state.refused_subscriptions import REFUSED_SUBSCRIPTIONS
from spotlake.state.score_knowledge import read_score_knowledge
from spotlake.stores.objects import MemoryObjects

AT = datetime(2026, 11, 23, 10, 10, tzinfo=UTC)
RUN_ID = "20261123T1010Z"
A, B = "Standard_A1", "Standard_B2"
NAMES = InvalidNames(regions={"r": RUN_ID}, instance_types={A: RUN_ID})
KNOWN = KnownRestrictions(pairs={("r", A): RUN_ID}, by_subscription={"ab12": {("s", B): RUN_ID}})
HEALTH = {"eastus": LocationScore(weight=0.5, run_id=RUN_ID)}


def store() -> MemoryObjects:
    return MemoryObjects("archive", {})


def run(at: datetime = AT) -> Run:
    return Run(
        run_id=f"{at:%Y%m%dT%H%MZ}", attempt=1, mode=Mode.FULL, desired_counts=(1,), started_at=at, owner="me"
    )  # fmt: skip


def test_what_was_learnt_is_read_from_three_documents() -> None:
    objects, notes = store(), list[str]()
    assert read_learnt(objects, notes.append) == Learnt()
    INVALID.write(objects, NAMES)
    RESTRICTED.change(objects, lambda _: KNOWN)
    LOCATION_HEALTH.write(objects, HEALTH)
    assert read_learnt(objects, notes.append) == Learnt(
        invalid=NAMES, restricted=KNOWN.pairs, restricted_for=KNOWN.by_subscription, health=HEALTH
    )
    assert (read_invalid_names(objects), notes) == (NAMES, [])


def test_what_is_damaged_is_told_of_each_document() -> None:
    damaged = [keys.RESTRICTED_PAIRS, keys.INVALID_NAMES, keys.LOCATION_HEALTH]
    objects, notes = MemoryObjects("archive", dict.fromkeys(damaged, gzip.compress(b"{"))), list[str]()
    assert read_learnt(objects, notes.append) == Learnt()
    assert notes == [f"{key}: damaged (JSONDecodeError); started empty" for key in damaged]


def test_reports_are_added_to_the_lessons_of_each_kind() -> None:
    objects = store()
    found = Findings(
        invalid_regions=("r",), invalid_instance_types=(A,), restricted_pairs=(("r", A),),
        restricted_for={"ab12": (("s", B),)},
    )  # fmt: skip
    report = CollectorReport(dataset=Dataset.SPS, region="r", status="complete", rows=0, found=found)
    learn_from(objects, run(), [report])
    assert read_invalid_names(objects) == NAMES
    assert RESTRICTED.read(objects) == KNOWN
    assert keys.LOCATION_HEALTH not in objects.objects  # nothing was learnt of a location
    later = run(AT + timedelta(minutes=10))
    healed = Findings(answered_regions=("r",), unrestricted_pairs=(("r", "standard_a1"),))
    learn_from(objects, later, [replace(report, found=healed)])
    assert read_learnt(objects).invalid == InvalidNames(instance_types={A: RUN_ID})
    assert RESTRICTED.read(objects) == KnownRestrictions(by_subscription=KNOWN.by_subscription)


def test_collectors_know_zones_refusals_and_restrictions() -> None:
    objects = store()
    assert read_score_knowledge(objects, AT) == ScoreKnowledge()
    zones = {"ab12": {"eastus": {"1": "eastus-az2"}}}
    LOCATIONS.write(objects, Locations(fetched_at=AT, routing=("eastus",), zones=zones, reference="ab12"))
    RESTRICTED.change(objects, lambda _: KNOWN)
    REFUSED_SUBSCRIPTIONS.write(objects, {"cd34": RUN_ID, "old": "20261122T0000Z"})
    assert read_score_knowledge(objects, AT + timedelta(hours=5)) == ScoreKnowledge(
        zones=zones, reference="ab12", refused=("cd34",), restricted={"r": ["standard_a1"]},
        restricted_for={"ab12": {"s": ["standard_b2"]}},
    )  # fmt: skip
    assert read_score_knowledge(objects, AT + timedelta(hours=6)).refused == ()


def believed(objects: MemoryObjects, hours: float, *, dataset: Dataset = Dataset.PRICE, good_at: str = "") -> bool:
    item = WorkItem(region="eastus", whole_at={dataset.value: good_at} if good_at else {})
    return is_believed(objects, run(AT + timedelta(hours=hours)), item, dataset, 7)


def test_an_odd_listing_is_believed_after_three_looks_in_six_hours() -> None:
    objects = store()
    assert [believed(objects, hours) for hours in (0, 1, 5, 6, 7)] == [False, False, False, True, True]
    key = "state/azure/doubts/spot_price/eastus.json"
    assert list(objects.objects) == [key]
    assert orjson.loads(objects.objects[key]) == {
        "schema": 1, "rows": 7, "first_at": "2026-11-23T10:10:00Z", "last_at": "2026-11-23T17:10:00Z", "looks": 5,
        "believed": True,
    }  # fmt: skip
    assert not believed(objects, 7, dataset=Dataset.EVICTION)
    assert doubts_of(Dataset.EVICTION, "eastus").read(objects).looks == 1
    assert doubts_of(Dataset.PRICE, "westus").read(objects) == Doubt()


def test_a_whole_listing_ends_the_doubt_of_its_own_data_set() -> None:
    objects = store()
    for hours in (0, 1, 5):
        believed(objects, hours)
    assert not believed(objects, 6, good_at="2026-11-23T15:20:00Z")
    assert doubts_of(Dataset.PRICE, "eastus").read(objects).looks == 1
    assert doubts_of(Dataset.PRICE, "eastus").read(objects).first_at == "2026-11-23T16:10:00Z"


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"before": None, "figures": 3}, "figures is 3: Expected `object | null`, got `int`"),
        ({"figures": None}, "before is missing"),
    ],
)
def test_figures_that_are_no_figures_are_told_with_their_key(told: dict[str, Any], fault: str) -> None:
    key, notes = "runs/azure/2026/11/23/10-10_figures.json.gz", list[str]()
    objects = MemoryObjects("archive", {key: gzip.compress(orjson.dumps({"schema": 1, **told}))})
    assert read_figures(objects, AT, notes.append) is None
    assert notes == [f"{key} is damaged: {fault}; the snapshot is counted"]
    objects = MemoryObjects("archive", {key: gzip.compress(orjson.dumps({"schema": 2, **told}))})
    assert read_figures(objects, AT, notes.append) is None
    assert notes[1] == f"{key}: schema 2, this code reads 1; the snapshot is counted"
    assert orjson.loads(gzip.decompress(encode_figures(AT, NOT_COUNTED))) == {
        "schema": 1, "before": None, "figures": None,
    }  # fmt: skip


def test_a_failure_is_news_once_a_day_and_a_recovery_once() -> None:
    objects = store()
    assert not is_news(objects, "full", None, AT)
    assert is_news(objects, "full", "E", AT)
    note_reported(objects, "full", "E", AT)
    day = timedelta(days=1)
    assert [is_news(objects, "full", "E", AT + wait) for wait in (timedelta(), day - timedelta(seconds=1), day)] == [
        False, False, True,
    ]  # fmt: skip
    assert is_news(objects, "full", "F", AT)
    assert is_news(objects, "incremental", "E", AT)
    assert not is_news(objects, "incremental", None, AT)
    assert is_news(objects, "full", None, AT)
    note_reported(objects, "full", None, AT)
    assert not is_news(objects, "full", None, AT)
