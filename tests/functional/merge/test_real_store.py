"""The merge through S3 and DynamoDB as the emulated AWS has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.awsrequest import AWSResponse, HTTPHeaders
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.models import Run
from spotlake.settings import Settings
from spotlake.state.attempts import read_record, write_record
from spotlake.stores.objects import MemoryObjects, S3Objects
from spotlake.stores.workloads import DynamoDbWorkloads, MemoryWorkloads
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run
from spotlake_local.aws.launcher import EmulatedAws
from tests.functional.merge.conftest import World, items
from tests.functional.merge.test_attempts import ATTEMPTS, essence
from tests.support.emulator import aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

__all__ = ["aws"]
_numbers = itertools.count()
_UNEQUAL = ("Version", "RunId", "UpdatedAt")  # who wrote an item, and when: that depends on the merges
SIZES = ("Standard_D2s_v5", "Standard_E4s_v5")


class Site(World):
    """A bucket and a table of their own."""

    def __init__(self, aws: EmulatedAws) -> None:
        name = f"merge-{next(_numbers)}"
        s3 = cast("S3Client", aws.client("s3"))
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        self.dynamodb, self.table = cast("DynamoDBClient", aws.client("dynamodb")), name
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": "InstanceType", "KeyType": "HASH"},
                {"AttributeName": "Workload", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("InstanceType", "Workload")],
            BillingMode="PAY_PER_REQUEST",
        )
        super().__init__(S3Objects(s3, name), DynamoDbWorkloads(self.dynamodb, name, sleep=lambda _: None))

    def merge_within(self, run: Any, seconds_left: Iterator[float]) -> None:
        """With a deadline that says these seconds, one after the other."""
        deps = MergeDeps(
            objects=self.objects,
            workloads=self.workloads,
            clock=ManualClock(run.slot_at),
            deadline=Deadline(lambda: next(seconds_left)),
            settings=Settings(),
        )
        merge_run(run, [], deps)

    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        typed = TypeDeserializer().deserialize
        found = self.dynamodb.scan(TableName=self.table, ConsistentRead=True)["Items"]
        rows = [{name: typed(value) for name, value in one.items()} for one in found]
        return {(one["InstanceType"], one["Workload"]): one for one in rows}

    def essence(self) -> tuple[Any, Any]:
        """Live items of the table, and the latest file.

        An item that was retired goes by TTL; a run that comes late may never have made it.
        """
        items = self.items()
        assert all(("RetiredAt" in item) == ("ExpiresAt" in item) for item in items.values())
        table = {
            key: {name: value for name, value in item.items() if name not in _UNEQUAL}
            for key, item in items.items()
            if "RetiredAt" not in item
        }
        stored = self.objects.get(keys.LATEST)
        return table, orjson.loads(stored.body) if stored else None


def plain(value: Any) -> Any:
    """Numbers as the table's twin in memory has them."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return float(value) if isinstance(value, Decimal) else value


def planned_again(world: World, run: Run, killed: Sequence[int]) -> Run:
    """An attempt that counts on those that were killed before their merge, as ``resume`` does."""
    record = read_record(world.objects, run.slot_at, run.attempt)
    world.objects.delete(keys.attempt_record(run.slot_at, run.attempt))
    write_record(world.objects, replace(record, includes=tuple(killed)))
    return run


def collected(world: World, specs: Sequence[dict[str, Any]], killed: set[int]) -> list[Run]:
    """Every attempt's shards; who comes after a killed attempt of its slot counts on it."""
    runs = [world.collected(attempt=number, **{"scores": None, **spec}) for number, spec in enumerate(specs, 1)]
    for run in runs:
        before = [one for one in killed if one < run.attempt and runs[one - 1].slot_at == run.slot_at]
        if before and run.attempt not in killed:
            planned_again(world, run, before)
    return [run for run in runs if run.attempt not in killed]


