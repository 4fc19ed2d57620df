"""All rows of two sizes as captured in 2026, in the shape of the API: the live price list, without credentials."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from functions.price.handler import lambda_handler
from spotlake import keys, wiring
from spotlake.azure import http
from spotlake.azure.price_rules import choose_prices
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import Work
from spotlake.shards import open_shard
from spotlake.state.attempts import write_work
from spotlake.stores.objects import MemoryObjects
from tests.support.scripted import answered, scripted_session
from tests.support.shards import parsed_rows
from tests.unit.usecases.rows import SPOT, page

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SUFFIXES = ("", " Spot", " Low Priority")
KINDS = [("Series", suffix) for suffix in SUFFIXES] + [("Series Windows", suffix) for suffix in SUFFIXES]
# Series, size, region, prices in the order of KINDS, those of Cloud Services, those of reservations.
CAPTURED: dict[str, tuple[str, str, str, tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    "D2s_v3": ("DSv3", "D2s v3", "eastus", (0.096, 0.018816, 0.019, 0.188, 0.036848, 0.075), (), ()),
    "B16als_v2": (
        *("Basv2", "B16als v2", "australiacentral"),
        *((0.673, 0.6057, 0.135, 0.747, 0.6723, 0.299), (0.747, 0.299), (3478.0, 6721.0)),
    ),
}


def captured(size: str) -> list[dict[str, Any]]:
    series, meter, region, prices, cloud, reserved = CAPTURED[size]
    common = SPOT | {"armRegionName": region, "armSkuName": f"Standard_{size}"}

    def row(product: str, suffix: str, price: float, **more: str) -> dict[str, Any]:
        names = {"productName": product, "meterName": meter + suffix, "skuName": meter + suffix}
        return {**common, **names, "retailPrice": price, "unitPrice": price, "meterId": product + suffix, **more}

    machines = f"Virtual Machines {series}"
    rows = [row(f"{machines} {kind}", suffix, price) for (kind, suffix), price in zip(KINDS, prices, strict=True)]
    # Windows under DevTest costs what Linux does.
    rows += [
        row(f"{machines} Series Windows", suffix, price, type="DevTestConsumption")
        for suffix, price in zip(SUFFIXES, prices[:3], strict=True)
    ]
    rows += [
        row(f"{series} Series Cloud Services", suffix, price)
        for suffix, price in zip(("", " Low Priority"), cloud, strict=False)
    ]
    rows += [
        row(f"{machines} Series", "", price, type="Reservation", reservationTerm=term)
        for term, price in zip(("1 Year", "3 Years"), reserved, strict=False)
    ]
    return rows


@pytest.mark.parametrize(
    ("size", "rows", "ondemand", "spot"), [("D2s_v3", 9, 0.096, 0.018816), ("B16als_v2", 13, 0.673, 0.6057)]
)
def test_one_price_of_each_kind_whatever_the_order(size: str, rows: int, ondemand: float, spot: float) -> None:
    listed = captured(size)
    assert len(listed) == rows
    for given in (listed, listed[::-1]):
        found = choose_prices(given, region=CAPTURED[size][2], now_at=NOW_AT)
        assert {key: price.usd_per_hour for key, price in found.ondemand.items()} == {
            f"standard_{size.lower()}": ondemand
        }
        assert {key: price.usd_per_hour for key, price in found.spot.items()} == {f"standard_{size.lower()}": spot}
        assert found.rejected.total() == rows - 2


def test_the_live_list_is_read_without_any_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise AssertionError("the price collector asked for credentials")

    objects = MemoryObjects()
    session, script = scripted_session(answered(page(*captured("D2s_v3"))))
    services = wiring.Services({"AWS_REGION": "us-west-2"})
    for name in ("azure", "dynamodb"):
        monkeypatch.setattr(wiring.Services, name, property(refused))
    monkeypatch.setattr(wiring.Services, "objects", property(lambda _: objects))
    monkeypatch.setattr(wiring, "services", lambda: services)
    monkeypatch.setattr(http, "new_session", lambda: session)
    run = Run(
        run_id="20261123T1000Z",
        mode=Mode.INCREMENTAL,
        desired_counts=(1,),
        started_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
        owner="execution-1",
        attempt=1,
    )
    item = WorkItem(region="eastus", instance_types=("Standard_D2s_v3",))
    write_work(objects, Work(run=run, items={"eastus": item}))
    context = SimpleNamespace(
        function_name="price",
        function_version="1",
        invoked_function_arn="arn:aws:lambda:us-west-2:1:function:price",
        memory_limit_in_mb=256,
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    report = lambda_handler({"run": run.to_dict(), "region": "eastus"}, context)
    assert (report["status"], report["rows"]) == ("complete", 1)
    (request,) = (request for request, _ in script.sent)
    assert (request.url or "").startswith("https://prices.azure.com/api/retail/prices?")
    assert not {"Authorization", "Cookie"} & set(request.headers)
    key = keys.shard(Dataset.PRICE, run.slot_at, "eastus", run.attempt)
    shard = open_shard(
        objects.objects[key], key=key, dataset=Dataset.PRICE, run_id=run.run_id, region="eastus", attempt=1
    )
    (row,) = parsed_rows(shard)
    assert (row["source"], row["spot_price_usd_per_hour"], row["ondemand_price_usd_per_hour"]) == (
        "live",
        0.018816,
        0.096,
    )
