"""Facts of sizes are a side input: asked region by region, kept from day to day, published, and never in the way."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import SignInError
from spotlake.models import Mode, Run, run_id_of
from spotlake.packing import unpack
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.settings import Settings
from spotlake.sizes.geography import Geography
from spotlake.state.sizes import read_sizes
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.sizes import SizesDeps, collect_sizes
from tests.support.scripted import answered, made, wired
from tests.support.skus import CAPTURED, restriction, sku

DAY_AT = datetime(2026, 11, 23, 0, 10, tzinfo=UTC)
PAIRS = {"eastus2": ("Standard_D2s_v3", "Standard_E8-4ds_v5"), "koreacentral": ("Standard_D2s_v3",)}
REFUSED = b'{"error":{"code":"AuthorizationFailed","message":"no role"}}'


class Azure(BaseAdapter):
    """Answers by subscription and region; what is not there is a 500."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[dict[str, Any]]] = {
            "eastus2": list(CAPTURED),
            "koreacentral": [sku(region="koreacentral")],
        }
        self.refusing: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        url = str(request.url)
        subscription, region = url.split("/")[4], url.rpartition("%27")[0].rpartition("%27")[2]
        self.asked.append((subscription, region))
        answer = made(500)
        if subscription in self.refusing:
            answer = made(403, REFUSED)
        elif region in self.rows:
            answer = answered({"value": self.rows[region]})
        answer.request, answer.url = request, url
        return wired(answer)

    def close(self) -> None:
        return


class Tokens:
    def headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer x"}


@dataclass
class Days:
    """The collector, day after day."""

    azure: Azure = field(default_factory=Azure)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    now_at: datetime = DAY_AT
    changes: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    pairs: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(PAIRS))

    def collect(self, **changes: Any) -> bool:
        session = requests.Session()
        session.mount("https://", self.azure)
        deps: dict[str, Any] = {
            "objects": self.objects,
            "session": session,
            "tokens": Tokens(),
            "subscriptions": ("sub-a", "sub-b"),
            "zones": ZoneMap({}, reference=subscription_digest("sub-a")),
            "geographies": {},
            "clock": ManualClock(self.now_at),
            "deadline": Deadline.after(600.0),
            "settings": Settings(),
            "sleep": lambda _: None,
        }
        run = Run(
            run_id=run_id_of(self.now_at), mode=Mode.FULL, desired_counts=(1,), started_at=self.now_at, owner="one",
            attempt=self.attempt,
        )  # fmt: skip
        self.azure.asked.clear()
        return collect_sizes(run, self.pairs, SizesDeps(**{**deps, **self.changes, **changes}))

    def next_day(self, **changes: Any) -> bool:
        self.now_at, self.attempt = self.now_at + timedelta(days=1), self.attempt + 1
        return self.collect(**changes)

    def lines(self, key: str = keys.LATEST_SIZES) -> dict[tuple[str, str], dict[str, str]]:
        text = unpack(self.objects.objects[key]).decode()
        return {(line["RegionCode"], line["ArmSkuName"]): line for line in csv.DictReader(text.splitlines())}


def test_a_day() -> None:
    days = Days()
    assert days.collect()
    assert [region for _, region in days.azure.asked] == ["eastus2", "koreacentral"]
    known = read_sizes(days.objects)
    assert (set(known.regions), known.failed) == ({"eastus2", "koreacentral"}, {})
    assert known.facts_of("STANDARD_NC4AS_T4_V3").gpus == 1
    offer = known.offer_of("eastus2", "Standard_D1")
    assert offer is not None
    assert offer.restricted_zones == ("1", "2", "3")
    assert known.regions["eastus2"].asked_at == DAY_AT
    of_day = keys.sizes_file(DAY_AT, 1)
    assert of_day == "rawdata/azure/sizes/2026/11/23/00-10.1.csv.gz"
    assert days.objects.objects[of_day] == days.objects.objects[keys.LATEST_SIZES]


