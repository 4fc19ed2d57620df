from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_dynamodb.client import DynamoDBClient

from spotlake.errors import StoreError
from spotlake.scores.quota import QuotaRules
from spotlake.scores.zones import subscription_digest
from spotlake.stores.ledger import DynamoDbLedger, MemoryLedger, QuotaLedger
from tests.functional.placement_scores.double import Bench, item

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RULES = QuotaRules.of(quota_calls=10, window_minutes=62)
SUBSCRIPTIONS = ("sub-a", "sub-b", "sub-c")
ITEM_KEY: Any = {"Key": {"S": "quota#eastus"}, "Sort": {"S": "routes"}}


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.emulator)])
def ledger(request: pytest.FixtureRequest) -> QuotaLedger:
    """Both: the twin is held to the same tests."""
    if request.param == "memory":
        return MemoryLedger()
    return DynamoDbLedger(request.getfixturevalue("dynamodb"), "control")


def reserve(ledger: QuotaLedger, wanted: int, *, minutes: float = 0, location: str = "eastus") -> dict[str, int]:
    now_at = NOW_AT + timedelta(minutes=minutes)
    got = ledger.reserve(location, wanted, now_at=now_at, subscriptions=SUBSCRIPTIONS, rules=RULES)
    total: Counter[str] = Counter()
    for one in got:  # a writer that lost a round may come back to the same subscription
        total[one.subscription] += one.calls
    return dict(total)


def free(ledger: QuotaLedger, *, minutes: float = 0) -> int:
    now_at = NOW_AT + timedelta(minutes=minutes)
    return ledger.free(["eastus"], now_at=now_at, subscriptions=SUBSCRIPTIONS, rules=RULES)["eastus"]


def test_a_block_comes_from_as_few_subscriptions_as_possible(ledger: QuotaLedger) -> None:
    assert reserve(ledger, 7) == {"sub-a": 7}
    assert reserve(ledger, 3) == {"sub-a": 3}
    assert reserve(ledger, 12) == {"sub-b": 10, "sub-c": 2}
    assert reserve(ledger, 50) == {"sub-c": 8}
    assert reserve(ledger, 1) == {}
    assert reserve(ledger, 1, location="westus") == {"sub-a": 1}


def test_what_was_reserved_is_free_again_after_the_window(ledger: QuotaLedger) -> None:
    reserve(ledger, 30)
    assert free(ledger, minutes=61.9) == 0
    assert free(ledger, minutes=62) == 30
    assert reserve(ledger, 30, minutes=62) == dict.fromkeys(SUBSCRIPTIONS, 10)


def test_slots_out_of_order_do_not_exceed_it(ledger: QuotaLedger) -> None:
    reserve(ledger, 25, minutes=120)
    assert reserve(ledger, 30) == {"sub-c": 5}


def test_a_refused_pair_rests(ledger: QuotaLedger) -> None:
    ledger.rest("eastus", "sub-a", until_at=NOW_AT + timedelta(minutes=62), rules=RULES)
    ledger.rest("eastus", "sub-a", until_at=NOW_AT + timedelta(minutes=5), rules=RULES)
    assert free(ledger, minutes=61) == 20
    assert reserve(ledger, 1, minutes=61) == {"sub-b": 1}
    assert free(ledger, minutes=62) == 29


def test_unsent_calls_are_given_back(ledger: QuotaLedger) -> None:
    (got,) = ledger.reserve("eastus", 10, now_at=NOW_AT, subscriptions=("sub-a",), rules=RULES)
    ledger.give_back(got, 4, rules=RULES)
    assert free(ledger) == 24
    ledger.give_back(got, 6, rules=RULES)
    ledger.give_back(got, 6, rules=RULES)
    assert free(ledger) == 30


def test_many_writers_at_once_get_exactly_the_quota(ledger: QuotaLedger) -> None:
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: reserve(ledger, 7), range(8)))
    total: Counter[str] = Counter()
    for one in got:
        total.update(one)
    assert total == dict.fromkeys(SUBSCRIPTIONS, 10)
    assert free(ledger) == 0


def test_a_writer_that_was_overtaken_looks_again(ledger: QuotaLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    write = ledger._replace  # type: ignore[attr-defined]
    overtaken: list[dict[str, int]] = []

    def overtake(*args: Any) -> bool:
        monkeypatch.setattr(ledger, "_replace", write)
        overtaken.append(reserve(ledger, 6))
        written: bool = write(*args)
        return written

    monkeypatch.setattr(ledger, "_replace", overtake)
    assert reserve(ledger, 7) == {"sub-b": 7}
    assert overtaken == [{"sub-a": 6}]
    assert free(ledger) == 17


def test_two_executions_over_one_ledger_are_never_refused(ledger: QuotaLedger) -> None:
    bench = Bench(subscriptions=SUBSCRIPTIONS, ledger=ledger, threads=3)
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: bench.collect(item(14, fallback=("eastus",)))[0], range(3)))
    assert bench.azure.refused == 0
    assert sum(report.counts["calls_sent"] for report in reports) == 42


