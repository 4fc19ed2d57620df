"""The merge through S3 and DynamoDB as the emulated AWS has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.awsrequest import AWSResponse, HTTPHeaders
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.packing import unpack
from spotlake.settings import Settings
from spotlake.stores.objects import S3Objects
from spotlake.stores.workloads import DynamoDbWorkloads
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run
from spotlake_local.aws.launcher import EmulatedAws
from tests.functional.merge.conftest import World
from tests.support.emulator import aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

__all__ = ["aws"]
_numbers = itertools.count()
_UNEQUAL = ("Version", "RunId", "UpdatedAt")  # who wrote an item, and when: that depends on the merges
SIZES = ("Standard_D2s_v5", "Standard_E4s_v5")

runs = st.fixed_dictionaries(
    {"scores": st.dictionaries(st.sampled_from("123"), st.sampled_from([1, 2, 3, None]), max_size=3)},
    optional={
        "count": st.sampled_from([1, 5, 50]),
        "spot": st.sampled_from([0.01, 0.02, None]),
        "ondemand": st.sampled_from([0.05, 0.06]),
        "band": st.sampled_from(["0-5", "20+", None]),
        "sizes": st.sampled_from([SIZES[:1], SIZES, SIZES[1:]]),
    },
)


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
        plain = TypeDeserializer().deserialize
        found = self.dynamodb.scan(TableName=self.table, ConsistentRead=True)["Items"]
        rows = [{name: plain(value) for name, value in one.items()} for one in found]
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
        return table, orjson.loads(unpack(stored.body)) if stored else None


def in_order(aws: EmulatedAws, specs: Sequence[dict[str, Any]]) -> tuple[Any, Any]:
    site = Site(aws)
    for number, spec in enumerate(specs):
        site.merge(site.collected(number, **spec))
    return site.essence()


@settings(
    deadline=None,
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],  # making a failing example smaller would take minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), specs=st.lists(runs, min_size=2, max_size=4))
def test_any_order_twice_or_two_at_once_end_as_merging_once_in_order(
    aws: EmulatedAws, data: st.DataObject, specs: list[dict[str, Any]]
) -> None:
    order = data.draw(
        st.permutations([*range(len(specs)), *data.draw(st.lists(st.integers(0, len(specs) - 1), max_size=2))])
    )
    at_once = data.draw(st.booleans())
    site = Site(aws)
    collected = [site.collected(number, **spec) for number, spec in enumerate(specs)]
    if at_once:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: site.merge(collected[number]), order))
        # Whoever leaves the table to a newer state leaves it to somebody who goes on; the last word is one merge more.
        site.merge(collected[order[-1]])
    else:
        for number in order:
            site.merge(collected[number])
    assert site.essence() == in_order(aws, specs)


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