def test_the_published_file() -> None:
    days = Days()
    days.collect(geographies={"koreacentral": Geography("Korea", "Asia Pacific")})
    lines = days.lines()
    assert list(lines) == sorted(lines, key=lambda one: (one[0], one[1].lower()))
    assert lines["eastus2", "Standard_D1"] == {
        "RegionCode": "eastus2", "ArmSkuName": "Standard_D1", "VCpus": "1", "MemoryGiB": "3.5", "Gpus": "0",
        "HasGpu": "false", "Architecture": "x64", "Series": "D", "FullVCpus": "1", "QuotaFamily": "standardDFamily",
        "SpotCapable": "true", "RetiresOn": "2028-05-01", "Source": "live", "Zones": "1 2 3",
        "RestrictedZones": "1 2 3", "Restricted": "false", "RestrictionReason": "NotAvailableForSubscription",
        "AskedAt": "2026-11-23T00:10:00Z", "Geography": "United States", "GeographyGroup": "US",
    }  # fmt: skip
    by_name = lines["eastus2", "Standard_E8-4ds_v5"]
    assert (by_name["VCpus"], by_name["FullVCpus"], by_name["Source"]) == ("4", "8", "name")
    assert (by_name["MemoryGiB"], by_name["Zones"], by_name["Restricted"], by_name["AskedAt"]) == ("", "", "", "")
    assert lines["koreacentral", "Standard_D2s_v3"]["GeographyGroup"] == "Asia Pacific"


def test_a_region_that_does_not_answer_keeps_its_facts_and_is_asked_first_on_the_next_day() -> None:
    days = Days()
    days.collect()
    kept = days.azure.rows.pop("eastus2")
    assert days.next_day()
    known = read_sizes(days.objects)
    assert known.regions["eastus2"].asked_at == DAY_AT
    assert known.regions["koreacentral"].asked_at == days.now_at
    assert list(known.failed) == ["eastus2"]
    assert "HTTP 500" in known.failed["eastus2"]
    assert days.lines()["eastus2", "Standard_D1"]["AskedAt"] == "2026-11-23T00:10:00Z"
    assert (days.lines()["koreacentral", "Standard_D2s_v3"]["AskedAt"])[:10] == "2026-11-24"
    days.azure.rows["eastus2"] = kept
    days.next_day()
    assert read_sizes(days.objects).failed == {}


def test_the_oldest_answer_is_renewed_first() -> None:
    days = Days()
    korea = days.azure.rows.pop("koreacentral")
    days.collect()
    days.azure.rows["koreacentral"] = korea
    days.next_day()
    assert [region for _, region in days.azure.asked] == ["koreacentral", "eastus2"]


def test_a_second_full_run_of_the_day_asks_and_writes_nothing() -> None:
    days = Days()
    days.collect()
    first = dict(days.objects.objects)
    days.now_at, days.attempt = days.now_at + timedelta(hours=3), 2
    assert not days.collect()
    assert days.azure.asked == []
    assert days.objects.objects == first


def test_a_run_of_one_region_leaves_the_facts_of_the_others() -> None:
    days = Days()
    days.collect()
    days.now_at, days.attempt = days.now_at + timedelta(days=30), 2
    days.pairs = {"koreacentral": ("Standard_D2s_v3",)}
    days.collect()
    known = read_sizes(days.objects)
    assert (known.regions["eastus2"].asked_at, known.regions["koreacentral"].asked_at) == (DAY_AT, days.now_at)
    assert ("eastus2", "Standard_D1") in days.lines()
    days.now_at, days.attempt = days.now_at + timedelta(days=31), 3
    days.collect()
    assert set(read_sizes(days.objects).regions) == {"koreacentral"}


def test_an_earlier_start_of_the_job_did_it_all() -> None:
    days = Days()
    days.collect()
    days.azure.rows["eastus2"] = [sku()]
    assert days.collect()
    assert days.azure.asked == []


def test_a_list_that_shrinks_by_half_is_not_believed_for_a_week() -> None:
    days = Days()
    days.collect()
    days.azure.rows["eastus2"] = [sku()]
    days.next_day()
    known = read_sizes(days.objects)
    assert len(known.regions["eastus2"].offers) == len(CAPTURED)
    assert "1 sizes, the last answer had 6" in known.failed["eastus2"]
    for _ in range(6):
        days.next_day()
    known = read_sizes(days.objects)
    assert (len(known.regions["eastus2"].offers), known.failed) == (1, {})


def test_a_subscription_without_the_role_is_asked_once_and_the_next_one_answers_in_reference_zones() -> None:
    days = Days()
    days.azure.refusing = {"sub-a"}
    days.azure.rows["eastus2"] = [
        sku("Standard_D2s_v5", zones=("1", "2", "4")),
        sku(zones=("1",), restrictions=(restriction("Zone", "2"),)),
    ]
    a, b = subscription_digest("sub-a"), subscription_digest("sub-b")
    numbers = {
        a: {"eastus2": {"1": "az1", "2": "az2", "3": "az3"}},
        b: {"eastus2": {"1": "az2", "2": "az1", "3": "az3"}},
    }
    days.collect(zones=ZoneMap(numbers, reference=a))
    assert days.azure.asked == [("sub-a", "eastus2"), ("sub-b", "eastus2"), ("sub-b", "koreacentral")]
    region = read_sizes(days.objects).regions["eastus2"]
    assert region.offers["standard_d2s_v5"].zones == ("1", "2")
    assert (region.offers["standard_d2s_v3"].zones, region.offers["standard_d2s_v3"].restricted_zones) == (
        ("2",), ("1",),
    )  # fmt: skip
    assert region.counts["unknown_zones"] == 1


