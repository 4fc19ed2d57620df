"""The workload table: PartiQL in DynamoDB's own form, and what each statement's error makes of its item."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from spotlake.clock import Deadline
from spotlake.errors import StoreError
from spotlake.models import ItemChange
from spotlake.stores.workloads import DynamoDbWorkloads, Upserted
from tests.support.errors import says
from tests.support.stubs import Stubbed, unreachable

HOUR = Deadline(lambda: 3600.0)
WHERE = ' WHERE "InstanceType"=? AND "Workload"=? AND "Version" < ?'


def item(number: int = 1, **attributes: Any) -> dict[str, Any]:
    """The least that an item has, and more."""
    always = {"UpdatedAt": "2025-12-15T10:00:00Z", "RunId": "20251215T1000Z", "Version": 7}
    return {"InstanceType": f"Standard_D{number}", "Workload": "eastus#1", **always, **attributes}


def new(number: int = 1, **attributes: Any) -> ItemChange:
    return ItemChange(item(number, **attributes), is_new=True, only=None)


def known(number: int = 1, *, only: tuple[str, ...] | None = (), **attributes: Any) -> ItemChange:
    return ItemChange(item(number, **attributes), is_new=False, only=only)


def insert(number: int = 1) -> dict[str, Any]:
    names = "'InstanceType': ?, 'Workload': ?, 'UpdatedAt': ?, 'RunId': ?, 'Version': ?"
    values = [{"S": f"Standard_D{number}"}, {"S": "eastus#1"}, {"S": "2025-12-15T10:00:00Z"}, {"S": "20251215T1000Z"}]
    return {"Statement": f'INSERT INTO "azure-test" VALUE {{{names}}}', "Parameters": [*values, {"N": "7"}]}


def update(number: int = 1, *, sets: str = "", values: Sequence[Any] = (), removes: str = "") -> dict[str, Any]:
    # PartiQL of the test itself.
    text = f'UPDATE "azure-test"{sets} SET "UpdatedAt"=? SET "RunId"=? SET "Version"=?{removes}{WHERE}'  # noqa: S608
    always = [{"S": "2025-12-15T10:00:00Z"}, {"S": "20251215T1000Z"}, {"N": "7"}]
    key = [{"S": f"Standard_D{number}"}, {"S": "eastus#1"}, {"N": "7"}]
    return {"Statement": text, "Parameters": [*values, *always, *key]}


# Of an item with nothing but its key, an update removes every optional attribute, in the order of docs/data.md.
ALL_REMOVED = "".join(
    f' REMOVE "{name}"'
    for name in (
        "OndemandPrice SpotPrice Savings PriceAt IF EvictionBand IFAt Scores T2 T3 "
        "PhysicalZone PriceConfirmedAt IFConfirmedAt RetiredAt ExpiresAt"
    ).split()
)


class Table(Stubbed):
    """The table's script; waits are noted down instead of done."""

    def __init__(self) -> None:
        super().__init__("dynamodb")
        self.waited: list[float] = []

    def sent(self, *statements: dict[str, Any], units: float = 0.0, codes: Sequence[str] = ()) -> Table:
        """A batch, whose answer has a code for each statement, "" for one that was written."""
        answer: dict[str, Any] = {
            "Responses": [{"Error": {"Code": one, "Message": "words"}} if one else {} for one in codes or [""]]
        }
        if units:
            answer["ConsumedCapacity"] = [{"CapacityUnits": units - 1.0}, {"CapacityUnits": 1.0}]
        asked = {"Statements": list(statements), "ReturnConsumedCapacity": "TOTAL"}
        return self.answers("batch_execute_statement", asked, answer)

    def refused(self, code: str, *statements: dict[str, Any]) -> Table:
        asked = {"Statements": list(statements), "ReturnConsumedCapacity": "TOTAL"}
        return self.refuses("batch_execute_statement", asked, code)

    def upsert(self, *changes: ItemChange, deadline: Deadline = HOUR) -> Upserted:
        with self:
            table = DynamoDbWorkloads(self.client, "azure-test", sleep=self.waited.append, threads=1)
            return table.upsert(changes, deadline=deadline)


def test_a_new_item_is_inserted_and_a_known_one_is_updated_by_version() -> None:
    attributes: dict[str, Any] = {"SpotPrice": 0.0123, "IF": 3.0, "Scores": {"1": {"s": 3, "at": "10:00"}}, "T2": 2}
    change = known(only=("SpotPrice", "Scores", "RetiredAt", "ExpiresAt"), **attributes)
    text = update()["Statement"].replace('"azure-test" SET', '"azure-test" SET', 1)
    parameters = update()["Parameters"]
    changed = {
        "Statement": text.replace(
            WHERE, f' SET "SpotPrice"=? SET "Scores"=? REMOVE "RetiredAt" REMOVE "ExpiresAt"{WHERE}'
        ),
        "Parameters": [
            *parameters[:3],
            {"N": "0.0123"},
            {"M": {"1": {"M": {"s": {"N": "3"}, "at": {"S": "10:00"}}}}},
            *parameters[3:],
        ],
    }
    table = Table().sent(insert(2), changed, units=3.26, codes=["", ""])
    assert table.upsert(new(2), change) == Upserted(written=2, write_units=3.3, done=2)


