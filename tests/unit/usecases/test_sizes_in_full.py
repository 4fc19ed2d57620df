"""Facts of sizes: bounds at both ends, whole sentences, and what a log line says of a day."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from spotlake import keys
from spotlake.azure.http import HttpClient, HttpCounts
from spotlake.clock import Deadline, ManualClock
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.settings import Settings
from spotlake.sizes.facts import Sizes
from spotlake.sizes.geography import Geography
from spotlake.state.sizes import SIZES, read_sizes
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect import sizes
from tests.support.skus import CAPTURED, sku
from tests.unit.usecases.test_collect_sizes import DAY_AT, Azure, Days, Tokens


class Typed(MemoryObjects):
    """Notes the media types."""

    def __init__(self) -> None:
        super().__init__()
        self.types: dict[str, Any] = {}

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self.types[key] = options.get("content_type")
        return super().put(key, body, **options)


def test_the_file_of_the_day_and_the_newest_one_are_gzip() -> None:
    objects = Typed()
    Days(objects=objects).collect()
    of_day = keys.sizes_file(DAY_AT, 1)
    assert {key: objects.types[key] for key in (of_day, keys.LATEST_SIZES)} == {
        of_day: "application/gzip", keys.LATEST_SIZES: "application/gzip"
    }  # fmt: skip


@pytest.mark.parametrize(("hours", "is_due"), [(19.99, False), (20, True)])
def test_a_region_is_due_twenty_hours_after_its_answer(hours: float, *, is_due: bool) -> None:
    days = Days()
    days.collect()
    days.now_at, days.attempt = DAY_AT + timedelta(hours=hours), 2
    assert days.collect() == is_due


def test_a_region_that_is_none_of_azures_public_ones_is_not_asked() -> None:
    days = Days()
    days.pairs["usgovvirginia"] = ("Standard_D2s_v3",)
    days.collect()
    assert [region for _, region in days.azure.asked] == ["eastus2", "koreacentral"]
    assert days.lines()["usgovvirginia", "Standard_D2s_v3"]["AskedAt"] == ""


def test_the_oldest_answer_comes_first_and_equal_ones_by_name() -> None:
    days = Days()
    days.azure.rows["australiaeast"] = [sku(region="australiaeast")]
    days.pairs = {"koreacentral": ("Standard_D2s_v3",)}
    days.collect()
    days.now_at, days.attempt = DAY_AT + timedelta(hours=1), 2
    days.pairs = {"eastus2": ("Standard_D2s_v3",), "australiaeast": ("Standard_D2s_v3",)}
    days.collect()
    assert [region for _, region in days.azure.asked] == ["australiaeast", "eastus2"]
    days.pairs["koreacentral"] = days.pairs["westus"] = ("Standard_D2s_v3",)
    days.now_at, days.attempt = DAY_AT + timedelta(days=2), 3
    days.collect()
    asked = list(dict.fromkeys(region for _, region in days.azure.asked))
    assert asked == ["westus", "koreacentral", "australiaeast", "eastus2"]  # the first was never asked


@pytest.mark.parametrize(("found", "is_believed"), [(2, False), (3, True)])
def test_a_list_of_half_the_sizes_is_believed(found: int, *, is_believed: bool) -> None:
    days = Days()
    days.collect()
    assert len(CAPTURED) == 6
    days.azure.rows["eastus2"] = CAPTURED[:found]
    days.next_day()
    known = read_sizes(days.objects)
    said = "UntrustedAnswerError: resource skus: eastus2: 2 sizes, the last answer had 6"
    assert known.failed == ({} if is_believed else {"eastus2": said})
    assert len(known.regions["eastus2"].offers) == (found if is_believed else 6)


@pytest.mark.parametrize(("days_later", "is_believed"), [(6.99, False), (7, True)])
def test_a_smaller_list_is_believed_when_the_last_one_is_a_week_old(days_later: float, *, is_believed: bool) -> None:
    days = Days()
    days.collect()
    days.azure.rows["eastus2"] = [sku()]
    days.now_at, days.attempt = DAY_AT + timedelta(days=days_later), 2
    days.collect()
    assert len(read_sizes(days.objects).regions["eastus2"].offers) == (1 if is_believed else 6)


@pytest.mark.parametrize(("days_later", "is_kept"), [(59.99, True), (60, False)])
def test_a_region_that_nobody_asks_is_forgotten_after_sixty_days(days_later: float, *, is_kept: bool) -> None:
    days = Days()
    days.collect()
    days.pairs = {"koreacentral": ("Standard_D2s_v3",)}
    days.now_at, days.attempt = DAY_AT + timedelta(days=days_later), 2
    days.collect()
    assert ("eastus2" in read_sizes(days.objects).regions) == is_kept


def test_a_region_that_is_asked_in_vain_is_kept_for_as_long() -> None:
    days = Days()
    days.collect()
    days.azure.rows.clear()
    days.now_at, days.attempt = DAY_AT + timedelta(days=90), 2
    days.collect()
    assert set(read_sizes(days.objects).regions) == {"eastus2", "koreacentral"}


def test_causes_of_regions_that_were_not_asked_now_stay() -> None:
    days = Days()
    SIZES.change(days.objects, lambda _: Sizes(regions={}, failed={"westus": "old", "eastus2": "older"}))
    days.collect()
    assert read_sizes(days.objects).failed == {"westus": "old"}


@pytest.mark.parametrize(("status", "is_final"), [(401, False), (403, False), (404, True)])
def test_only_a_refused_subscription_is_given_up(status: int, *, is_final: bool) -> None:
    azure = Refusing()
    azure.refusing, azure.status = {"sub-a"}, status
    days = Days(azure=azure)
    days.collect(tokens=Renewing())
    asked = [("sub-a", "eastus2"), ("sub-a", "koreacentral")] if is_final else [
        ("sub-a", "eastus2"), ("sub-b", "eastus2"), ("sub-b", "koreacentral")
    ]  # fmt: skip
    assert list(dict.fromkeys(days.azure.asked)) == asked


class Renewing(Tokens):
    def renew(self, refused: Any) -> None:
        assert refused == self.headers()


class Refusing(Azure):
    """Refuses a subscription with another status."""

    status = 403

    def send(self, request: Any, *given: object, **named: object) -> Any:
        response = super().send(request, *given, **named)
        if response.status_code == 403:
            response.status_code = self.status
        return response


def test_what_stops_a_region_is_said_in_whole_sentences() -> None:
    days = Days()
    days.azure.refusing = {"sub-a", "sub-b"}
    days.collect()
    said = "AzureRefusedError: resource skus: no subscription lets its sizes be read"
    assert read_sizes(days.objects).failed == {"eastus2": said, "koreacentral": said}
    stopped = Days()
    stopped.collect(stopping=lambda: True)
    taken = "the machine is taken away"
    assert read_sizes(stopped.objects).failed == {"eastus2": taken, "koreacentral": taken}
    assert stopped.azure.asked == []


def test_the_client_has_its_own_time_and_the_sleep_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[HttpClient] = []

    def keep(*given: Any) -> HttpClient:
        made.append(HttpClient(*given))
        return made[-1]

    monkeypatch.setattr(sizes, "HttpClient", keep)
    waited: list[float] = []
    days = Days()
    del days.azure.rows["eastus2"]
    days.collect(sleep=waited.append, monotonic=lambda: 7.0, deadline=Deadline(lambda: 1000.0))
    (client,) = made
    assert (client.api, client.policy.attempts, client.deadline.seconds_left()) == ("resource skus", 3, 300.0)
    assert (client.counts.requests, len(waited)) == (4, 2)  # two retries of the region that fails
    assert isinstance(client.counts, HttpCounts)
    days.next_day(deadline=Deadline(lambda: 20.0), monotonic=lambda: 7.0)
    assert made[-1].deadline.seconds_left() == 20.0


@pytest.mark.parametrize(("source", "told"), [("live", "live"), ("simulated", "simulated")], ids=["live", "simulated"])
def test_the_source_is_that_of_the_settings(source: str, told: str) -> None:
    days = Days()
    days.collect(settings=Settings(azure_source=source))
    assert days.lines()["eastus2", "Standard_D1"]["Source"] == told


def test_zones_are_placed_by_the_digest_of_the_subscription_that_answered() -> None:
    days = Days()
    days.azure.rows["eastus2"] = [sku(zones=("1", "2", "9"))]
    digest = subscription_digest("sub-a")
    numbers = {digest: {"eastus2": {"1": "az1", "2": "az2"}, "koreacentral": {"3": "az1"}}}
    days.collect(zones=ZoneMap(numbers, reference=digest))
    found = read_sizes(days.objects).regions["eastus2"]
    assert (found.offers["standard_d2s_v3"].zones, found.counts["unknown_zones"]) == (("1", "2"), 1)


def test_what_is_odd_is_kept_with_the_region() -> None:
    days = Days()
    days.azure.rows["eastus2"] = [sku(), sku("Standard_D4s_v3", vCPUs="2"), {"name": "x"}]
    days.collect()
    found = read_sizes(days.objects).regions["eastus2"]
    assert "Standard_D4s_v3" in found.odd
    assert found.asked_at == DAY_AT
    assert found.counts["name_disagreements"] == 1


@pytest.mark.parametrize(
    ("missing", "level", "told"),
    [
        ((), logging.INFO, "sizes of 2 regions in 0.0 s and 2 requests; 0 regions keep older facts"),
        (("eastus2",), logging.WARNING,
         ("sizes of 1 regions in 0.0 s and 4 requests; 1 regions keep older facts"
         " (AzureUnavailableError: resource skus: HTTP 500)")),
    ],
)  # fmt: skip
def test_a_day_is_told_in_one_line(
    caplog: pytest.LogCaptureFixture, missing: tuple[str, ...], level: int, told: str
) -> None:
    days = Days()
    for region in missing:
        del days.azure.rows[region]
    caplog.set_level(logging.INFO, logger=sizes.__name__)
    days.collect(monotonic=lambda: 5.0, tokens=Tokens(), clock=ManualClock(DAY_AT))
    record = caplog.records[-1]
    assert (record.levelno, record.getMessage()) == (level, told)


def test_the_file_has_the_geographies_that_were_handed_over() -> None:
    days = Days()
    days.collect(geographies={"koreacentral": Geography("Elsewhere", "Far Away")})
    line = days.lines()["koreacentral", "Standard_D2s_v3"]
    assert (line["Geography"], line["GeographyGroup"]) == ("Elsewhere", "Far Away")
