"""A job that is killed goes on: nothing stored is asked again, no quota is exceeded, the rows are the same."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from spotlake.models import DESIRED_COUNTS, Dataset
from spotlake.planning.run_input import matches
from spotlake.scores.quota import QuotaRules
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.azure.simulated import SimulatedAzure
from tests.full_run.job import REGIONS, SIZES, SLOT_AT, Batch, Job, repeated
from tests.support.emulator import reclaim, wait_for

pytestmark = pytest.mark.emulator
EXIT_CODES = {signal.SIGTERM: 75, signal.SIGKILL: -signal.SIGKILL}
# A killed process is not there to wait, one that is told to stop waits for its calls under way.
STALL_SECONDS = {signal.SIGTERM: 1.0, signal.SIGKILL: 5.0}
API_OF = {Dataset.PRICE: "retail", Dataset.EVICTION: "graph"}


@pytest.fixture(scope="module")
def undisturbed(aws: EmulatedAws, azure_process: SimulatedAzure, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job of all eleven counts that nobody kills."""
    azure_process.reset()
    job = Job(aws, azure_process, tmp_path_factory.mktemp("undisturbed"), "undisturbed", counts=DESIRED_COUNTS)
    assert job.finish() == 0, job.log.read_text()
    return job


class Watched:
    """A job whose stored answers are remembered at each kill: none of them may be asked again."""

    def __init__(self, job: Job) -> None:
        self.job, self.azure = job, job.azure
        self.answered: dict[str, int] = {}
        self.kills = 0

    def kill(self, number: signal.Signals, **stall: Any) -> None:
        """Kill the next attempt at a point (see ``Job.kill_when``)."""
        seconds = stall.pop("seconds", STALL_SECONDS[number])
        code = self.job.kill_when(number, seconds=seconds, **stall)
        assert code == EXIT_CODES[number], self.job.log.read_text()
        self.kills += 1
        self.remember()

    def remember(self) -> None:
        """Note what is stored; whatever asks for a finished listing again is refused from now on."""
        self._check_listings()
        self.azure.clear_faults()
        stored = self.job.stored()
        for dataset, region in stored.done:
            if dataset in API_OF:
                self.azure.fault(api=API_OF[dataset], location=region, status=400)
        times = repeated(self.azure)
        self.answered |= {asked: times.get(asked, 1) for asked in stored.calls if asked not in self.answered}

    def check(self) -> None:
        """After the last attempt."""
        self._check_listings()
        times = repeated(self.azure)
        assert {asked: times.get(asked, 1) for asked in self.answered} == self.answered
        stats = self.azure.stats()
        assert not [kind for kind in stats["answers"] if kind.startswith("sps ") and kind != "sps 200"]
        self._check_ledger(stats["quota_used"])
        for dataset in Dataset:
            for region in self.job.regions:
                assert self.job.shard(dataset, region)[0].header.report.status == "complete", (dataset, region)

    def _check_listings(self) -> None:
        """No finished listing was asked for again."""
        assert not [rule for rule in self.job.fault_rules() if rule["status"] == 400 and rule["used"]]

    def _check_ledger(self, used: Mapping[str, int]) -> None:
        """Every call that Azure counted is in the ledger, also those whose answers were lost."""
        rules = QuotaRules.of(quota_calls=10, window_minutes=62)
        assert used
        for pair, calls in used.items():
            subscription, location = pair.split(" ")
            free = self.job.ledger.free([location], now_at=SLOT_AT, subscriptions=[subscription], rules=rules)
            assert rules.calls - free[location] >= calls, pair


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["sigterm", "sigkill"])
def test_a_job_killed_at_five_points_finishes_and_finds_the_same(
    aws: EmulatedAws,
    azure: SimulatedAzure,
    tmp_path: Path,
    undisturbed: Job,
    number: signal.Signals,
) -> None:
    # Enough calls for some to be left after each kill: those under way at a SIGTERM are kept too.
    job = Job(aws, azure, tmp_path, f"killed-by-{number.name.lower()}", counts=(1, 5, 10, 15, 20))
    watched = Watched(job)
    # At the first page of prices: nothing is stored at all.
    watched.kill(number, api="retail")
    # After the prices of some regions, before the plan.
    watched.kill(number, api="retail", location="westus", after=1, enough_done=2, seconds=4.0)
    assert not job.planned()
    # Right after the first reservation: the call is on its way.
    watched.kill(number, api="sps")
    planned = len(job.planned())
    assert len(watched.answered) < planned
    # In the middle of the scores.
    watched.kill(number, api="sps", after=(planned - len(job.stored().calls)) // 2)
    assert 0 < len(watched.answered) < planned
    # At the last call, before the last shards are written. Many are under way then: a busy machine stores them later.
    left = planned - len(job.stored().calls)
    watched.kill(number, api="sps", after=left - 1, enough_calls=planned // 2 + 1, seconds=3 * STALL_SECONDS[number])
    assert len(watched.answered) > planned // 2

    assert job.finish() == 0, job.log.read_text()
    watched.check()
    assert watched.kills == 5
    assert job.record()["attempts"] == 6
    assert job.observations(job.counts) == undisturbed.observations(job.counts)


@pytest.mark.parametrize(("grace_seconds", "code"), [(30.0, 75), (0.0, 137)], ids=["sigterm", "sigkill"])
def test_a_job_whose_machine_is_taken_away_goes_on_as_a_second_attempt(
    aws: EmulatedAws, azure: SimulatedAzure, tmp_path: Path, undisturbed: Job, grace_seconds: float, code: int
) -> None:
    job = Job(aws, azure, tmp_path, f"reclaimed-{code}")
    watched = Watched(job)
    batch = Batch.deploy(aws, job.name, job.settings)
    azure.fault(api="sps", after=5, times=1, latency_seconds=2.0)
    job_id = batch.submit(job.run)
    wait_for(job.is_stalled, what="the sixth call")
    watched.remember()
    assert reclaim(aws, job_id, grace_seconds=grace_seconds)
    assert batch.ended(job_id) == ("SUCCEEDED", [code, 0])
    watched.check()
    assert job.observations(job.counts) == undisturbed.observations(job.counts)


def test_one_job_asks_every_count_for_the_regions_and_sizes_named(undisturbed: Job) -> None:
    calls = undisturbed.planned()
    assert {call.desired_count for call in calls} == set(DESIRED_COUNTS)
    for region in REGIONS:
        _, rows = undisturbed.shard(Dataset.SPS, region)
        assert {(row["region"] in REGIONS, row["desired_count"]) for row in rows} == {
            (True, count) for count in DESIRED_COUNTS
        }
        assert all(matches(row["instance_type"], SIZES) for row in rows)
    record = undisturbed.record()
    assert record["attempts"] == 1
    kinds = [sample["Kind"] for sample in record["memory"]]
    assert (kinds[0], kinds[-1]) == ("sample", "peak")
    # The kernel counts by thread and adds up late: within a few MB.
    assert record["memory"][-1]["Memory_MB"] + 5 >= max(sample["Memory_MB"] for sample in record["memory"])
    assert {(one["service"], one["region"]) for one in record["collectors"]} == {
        (service, region) for service in ("sps", "price", "eviction") for region in REGIONS
    }
