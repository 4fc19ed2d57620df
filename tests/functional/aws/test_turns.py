from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest

from spotlake.errors import StoreError
from spotlake.stores.turns import SPACING_SECONDS, DynamoDbTurns, MemoryTurns
from spotlake_local.aws.launcher import EmulatedAws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

TABLE = "control-of-turns"
NOW = 1.7e9


@pytest.fixture(scope="module")
def client(aws: EmulatedAws) -> DynamoDBClient:
    client = cast("DynamoDBClient", aws.client("dynamodb"))
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}, {"AttributeName": "Sort", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Key", "Sort")],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def test_the_table_gives_the_turns_of_its_twin(client: DynamoDBClient) -> None:
    table, twin = DynamoDbTurns(client, TABLE, "twin"), MemoryTurns()
    for now in (NOW, NOW, NOW + 0.1, NOW + 5, NOW + 5, NOW + 7200, NOW, NOW):
        assert table.take(now) == pytest.approx(twin.take(now), abs=1e-6)


def test_a_crowd_gets_turns_one_after_the_other(client: DynamoDBClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(lambda _: DynamoDbTurns(client, TABLE, "crowd").take(NOW), range(40)))
    assert waits == pytest.approx([place * SPACING_SECONDS for place in range(40)], abs=1e-5)


def test_a_table_that_is_not_there_is_named(client: DynamoDBClient) -> None:
    with pytest.raises(StoreError, match="no-such-table: ResourceNotFoundException"):
        DynamoDbTurns(client, "no-such-table").take(NOW)