def test_without_any_role_the_names_speak() -> None:
    days = Days()
    days.azure.refusing = {"sub-a", "sub-b"}
    assert days.collect()
    assert len(days.azure.asked) == 2
    assert set(read_sizes(days.objects).failed) == {"eastus2", "koreacentral"}
    assert {line["Source"] for line in days.lines().values()} == {"name"}
    assert days.lines()["eastus2", "Standard_D2s_v3"]["VCpus"] == "2"


def test_without_a_sign_in_nothing_is_asked() -> None:
    class Refusing(Tokens):
        def headers(self) -> dict[str, str]:
            raise SignInError("wrong secret")

    days = Days()
    with pytest.raises(SignInError):
        days.collect(tokens=Refusing())
    assert days.azure.asked == []


def test_time_that_is_over_costs_the_rest_of_the_regions_alone() -> None:
    days = Days()
    assert days.collect(monotonic=lambda: 299.5 * len(days.azure.asked))
    known = read_sizes(days.objects)
    assert (set(known.regions), set(known.failed)) == ({"eastus2"}, {"koreacentral"})
    assert days.lines()["koreacentral", "Standard_D2s_v3"]["Source"] == "live"  # a fact of the size, told elsewhere
    assert days.lines()["koreacentral", "Standard_D2s_v3"]["AskedAt"] == ""


def test_a_machine_that_is_taken_away_keeps_what_it_has_and_its_successor_goes_on() -> None:
    days = Days()
    assert not days.collect(stopping=lambda: len(days.azure.asked) > 0)
    assert set(read_sizes(days.objects).regions) == {"eastus2"}
    assert keys.LATEST_SIZES not in days.objects.objects
    assert days.collect()
    assert [region for _, region in days.azure.asked] == ["koreacentral"]


class Killed(BaseException):
    """The machine is gone."""


class DyingObjects(MemoryObjects):
    """A bucket whose writer dies before its next write, once it has written ``left`` times."""

    left = 99

    def put(self, *given: Any, **options: Any) -> str:
        if not self.left:
            raise Killed
        self.left -= 1
        return super().put(*given, **options)


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_job_that_dies_between_two_writes_leaves_what_one_start_leaves(written: int) -> None:
    objects = DyingObjects()
    undisturbed, days = Days(), Days(objects=objects)
    undisturbed.collect()
    undisturbed.next_day()
    days.collect()
    objects.left = written
    with pytest.raises(Killed):
        days.next_day()
    objects.left = 99
    assert days.collect()
    assert objects.objects == undisturbed.objects.objects


@pytest.mark.parametrize(
    "body", [b"x", b'{"schema":1}', b'{"schema":1,"facts":[],"regions":{"eastus2":5},"failed":{}}']
)
def test_a_damaged_document_starts_anew(body: bytes) -> None:
    days = Days()
    days.objects.objects[keys.SIZES] = gzip.compress(body)
    assert days.collect()
    assert set(read_sizes(days.objects).regions) == {"eastus2", "koreacentral"}


def test_the_document_is_read_as_it_was_written() -> None:
    days = Days()
    days.collect()
    first = read_sizes(days.objects)
    days.changes["subscriptions"] = ()
    days.next_day()
    again = read_sizes(days.objects)
    assert again.regions == first.regions
    assert json.dumps(list(again.failed)) == '["eastus2", "koreacentral"]'


def test_facts_are_those_of_the_region_and_else_of_most_regions() -> None:
    days = Days()
    days.azure.rows["koreacentral"] = [sku(region="koreacentral", MemoryGB="16")]
    days.collect()
    known = read_sizes(days.objects)
    assert known.facts_of("Standard_D2s_v3", "koreacentral").memory_gib == 16
    assert known.facts_of("Standard_D2s_v3").memory_gib == 8  # one each: the smaller code
    assert known.facts_of("Standard_D2s_v3", "westus").memory_gib == 8
    assert known.facts_of("Standard_F8s_v2").source == "name"