@settings(
    deadline=None,
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],  # making a failing example smaller would take minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), specs=st.lists(ATTEMPTS, min_size=2, max_size=5))
def test_any_attempts_in_any_order_twice_or_two_at_once_end_as_in_memory_in_order(
    aws: EmulatedAws, data: st.DataObject, specs: list[dict[str, Any]]
) -> None:
    killed = data.draw(st.sets(st.integers(1, len(specs)), max_size=len(specs) - 1))
    calm = World(MemoryObjects(), MemoryWorkloads())
    for run in sorted(collected(calm, specs, killed), key=lambda run: (run.run_id, run.attempt)):
        calm.merge(run)
    site = Site(aws)
    runs = collected(site, specs, killed)
    again = data.draw(st.lists(st.sampled_from(range(len(runs))), max_size=2))
    order = data.draw(st.permutations([*range(len(runs)), *again]))
    if data.draw(st.booleans()):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda place: site.merge(runs[place]), order))
        # Whoever leaves the table to a newer state leaves it to somebody who goes on; the last word is one merge more.
        for place in range(len(runs)):
            site.merge(runs[place])
    else:
        for place in order:
            site.merge(runs[place])
    numbers = {spec["number"] for run in runs for spec in [specs[run.attempt - 1]]}
    found = essence(site, numbers, plain(site.items()))
    assert found == essence(calm, numbers, plain(items(calm)))


def test_a_second_merge_of_the_same_run_writes_no_item(aws: EmulatedAws) -> None:
    site = Site(aws)
    run = site.collected(0, scores={"1": 3, "2": 2}, sizes=SIZES)
    assert site.merge(run)["written_items"] == 4
    again = site.merge(run)
    assert (again["written_items"], again["consumed_write_units"]) == (4, 4.0)  # of the first merge


def test_an_upsert_out_of_time_is_told_and_its_rest_goes_first_next_time(aws: EmulatedAws) -> None:
    sizes = [f"Standard_D{number}s_v5" for number in range(40)]
    site = Site(aws)
    run = site.collected(0, scores={"1": 3, "2": 2, "3": 1}, sizes=sizes)
    # Enough for three of the five batches.
    site.merge_within(run, itertools.chain([600.0] * 3, itertools.repeat(0.5)))
    stored = site.objects.get(keys.manifest(run.slot_at))
    assert stored is not None
    manifest = orjson.loads(stored.body)
    assert manifest["status"] == "partial"
    assert (manifest["changed_rows"], manifest["written_items"]) == (120, 75)
    assert 45 <= manifest["items_left"] < 120
    written = set(site.items())
    second = site.collected(1, spot=0.02, scores={"1": 3, "2": 2, "3": 1}, sizes=sizes)
    after = site.merge(second)
    assert (after["status"], after["items_left"]) == ("complete", 0)
    assert written < set(site.items())
    calm = Site(aws)
    for number, spot in enumerate((0.01, 0.02)):
        calm.merge(calm.collected(number, spot=spot, scores={"1": 3, "2": 2, "3": 1}, sizes=sizes))
    assert site.essence() == calm.essence()


def throttle(site: Site, times: int, *, whole: bool) -> list[int]:
    """Let the next upserts be throttled: the whole request, or two statements of each."""
    answered: list[int] = []

    def answer(request: Any, **_: Any) -> Any:
        if len(answered) >= times:
            return None
        answered.append(1)
        statements = orjson.loads(request.body)["Statements"]
        if whole:
            body: Any = {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}
        else:
            error = {"Error": {"Code": "ThrottlingError", "Message": "too fast"}}
            body = {"Responses": [error] * len(statements)}
        return AWSResponse(request.url, 400 if whole else 200, HTTPHeaders(), Raw(orjson.dumps(body)))

    site.dynamodb.meta.events.register("before-send.dynamodb.BatchExecuteStatement", answer)
    return answered


class Raw:
    """An answer's body as urllib3 has it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


@pytest.mark.parametrize("whole", [True, False], ids=["request", "statements"])
def test_what_was_throttled_is_sent_again_until_it_is_done(aws: EmulatedAws, whole: bool) -> None:
    site = Site(aws)
    run = site.collected(0, scores={"1": 3, "2": 2}, sizes=SIZES)
    # botocore's own retries come first, for whole requests.
    answered = throttle(site, times=9, whole=whole)
    manifest = site.merge(run)
    assert len(answered) == 9
    assert (manifest["written_items"], manifest["items_left"]) == (4, 0)
    assert manifest["write_throttles"] > 0
    assert len(site.items()) == 4


def test_states_that_the_chain_does_not_need_are_deleted(aws: EmulatedAws) -> None:
    site = Site(aws)
    for number in (0, 2, 1):
        site.merge(site.collected(number, spot=0.01 * (number + 1), scores={"1": 3}))
    chain = orjson.loads(site.objects.get(keys.MERGED_CHAIN).body)  # type: ignore[union-attr]
    needed = {one["key"] for one in chain["runs"]}
    assert set(site.objects.keys(keys.MERGED_STATES_PREFIX)) == needed
    assert len(needed) == 3