@pytest.mark.emulator
def test_the_item_is_what_the_table_expects(dynamodb: DynamoDBClient) -> None:
    reserve(DynamoDbLedger(dynamodb, "control"), 7)
    now = int(NOW_AT.timestamp())
    assert dynamodb.get_item(TableName="control", Key=ITEM_KEY)["Item"] == {
        **ITEM_KEY,
        "BySecond": {"M": {str(now): {"M": {subscription_digest("sub-a"): {"N": "7"}}}}},
        "Rests": {"M": {}},
        "Used": {"L": []},
        "RestUntil": {"N": "0"},
        "Version": {"N": "1"},
        "ExpiresAt": {"N": str(now + 62 * 60 + 1)},
    }


@pytest.mark.emulator
def test_items_of_an_older_version_count_and_stay_as_they_are(dynamodb: DynamoDBClient) -> None:
    ledger, now = DynamoDbLedger(dynamodb, "control"), int(NOW_AT.timestamp())
    older: Any = {
        "Key": {"S": "quota#eastus"},
        "Sort": {"S": "sub-a"},
        "Used": {"L": [{"M": {"At": {"N": str(now)}, "Calls": {"N": "4"}}}]},
        "RestUntil": {"N": "0"},
        "Version": {"N": "3"},
        "ExpiresAt": {"N": str(now + 62 * 60 + 1)},
    }
    resting = {**older, "Sort": {"S": "sub-b"}, "Used": {"L": []}, "RestUntil": {"N": str(now + 3600)}}
    for item_of_old in (older, resting):
        dynamodb.put_item(TableName="control", Item=item_of_old)
    assert free(ledger) == 6 + 0 + 10
    assert reserve(ledger, 30) == {"sub-a": 6, "sub-c": 10}
    assert reserve(ledger, 30, minutes=61) == {"sub-b": 10}
    assert reserve(ledger, 30, minutes=62) == {"sub-a": 10, "sub-c": 10}
    key = {"Key": older["Key"], "Sort": older["Sort"]}
    assert dynamodb.get_item(TableName="control", Key=key)["Item"] == older


@pytest.mark.emulator
def test_a_block_costs_one_write_and_one_read(dynamodb: DynamoDBClient) -> None:
    sent: Counter[str] = Counter()

    def count(model: Any, **_: object) -> None:
        sent[model.name] += 1

    dynamodb.meta.events.register("before-call.dynamodb", count)
    reserve(DynamoDbLedger(dynamodb, "control"), 25)
    assert sent == {"Query": 1, "UpdateItem": 1}


@pytest.mark.emulator
def test_an_item_that_ttl_removed_is_begun_anew(dynamodb: DynamoDBClient) -> None:
    ledger = DynamoDbLedger(dynamodb, "control")
    reserve(ledger, 7)
    dynamodb.delete_item(TableName="control", Key=ITEM_KEY)
    assert reserve(ledger, 7, minutes=70) == {"sub-a": 7}


@pytest.mark.parametrize(
    "use",
    [
        lambda ledger: reserve(ledger, 1),
        free,
        lambda ledger: ledger.rest("eastus", "sub-a", until_at=NOW_AT, rules=RULES),
    ],
    ids=["reserve", "free", "rest"],
)
def test_a_ledger_that_does_not_answer_is_an_error(use: Callable[[QuotaLedger], object]) -> None:
    quick = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1)
    client = boto3.client("dynamodb", endpoint_url="http://127.0.0.1:9", region_name="us-west-2", config=quick)
    with pytest.raises(StoreError, match="quota of eastus"):
        use(DynamoDbLedger(client, "control"))


@pytest.mark.emulator
def test_a_missing_table_is_named(dynamodb: DynamoDBClient) -> None:
    with pytest.raises(StoreError, match="table elsewhere: ResourceNotFoundException"):
        reserve(DynamoDbLedger(dynamodb, "elsewhere"), 1)


def test_an_item_holds_what_counts_and_nothing_else() -> None:
    """Two days of slots, each through other subscriptions: the item keeps those of an hour."""
    ledger, names = MemoryLedger(), [f"sub-{number}" for number in range(48)]
    for slot in range(300):
        now_at = NOW_AT + timedelta(minutes=10 * slot)
        ledger.reserve("eastus", 35, now_at=now_at, subscriptions=names, rules=RULES)
        ledger.rest("eastus", names[slot % 48], until_at=now_at + timedelta(minutes=62), rules=RULES)
    kept = ledger.uses["eastus"].routes.values()
    assert sum(calls for use in kept for _, calls in use.entries) <= 7 * 35
    assert len(kept) <= 7 * 5 + 7
