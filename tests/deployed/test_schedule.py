"""The stack with its schedule on: a run begins by itself, and no slot waits for the first full run."""

from __future__ import annotations

import json
from pathlib import Path

from spotlake.models import floor_to_slot, from_iso, run_id_of, to_iso
from tests.support.emulator import wait_for
from tests.support.site import PATIENCE_SECONDS, start_site

EVERY_MINUTE = "cron(0/1 * * * ? *)"  # nobody waits for ten


def test_a_run_begins_by_itself_and_a_slot_beside_the_first_full_run_is_collected(tmp_path: Path) -> None:
    with start_site(tmp_path, schedule_enabled="true", schedule_expression=EVERY_MINUTE) as site:
        site.azure.fault(api="retail", times=1, latency_seconds=8.0)  # it is not over before the other asks
        (first, *_) = wait_for(site.executions, what="the schedule", patience_seconds=PATIENCE_SECONDS)
        arn = first["executionArn"]
        wait_for(lambda: "FullRun" in site.entered(arn), what="the claim", patience_seconds=PATIENCE_SECONDS)
        beside = site.ended(site.start(regions=["westcentralus"]))
        assert beside["status"] == "SUCCEEDED"
        assert json.loads(beside["output"])["status"] == "collected"

        ended = site.ended(arn)
        assert ended["status"] == "SUCCEEDED", ended
        scheduled_at = from_iso(json.loads(ended["input"])["timestamp"])
        assert to_iso(scheduled_at) == json.loads(ended["input"])["timestamp"]
        slot_at = floor_to_slot(scheduled_at)
        manifest = site.object(f"runs/azure/{slot_at:%Y/%m/%d/%H-%M}.json")
    assert (manifest["run_id"], manifest["complete"], manifest["stale"]) == (run_id_of(slot_at), True, [])
    assert "full" in {one["mode"] for one in manifest["attempts"]}
    assert manifest["rows"]["merged"] > 10