def test_items_of_another_writer_are_counted_over_all_answers() -> None:
    table = Table().sent(insert(1), insert(2), codes=["DuplicateItem", "ThrottlingError"])
    table.sent(update(1, removes=ALL_REMOVED), insert(2), codes=["ConditionalCheckFailed", "DuplicateItem"])
    table.sent(update(2, removes=ALL_REMOVED), codes=["ConditionalCheckFailed"])
    done = table.upsert(new(1), new(2))
    assert (done.overtaken, done.written, done.done) == (2, 0, 2)


@pytest.mark.parametrize("codes", [[""], ["", "", ""]])
def test_an_answer_of_another_length_says_nothing_of_any_statement(codes: list[str]) -> None:
    table = Table().sent(insert(1), insert(2), codes=codes)
    with says(StoreError, f"table azure-test: {len(codes)} answers to 2 statements"):
        table.upsert(new(1), new(2))


@pytest.mark.parametrize(
    ("change", "first", "code", "second"),
    [
        (new(), insert(), "DuplicateItem", update(removes=ALL_REMOVED)),
        (known(), update(), "ConditionalCheckFailed", insert()),
        (known(), update(), "ConditionalCheckFailedException", insert()),
    ],
)
def test_the_table_knows_best_whether_an_item_is_there(change: ItemChange, first: Any, code: str, second: Any) -> None:
    table = Table().sent(first, units=2.0, codes=[code]).sent(second, units=2.0)
    assert table.upsert(change) == Upserted(written=1, write_units=4.0, done=1)
    other = "DuplicateItem" if code != "DuplicateItem" else "ConditionalCheckFailed"
    table = Table().sent(first, codes=[code]).sent(second, codes=[other])
    assert table.upsert(change) == Upserted(overtaken=1, done=1)
    assert table.waited == []


@pytest.mark.parametrize(
    "code",
    [
        # BatchStatementError's codes, and common errors of whole requests (DynamoDB API reference, read 2026-11).
        "ThrottlingError", "ThrottlingException", "ProvisionedThroughputExceeded", "RequestLimitExceeded",
        "ProvisionedThroughputExceededException", "InternalServerError", "TransactionConflict",
    ],
)  # fmt: skip
def test_what_passes_is_sent_again_alone_after_a_wait_that_grows(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.5)
    table = (
        Table()
        .sent(insert(1), insert(2), insert(3), codes=["", code, code])
        .sent(insert(2), insert(3), codes=["", code])
    )
    found = table.sent(insert(3)).upsert(new(1), new(2), new(3))
    assert found == Upserted(written=3, throttles=3, done=3)
    table_of_whole = Table().refused(code, insert(1), insert(2)).sent(insert(1), insert(2), codes=["", ""])
    assert table_of_whole.upsert(new(1), new(2)) == Upserted(written=2, throttles=2, done=2)
    assert (table.waited, table_of_whole.waited) == ([0.05, 0.1], [0.05])


def test_no_wait_is_longer_than_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    table = Table()
    for _ in range(8):
        table.sent(insert(), codes=["ThrottlingError"])
    table.sent(insert()).upsert(new())
    assert table.waited == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@pytest.mark.parametrize("code", ["ValidationError", "ValidationException"])
