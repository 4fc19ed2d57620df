"""A function that notes its event and does as the run's ``faults`` say; runs inside the emulated Lambda."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

DATASETS = {"sps": "sps", "price": "spot_price", "eviction": "spot_if"}


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    name, region = os.environ["NAME"], event.get("region")
    with Path(os.environ["RECORD"]).open("a", encoding="utf-8") as record:
        record.write(json.dumps([name, event]) + "\n")
    asked = event["input"] if name == "plan" else (event.get("run") or {})
    error = asked.get("faults", {}).get(f"{name}/{region}" if region else name)
    if asked.get("hangs") == f"{name}/{region}":
        time.sleep(15)  # as a collector whose Azure does not answer
    if error:
        raise type(error, (Exception,), {})(f'{name} said "no"')
    return _answer(name, region, asked)


def _answer(name: str, region: str | None, asked: dict[str, Any]) -> dict[str, Any]:
    if name == "plan" and asked.get("skip"):
        return {"status": "skipped", "reason": "another run"}
    if name == "plan":
        run = {"run_id": "20260101T0000Z", "mode": asked.get("mode", "incremental"), **asked}
        more = {name: asked.get(name, False) for name in ("start_full_run", "collect_instead")}
        groups = asked.get("groups", [["eastus"], ["westus"]])
        return {"status": "planned", "reason": None, "run": run, "groups": groups, **more}
    if name == "merge":
        sufficient = not asked.get("short")
        return {
            "status": "complete",
            "coverage_percent": 100 if sufficient else 12.34,
            "coverage_sufficient": sufficient,
        }
    if name in DATASETS:
        refused = asked.get("refused") == f"{name}/{region}"
        status = (
            {"status": "failed", "error": "UntrustedAnswerError", "cause": "empty"}
            if refused
            else {"status": "complete", "error": None, "cause": None}
        )
        return {"dataset": DATASETS[name], "region": region, "rows": 3, "seconds": 0.1, **status}
    return {"status": "done"}
