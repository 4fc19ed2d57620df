"""An item that DynamoDB can never hold is counted and left out; it was in every later difference, and stopped them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from spotlake.clock import Deadline
from spotlake.errors import StoreError
from spotlake.models import ItemChange
from spotlake.stores.workloads import DynamoDbWorkloads
from tests.functional.merge.conftest import SIZE, World

SECOND = "Standard_E2s_v5"
PATIENT = Deadline(lambda: 600.0)


class StrictDynamoDb:
    """As much of DynamoDB's client as upserts need: it never holds sizes that begin with ``bad``."""

    def __init__(self, bad: str, *, whole: bool) -> None:
        self.bad, self.whole = bad, whole
        self.written: list[str] = []
        self.requests = 0

    def batch_execute_statement(self, *, Statements: list[Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        self.requests += 1
        sizes = [next(one["S"] for one in each["Parameters"] if "_" in one.get("S", "")) for each in Statements]
        if self.whole and any(size.startswith(self.bad) for size in sizes):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "BatchExecuteStatement")
        self.written += [size for size in sizes if not size.startswith(self.bad)]
        refused = {"Error": {"Code": "ValidationError", "Message": "Hash primary key is too long"}}
        return {"Responses": [refused if size.startswith(self.bad) else {} for size in sizes]}


@pytest.mark.parametrize("whole", [False, True], ids=["statement", "request"])
def test_the_merge_goes_on_without_the_item_and_says_so(whole: bool, caplog: pytest.LogCaptureFixture) -> None:
    client: Any = StrictDynamoDb(SECOND, whole=whole)
    world = World(workloads=DynamoDbWorkloads(client, "azure-test", sleep=lambda _: None))
    manifest = world.merge(world.collected(0, scores={"1": 3}, sizes=[SIZE, SECOND]))
    assert (manifest["invalid_items"], manifest["written_items"], manifest["items_left"]) == (1, 1, 0)
    assert manifest["status"] == "partial"  # all was collected, and not all of it is in the table
    assert client.written == [SIZE]
    assert [SECOND in one.getMessage() for one in caplog.records if "cannot hold" in one.getMessage()] == [True]
    later = world.merge(world.collected(1, spot=0.02, scores={"1": 3}))
    assert (later["complete"], later["written_items"]) == (True, 1)  # it stopped each later merge before


def test_a_table_that_holds_nothing_of_ours_is_no_odd_item() -> None:
    client: Any = StrictDynamoDb("Standard_", whole=False)
    table = DynamoDbWorkloads(client, "azure-test", sleep=lambda _: None)
    changes = [
        ItemChange({"InstanceType": f"Standard_{number}", "Workload": "w", "Version": 1}, is_new=True, only=None)
        for number in range(1100)
    ]
    with pytest.raises(StoreError, match="ValidationError for more than 1000 items"):
        table.upsert(changes, deadline=PATIENT)
