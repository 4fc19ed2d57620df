from __future__ import annotations

import gzip
import io
import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import DESIRED_COUNTS
from spotlake.packing import pack, unpack
from spotlake.reporting.facts import gather
from spotlake.reporting.page import render
from spotlake.reporting.snapshots import rows_figures, snapshot_rows
from tests.functional.merge.conftest import FIRST, REGION, World
from tests.report.conftest import SIZES, reported

PAGE_LIMIT_BYTES = 1_500_000


def facts(world: World, number: int) -> Any:
    return gather(world.objects, world.run(number).slot_at)


def test_scores_prices_and_rates_are_counted(world: World) -> None:
    found = facts(world, 0)["figures"]["regions"][REGION]
    assert found["pairs"] == len(SIZES)
    assert found["scores"] == [3, 3, 3, 0]  # three zones with 3, 2, 1 of each of three sizes
    assert found["frequencies"] == [3, 0, 0, 0, 0, 0]
    assert found["savings"] == [80.0] * 5
    assert found["t3"][:2] == [6, 3]
    assert len(found["t3"]) == 1 + len(DESIRED_COUNTS)


def test_what_changed_is_counted_by_direction(world: World) -> None:
    second = facts(world, 1)
    assert second["before"]["run_id"] == "20251215T1000Z"
    moves = second["figures"]["regions"][REGION]["moves"]
    assert moves["spot_price"] == {"up": 3}  # one size dearer, in three zones
    assert moves["t3"] == {"down": 2}  # zone 1 of the two sizes that were scored again
    assert second["figures"]["left"] == 0


def test_appeared_left_known_unknown() -> None:
    def row(zone: str, t3: str) -> tuple[str, ...]:
        return ("r", "R", "s", zone, "0.1", "50", "-1", "3", "1", t3, "N/A", "N/A", "2025-12-15 10:00:00", "1")

    before = [row("1", "-1"), row("2", "5"), row("3", "1")]
    after = rows_figures(FIRST, [row("1", "1"), row("2", "-1"), row("Single", "1")], before)
    moves = after["regions"]["r"]["moves"]
    assert moves == {"t3": {"known": 1, "unknown": 1}, "workload": {"appeared": 1}}
    assert after["left"] == 1
    assert after["held"] == {"price": [0] * 6, "eviction": [0] * 6, "sps": [3, 0, 0, 0, 0, 0]}


def test_faults_and_stale_regions_are_told(world: World) -> None:
    second = facts(world, 1)
    (stale,) = second["manifest"]["stale"]
    assert (stale["dataset"], stale["region"], stale["error"]) == ("spot_if", REGION, "ShardRefusedError")
    assert {"throttles": 2, "retries": 3} in [one["faults"] for one in second["collectors"]]


def test_the_report_writes_the_page_beside_the_manifest(world: World) -> None:
    key = keys.report_page(world.run(1).slot_at)
    assert key == "runs/azure/2025/12/15/10-10.html"
    stored = world.objects.get(key)
    assert stored is not None
    page = unpack(stored.body)
    assert len(page) < PAGE_LIMIT_BYTES
    assert page == render([facts(world, 1)])


@pytest.mark.parametrize("damage", ["snapshot", "manifest"])
def test_no_page_is_no_reason_to_fail(damage: str) -> None:
    world = World()
    run = world.collected(0, scores={"1": 3})
    world.merge(run)
    key = keys.snapshot(run.slot_at) if damage == "snapshot" else keys.manifest(run.slot_at)
    world.objects.delete(keys.figures(run.slot_at))  # as of a run that was merged before figures were kept
    world.objects.put(key, b"damaged")
    outputs = reported(world, run)["outputs"]
    assert keys.execution(run.slot_at) in outputs
    assert keys.report_page(run.slot_at) not in outputs


@pytest.mark.parametrize("body", [b"", b"no gzip", pack(b"a,b\n1,2\n"), gzip.compress(b"x" * 99)[:-9]], ids=range(4))
def test_a_damaged_snapshot_is_named(body: bytes) -> None:
    world = World()
    run = world.collected(0)
    world.merge(run)
    world.objects.delete(keys.figures(run.slot_at))
    world.objects.put(keys.snapshot(run.slot_at), body)
    with pytest.raises(StoreError, match="snapshot"):
        gather(world.objects, run.slot_at)


def test_a_run_that_has_not_finished_has_no_page() -> None:
    with pytest.raises(StoreError, match="has not finished"):
        gather(World().objects, FIRST)


def test_live_data_is_not_called_simulated() -> None:
    world = World()
    run = world.collected(0)
    world.merge(run)
    reported(world, run, azure="live")
    execution = gather(world.objects, run.slot_at)["execution"]
    assert execution is not None
    assert execution["azure"] == "live"


def test_nothing_in_the_data_can_become_markup(world: World) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    shown = facts(world, 1)
    shown["manifest"]["stale"][0]["cause"] = hostile
    shown["run_id"] = hostile
    page = render([shown]).decode()
    assert hostile not in page
    embedded = re.search(r'<script type="application/json" id="runs">(.*?)</script>', page, re.DOTALL)
    assert embedded is not None
    assert json.loads(embedded[1])[0]["manifest"]["stale"][0]["cause"] == hostile


def test_the_browser_runs_the_page_s_own_scripts_alone(world: World) -> None:
    page = render([facts(world, 1)]).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    assert policy is not None
    (allowed,) = [part.split()[1:] for part in policy[1].split(";") if part.split()[0] == "script-src"]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)  # those with a type are data
    assert allowed == [f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in scripts]
    assert len(scripts) == 3


def test_rows_stand_in_the_order_of_their_columns() -> None:
    world = World()
    run = world.collected(0, scores={"1": 3})
    world.merge(run)
    stored = world.objects.get(keys.snapshot(run.slot_at))
    assert stored is not None
    (row,) = snapshot_rows(stored.body)
    assert row[:5] == (REGION, "KR Central", SIZES[0], "1", "0.01")
    assert row[7:10] == ("3", "1", "1")
    assert io.BytesIO(unpack(stored.body)).readline().startswith(b"InstanceTier")


def test_collecting_lasts_from_the_first_beginning_to_the_last_end() -> None:
    world = World()
    run = world.collected(30)
    world.merge(run)
    collectors: Any = [
        {"dataset": "sps", "region": region, "status": "complete", "began_at": began_at, "seconds": seconds}
        for region, began_at, seconds in (
            ("eastus", "2025-12-15T10:00:05.500+00:00", 9.0),
            ("westus", "2025-12-15T10:00:04+00:00", 2.0),
            ("koreacentral", None, None),  # killed
        )
    ]
    reported(world, run, collectors=collectors)
    stored = world.objects.get(keys.execution(run.slot_at))
    assert stored is not None
    assert json.loads(stored.body)["collection_seconds"] == 10.5


def test_a_run_is_compared_with_the_newest_finished_one_before_it() -> None:
    world = World()
    for number in (0, 1, 143, 144, 500):  # the second day begins at 84
        world.merge(world.collected(number, scores={"1": 3}))

    def compared_with(number: int) -> str | None:
        before = facts(world, number)["before"]
        return before["run_id"] if before else None

    assert compared_with(0) is None
    assert compared_with(1) == "20251215T1000Z"
    assert compared_with(143) == "20251215T1010Z"  # of the day before
    assert compared_with(500) is None  # three days ago is too long