def test_an_item_that_no_table_can_hold_is_left_out_and_found_among_the_others(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table().sent(insert(1), insert(2), insert(3), codes=["", code, code])
    assert table.upsert(new(1), new(2), new(3)) == Upserted(written=1, invalid=2, done=3)
    said = f"table azure-test cannot hold ['Standard_D2', 'eastus#1']: {code}"
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [(logging.WARNING, said)]
    alone = Table().refused(code, insert())
    assert (alone.upsert(new()), alone.waited) == (Upserted(invalid=1, done=1), [])
    assert caplog.records[-1].getMessage() == f"table azure-test cannot hold ['Standard_D1', 'eastus#1']: {code}"
    # The whole request is refused for one item of five: halves are sent until it stands alone.
    every = [insert(number) for number in range(1, 6)]
    table = Table().refused(code, *every).sent(*every[:2], units=4.0, codes=["", ""]).refused(code, *every[2:])
    table.refused(code, every[2]).sent(*every[3:], units=2.0, codes=["ThrottlingError", ""]).sent(every[3], units=2.0)
    found = table.upsert(*(new(number) for number in range(1, 6)))
    assert found == Upserted(written=4, invalid=1, write_units=8.0, throttles=1, done=5)
    assert len(table.waited) == 1


def test_a_half_that_was_throttled_makes_the_whole_wait() -> None:
    table = Table().refused("ValidationException", insert(1), insert(2)).refused("ThrottlingException", insert(1))
    table.sent(insert(2)).sent(insert(1))
    assert table.upsert(new(1), new(2)) == Upserted(written=2, throttles=1, done=2)
    assert len(table.waited) == 1


@pytest.mark.parametrize("code", ["AccessDenied", "ResourceNotFound", "ConditionalCheckFailed"])
def test_an_error_that_nobody_knows_stops_the_upsert(code: str) -> None:
    with says(StoreError, f"table azure-test: {code}"):
        Table().sent(insert(), codes=[code]).upsert(new())
    with says(StoreError, f"table azure-test: {code}Exception"):
        Table().refused(f"{code}Exception", insert()).upsert(new())
    with says(StoreError, "table azure-test: DuplicateItem"):
        Table().sent(update(), codes=["DuplicateItem"]).upsert(known())


def test_a_table_out_of_reach() -> None:
    with unreachable("dynamodb") as client, says(StoreError, "table azure-test: EndpointConnectionError"):
        DynamoDbWorkloads(client, "azure-test").upsert([new()], deadline=HOUR)


class Fake:
    """A table that answers each statement by code, from any thread."""

    def __init__(self, code: str = "") -> None:
        self.code, self.batches, self.at_once, self.most_at_once = code, list[int](), 0, 0
        self.lock = threading.Lock()

    def batch_execute_statement(self, *, Statements: list[Any], **_: Any) -> Any:  # noqa: N803 - AWS's name
        with self.lock:
            self.batches.append(len(Statements))
        error = {"Error": {"Code": self.code}} if self.code else {}
        return {"Responses": [error for _ in Statements], "ConsumedCapacity": [{"CapacityUnits": 1.0}, {}]}


def table_of(fake: Fake, *, threads: int = 4) -> DynamoDbWorkloads:
    client: Any = fake
    return DynamoDbWorkloads(client, "azure-test", threads=threads)


def test_batches_have_25_statements_and_over_a_thousand_invalid_items_are_our_own_fault() -> None:
    fake = Fake()
    found = table_of(fake).upsert([new(number) for number in range(60)], deadline=HOUR)
    assert (sorted(fake.batches), found) == ([10, 25, 25], Upserted(written=60, write_units=3.0, done=60))
    odd = Fake("ValidationError")
    assert table_of(odd).upsert([new()] * 1000, deadline=HOUR) == Upserted(invalid=1000, write_units=40.0, done=1000)
    with says(StoreError, "table azure-test: ValidationError for more than 1000 items"):
        table_of(odd).upsert([new()] * 1001, deadline=HOUR)


@pytest.mark.parametrize(("seconds_left", "done"), [(2.0, 25), (2.1, 40)])
def test_time_that_runs_out_leaves_the_rest(seconds_left: float, done: int) -> None:
    left = iter([3600.0, seconds_left, 0.0])
    found = table_of(Fake(), threads=1).upsert(
        [new(number) for number in range(40)], deadline=Deadline(lambda: next(left))
    )
    assert (found.done, found.left) == (done, 40 - done)
    assert found.written == done


def test_a_second_upsert_counts_from_nothing() -> None:
    table = table_of(Fake())
    assert table.upsert([new()], deadline=HOUR) == table.upsert([new()], deadline=HOUR)


def test_batches_are_not_all_made_before_the_first_is_written() -> None:
    made: list[int] = []

    class Changes(Sequence[ItemChange]):
        def __len__(self) -> int:
            return 2000

        def __getitem__(self, number: Any) -> Any:
            if number >= 2000:
                raise IndexError
            made.append(number)
            return new(number)

    class Looking(Fake):
        def batch_execute_statement(self, **asked: Any) -> Any:
            with self.lock:
                self.most_at_once = max(self.most_at_once, len(made) - 25 * len(self.batches))
            return super().batch_execute_statement(**asked)

    looking = Looking()
    assert table_of(looking, threads=1).upsert(Changes(), deadline=HOUR).written == 2000
    assert looking.most_at_once == 8 * 25


def test_a_value_of_a_type_that_has_no_place_is_no_item() -> None:
    with says(TypeError, "list has no place in an item"):
        table_of(Fake()).upsert([new(Zones=["1"])], deadline=HOUR)
