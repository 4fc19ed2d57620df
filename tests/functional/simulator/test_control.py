"""What tests turn: clock, faults, options; and that the same seed is the same world."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from spotlake.errors import ConfigurationError
from spotlake.models import from_iso
from spotlake_local.azure.__main__ import _bind
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.azure.world import World
from tests.functional.simulator.conftest import NOW_AT, Caller

ONE = "serviceName eq 'Virtual Machines' and armRegionName eq 'southindia' and armSkuName eq 'Standard_D2s_v3'"
EVICTIONS = "spotresources | where location == 'southindia' | project skuName=tostring(sku.name) | order by skuName asc"


def clock(azure: SimulatedAzure) -> datetime:
    return from_iso(azure.control("GET", "clock")["now"])


def test_the_clock_is_put_and_goes_on(caller: Caller) -> None:
    one = clock(caller.azure)
    assert NOW_AT <= one < clock(caller.azure)
    assert one - NOW_AT < timedelta(minutes=10)
    caller.azure.set_clock(NOW_AT - timedelta(days=400))
    assert clock(caller.azure) < NOW_AT


def test_what_is_true_moves_with_the_clock(caller: Caller) -> None:
    def truth(at: datetime) -> dict[str, Any]:
        caller.azure.set_clock(at)
        return caller.azure.control("GET", "truth", region="koreacentral", size="Standard_D2s_v3")

    prices = {truth(NOW_AT + timedelta(days=31 * month))["spot_usd_per_hour"] for month in range(6)}
    assert len(prices) > 2
    world, told = caller.azure.world(), truth(NOW_AT)
    assert told["spot_usd_per_hour"] == world.spot_price("koreacentral", "Standard_D2s_v3", NOW_AT)
    assert told["ondemand_usd_per_hour"] == world.ondemand["koreacentral"]["Standard_D2s_v3"]
    assert set(told["scores_by_physical_zone"]) == {"", *world.physical_zones("koreacentral")}
    with pytest.raises(ConfigurationError, match="no such pair: mars x"):
        caller.azure.control("GET", "truth", region="mars", size="x")


@pytest.mark.parametrize("path", ["options", "OPTIONS", "faults", "health"])
def test_only_who_started_the_simulator_controls_it(caller: Caller, path: str) -> None:
    prefix = "_CONTROL" if path.isupper() else "_control"
    for headers in ({}, {"x-control-token": ""}, {"x-control-token": "a guess"}):
        answer = requests.post(f"{caller.azure.url}/{prefix}/{path}", json={}, headers=headers, timeout=10)
        assert (answer.status_code, "started the simulator" in answer.text) == (403, True)
    assert "control_token" not in repr(caller.azure)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Mode": "navigate"},
        {"Host": "evil.example"},
        {"Host": "localhost:1"},
    ],
    ids=lambda headers: "".join(headers.values()),
)
def test_a_web_page_gets_nothing(caller: Caller, headers: dict[str, str]) -> None:
    known = {"x-control-token": caller.azure.control_token}
    for path in ("/api/retail/prices", "/_control/stats"):
        assert requests.get(caller.azure.url + path, headers={**known, **headers}, timeout=30).status_code == 403
    authority = f"{caller.azure.authority_url}/{caller.azure.tenant_id}/v2.0/.well-known/openid-configuration"
    answered = requests.get(authority, headers=headers, verify=caller.azure.ca_file, timeout=10)
    assert answered.status_code == 403


def test_a_seed_is_a_world(caller: Caller) -> None:
    pairs = [("koreacentral", size) for size in caller.azure.world().spot_sizes("koreacentral")[:200]]

    def told(world: World) -> list[float | None]:
        return [world.spot_price(*pair, NOW_AT) for pair in pairs]

    assert told(World(1)) == told(caller.azure.world()) != told(World(2))


SENT: dict[str, Any] = {"retail": lambda one: one.prices(ONE), "graph": lambda one: one.graph(EVICTIONS),
                        "sps": lambda one: one.scores(), "token": lambda one: one.sign_in()}  # fmt: skip


@pytest.mark.parametrize("api", SENT)
def test_a_status_with_a_body_and_headers_so_often(caller: Caller, api: str) -> None:
    caller.headers()  # signed in before
    fault = {"status": 503, "body": "<b>busy</b>", "content_type": "text/html", "headers": {"Retry-After": "3"}}
    caller.azure.fault(api=api, after=1, times=2, **fault)
    replies = [SENT[api](caller) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 503, 503, 200]
    assert (replies[1].text, replies[1].headers["Retry-After"]) == ("<b>busy</b>", "3")
    assert replies[1].headers["Content-Type"].startswith("text/html")
    stats = caller.azure.stats()
    assert (stats["answers"][f"{api} 503"], stats["refused"][f"{api} fault"]) == (2, 2)


@pytest.mark.parametrize("api", ["retail", "graph", "sps"])
def test_a_connection_that_is_cut(caller: Caller, api: str) -> None:
    caller.headers()
    caller.azure.fault(api=api, times=1, drop=True)
    with pytest.raises(requests.RequestException):
        SENT[api](caller)
    assert SENT[api](caller).status_code == 200


@pytest.mark.parametrize("api", ["retail", "graph", "sps"])
def test_an_answer_that_is_cut_in_half_or_empty(caller: Caller, api: str) -> None:
    whole = SENT[api](caller).text
    caller.azure.fault(api=api, times=1, truncate=True)
    half = SENT[api](caller)
    assert (half.status_code, half.text) == (200, whole[: len(half.text)])
    assert 0 < len(half.text) < len(whole)
    caller.azure.fault(api=api, times=1, empty=True)
    body = SENT[api](caller).json()
    assert body.get("Items", body.get("data", body.get("placementScores"))) == []


def test_a_slow_answer_is_the_true_one_for_who_waits(caller: Caller) -> None:
    caller.azure.fault(api="retail", times=1, latency_seconds=2.0)
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{caller.azure.url}/api/retail/prices", params={"$filter": ONE}, timeout=0.2)
    caller.azure.fault(api="retail", times=1, latency_seconds=0.01)
    assert caller.prices(ONE).json()["Count"] > 0


def test_a_request_that_slept_through_a_reset_counts_for_nobody(caller: Caller) -> None:
    caller.azure.fault(api="sps", times=1, latency_seconds=0.5)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(caller.scores)
        while not caller.azure.stats()["calls_by_pair"]:
            pass  # until it is there
        caller.azure.reset()
        assert asked.result().status_code == 503
    assert caller.azure.stats()["quota_used"] == {}


def test_a_fault_is_aimed_by_region_location_or_subscription(caller: Caller) -> None:
    one, two = caller.azure.subscriptions[:2]
    caller.azure.fault(api="retail", location="southindia", status=500)
    caller.azure.fault(api="graph", location="southindia", status=500)
    caller.azure.fault(api="sps", location="eastus", status=500)
    caller.azure.fault(api="sps", region="uksouth", status=502)
    caller.azure.fault(api="sps", subscription=two, status=503)
    assert caller.prices(ONE).status_code == 500
    assert caller.prices(ONE.replace("southindia", "koreasouth")).status_code == 200
    assert caller.graph(EVICTIONS).status_code == 500
    assert caller.graph(EVICTIONS.replace("southindia", "koreasouth")).status_code == 200
    assert caller.scores(subscription=one).status_code == 200
    assert caller.scores(subscription=one, location="eastus").status_code == 500
    assert caller.scores(subscription=one, desiredLocations=["koreacentral", "uksouth"]).status_code == 502
    assert caller.scores(subscription=two).status_code == 503
    caller.azure.clear_faults()
    assert caller.scores(subscription=two).status_code == 200


def test_unknown_faults_and_options_are_refused_by_name(caller: Caller) -> None:
    with pytest.raises(ConfigurationError, match="colour: no such field"):
        caller.azure.fault(colour="red")
    with pytest.raises(ConfigurationError, match="colour: no such option"):
        caller.azure.options(quota_calls=1, colour="red")
    assert [caller.scores().status_code for _ in range(2)] == [200, 200]  # nothing of it was turned


def test_reset_forgets_all_but_the_clock_and_tokens(caller: Caller) -> None:
    caller.azure.options(
        quota_calls=1, graph_queries=1, invalid_sizes=["Standard_D4s_v3"], no_role=["x"], secret_expired=True
    )
    caller.azure.fault(api="retail", status=500)
    caller.azure.options(secret_expired=False)
    assert [caller.scores().status_code for _ in range(2)] == [200, 429]
    caller.azure.options(secret_expired=True, token_lifetime_seconds=301, leading_blank_location=True)
    caller.azure.reset()
    assert caller.azure.stats()["answers"] == {}
    assert [caller.scores().status_code for _ in range(2)] == [200, 200]
    assert [caller.graph(EVICTIONS).status_code for _ in range(2)] == [200, 200]
    assert caller.prices(ONE).status_code == 200
    assert caller.sign_in().json()["expires_in"] == 3599
    assert clock(caller.azure) - NOW_AT < timedelta(minutes=10)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SimulatedAzure]:
    with SimulatedAzure.start(tmp_path, subscriptions=1, seed=2) as azure:
        yield azure


def test_a_simulator_listens_on_loopback_only_and_keeps_its_secrets(own: SimulatedAzure, tmp_path: Path) -> None:
    for url in (own.url, own.authority_url):
        assert ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback
    with contextlib.closing(_bind(0)) as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
    assert own.client_secret not in repr(own)
    assert (tmp_path / "server.key").stat().st_mode & 0o077 == 0


def test_a_restart_forgets_no_quota(tmp_path: Path) -> None:
    for sent in ([200] * 6, [200] * 4 + [429]):
        with SimulatedAzure.start(tmp_path, subscriptions=1) as azure:
            caller = Caller(azure)
            assert [caller.scores().status_code for _ in sent] == sent
            caller.session.close()
    # A process that is killed may leave half a line; an hour later all is free again.
    with (tmp_path / "quota.log").open("a") as file:
        file.write("00000000-0000-4000-8000-000000000001 korea")
    with SimulatedAzure.start(tmp_path, subscriptions=1) as azure:
        caller = Caller(azure)
        assert caller.scores().status_code == 429
        azure.set_clock(NOW_AT + timedelta(minutes=62))
        caller.token = ""
        assert caller.scores().status_code == 200
        caller.session.close()


def test_one_that_cannot_start_says_why(own: SimulatedAzure, tmp_path: Path) -> None:
    taken = urlsplit(own.url).port or 0
    with (
        pytest.raises(ConfigurationError, match=r"did not start.*in use"),
        SimulatedAzure.start(tmp_path / "second", subscriptions=1, port=taken),
    ):
        pass


def test_a_thousand_errors_do_not_stop_it(tmp_path: Path) -> None:
    """Its words of error go to a file: a pipe that nobody reads would be full, and no request would be answered."""
    with SimulatedAzure.start(tmp_path, subscriptions=1) as azure:
        address = urlsplit(azure.url)
        for _ in range(2_000):
            with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as connection:
                connection.sendall(b"no HTTP\r\n\r\n")
                connection.recv(1)
        assert requests.get(f"{azure.url}/subscriptions", timeout=10).status_code == 401
    assert (tmp_path / "errors.log").stat().st_size > 65_536
