"""Production's bucket belongs to somebody else: in an account of one's own it cannot be read, and runs go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.models import Run
from spotlake.planning.catalogue import fold_listing
from spotlake.settings import Settings
from spotlake.state.catalogue import change_catalogue
from spotlake.stores.claims import MemoryClaims
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects, ReadOnlyObjects, S3Objects
from spotlake.usecases.plan.plan_run import PlanDeps, plan_run
from spotlake.usecases.plan.prepare_work import PrepareDeps
from spotlake.usecases.plan.production_beside import look_at_production

SLOT_AT = datetime(2026, 11, 23, 0, 10, tzinfo=UTC)


def refusing(code: str, status: int) -> S3Objects:
    """A store whose S3 answers every read with this error, as botocore would raise it."""
    client = boto3.client("s3", region_name="us-west-2", aws_access_key_id="a", aws_secret_access_key="b")
    stub: Any = Stubber(client)
    for _ in range(3):
        stub.add_client_error("get_object", service_error_code=code, http_status_code=status)
    stub.activate()
    return S3Objects(client, "spotlake")


def plan(production: ReadOnlyObjects) -> tuple[list[str], tuple[int, ...], int]:
    """Notes, desired counts and quota share of an incremental run beside this production."""
    objects, clock = MemoryObjects(), ManualClock(SLOT_AT)
    change_catalogue(
        objects,
        lambda before: fold_listing(before, SLOT_AT.date(), {"eastus": ["Standard_D2s_v5"]}, {}, keep_days=3),
    )

    def prepare(_: Run) -> PrepareDeps:
        return PrepareDeps(
            objects=objects,
            production=production,
            ledger=MemoryLedger(),
            clock=clock,
            subscriptions=("sub-a",),
            routing=("eastus",),
            settings=Settings(),
            effort_seconds=0.0,
        )

    deps = PlanDeps(
        objects=objects,
        claims=MemoryClaims(),
        wall=clock,
        is_running=lambda _: False,
        settings=Settings(),
        prepare=prepare,
    )
    planned = plan_run({"mode": "incremental"}, execution_id="arn:1", started_at=SLOT_AT.isoformat(), deps=deps)
    assert planned["run"] is not None
    return list(planned.get("notes", [])), tuple(planned["run"]["desired_counts"]), planned.get("quota_left", 0)


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("PermanentRedirect", 301)])
def test_a_production_bucket_that_is_not_for_us_is_done_without_and_noted(code: str, status: int) -> None:
    notes, counts, quota = plan(refusing(code, status))
    assert [note for note in notes if note.startswith("no production beside us: ") and code in note]
    # As with a production that has nothing: all of the quota, and the count of the timestamp.
    alone = plan(MemoryObjects())
    assert (counts, quota) == alone[1:]


def test_an_empty_read_bucket_asks_nobody() -> None:
    notes, *_ = plan(MemoryObjects(bucket=""))
    assert "no production beside us: setting read_bucket is empty" in notes


def test_a_production_that_is_out_of_reach_is_not_taken_for_none() -> None:
    notes, _, quota = plan(refusing("InternalError", 500))
    assert quota == plan(MemoryObjects())[2] // 2  # it may be using its half of the quota
    assert any(keys.PRODUCTION_SPS_METADATA in note for note in notes)


def test_a_production_that_stands_still_is_not_followed() -> None:
    production = MemoryObjects()
    production.put(keys.PRODUCTION_SPS_METADATA, b"desired_count_index: 3\nworkload_date: 2026-11-23\n")
    objects = MemoryObjects()
    counts = [
        look_at_production(production, objects, SLOT_AT + timedelta(hours=number), print).index for number in range(38)
    ]
    assert [index is None for index in counts] == [False, *[True] * 37]
    production.put(keys.PRODUCTION_SPS_METADATA, b"desired_count_index: 4\nworkload_date: 2026-11-24\n")
    assert look_at_production(production, objects, SLOT_AT + timedelta(hours=38), print).index == 4


@pytest.mark.parametrize(
    "body",
    [
        b"a: 1\n" * 1_000_000,
        b"[" * 60_000,
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9))
        + b"desired_count_index: *j\nworkload_date: 2026-11-23\n",
        b"!!python/object/apply:os.system ['false']",
        b"desired_count_index: 3\nworkload_date: 2026-11-23 10:00:00\n",
    ],
    ids=["5 MB", "nested", "aliases", "python tag", "a moment"],
)
def test_a_file_of_somebody_else_s_making_costs_nothing(body: bytes) -> None:
    production = MemoryObjects()
    production.put(keys.PRODUCTION_SPS_METADATA, body)
    found = look_at_production(production, MemoryObjects(), SLOT_AT, print)
    assert (found.shares_quota, len(found.ignored) < 200) == (True, True)
