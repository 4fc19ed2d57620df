"""Measures the simulated Azure: CPU time of its process per placement-score call.

``python -m benchmarks.simulator [--calls N] [--threads N]``. CPU time tells what one core can do, whatever else
runs on the machine; the clock's time depends on who asks.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spotlake.azure.credentials import AzureCredentials
from spotlake.azure.http import new_session
from spotlake.azure.tokens import TokenSource
from spotlake.models import MAX_CALL_INSTANCE_TYPES, MAX_CALL_REGIONS
from spotlake_local.azure.simulated import SimulatedAzure

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--threads", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, SimulatedAzure.start(Path(folder), subscriptions=48) as azure:
        azure.set_clock(NOW_AT)
        azure.options(quota_calls=1_000_000)
        bodies = _bodies(azure, arguments.calls)
        before = azure.stats()
        began = time.monotonic()
        rows = _send(azure, bodies, arguments.threads)
        seconds = time.monotonic() - began
        after = azure.stats()
    answered = after["answers"]["sps 200"]
    cpu_seconds = after["cpu_seconds"] - before["cpu_seconds"]
    print(f"calls answered            {answered:,} of {len(bodies):,}, {rows / answered:.0f} rows each")
    print(f"CPU a call                {1000 * cpu_seconds / answered:.2f} ms")
    print(f"calls a second, one core  {answered / cpu_seconds:,.0f}")
    print(f"calls a second, as run    {answered / seconds:,.0f} ({arguments.threads} threads, who asks included)")
    print(f"peak memory               {after['peak_memory_mb']:.0f} MB")


def _bodies(azure: SimulatedAzure, number: int) -> list[dict[str, Any]]:
    """Full calls, 8 regions x 5 sizes each, no two alike while the catalogue lasts."""
    world = azure.world()
    regions = [region for region in world.regions if region in world.ondemand]
    sizes = world.spot_sizes("eastus")
    return [
        {
            "desiredLocations": [regions[(one * 3 + step * 7) % len(regions)] for step in range(MAX_CALL_REGIONS)],
            "desiredSizes": [{"sku": sizes[(one * 5 + step) % len(sizes)]} for step in range(MAX_CALL_INSTANCE_TYPES)],
            "desiredCount": 1 + one % 50,
            "availabilityZones": True,
        }
        for one in range(number)
    ]


def _send(azure: SimulatedAzure, bodies: list[dict[str, Any]], threads: int) -> int:
    """Send all; the rows that came."""
    credentials = AzureCredentials(azure.tenant_id, azure.client_id, azure.client_secret, azure.subscriptions)
    tokens = TokenSource(credentials, authority_url=azure.authority_url, ca_file=azure.ca_file)
    headers = tokens.headers()
    session = new_session(connections=threads)
    path = "providers/Microsoft.Compute/locations/koreacentral/placementScores/spot/generate"

    def send(numbered: tuple[int, dict[str, Any]]) -> int:
        number, body = numbered
        subscription = azure.subscriptions[number % len(azure.subscriptions)]
        url = f"{azure.url}/subscriptions/{subscription}/{path}"
        response = session.post(url, params={"api-version": "2025-06-05"}, json=body, headers=headers, timeout=30)
        return len(response.json()["placementScores"])

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(send, enumerate(bodies)))


if __name__ == "__main__":
    main()
