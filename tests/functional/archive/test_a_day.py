"""A day in which no spot machine is to be had: every slot is collected, and the full run's failure is told once."""

from __future__ import annotations

from datetime import timedelta

from spotlake.events import PlanResult
from spotlake.merge.manifest import NO_PAIRS
from tests.functional.archive.archive import NO_MACHINE, REGIONS, SIZES, START_AT, Archive, regions_of, run_of

SLOT = timedelta(minutes=10)
GIVEN_UP_AFTER = timedelta(minutes=15)


def test_a_day_without_a_spot_machine_loses_no_slot() -> None:
    archive = Archive()
    waiting: list[tuple[str, PlanResult]] = []  # full runs whose job waits for a machine
    begun = 0

    def give_up() -> None:
        """End the full runs that have waited long enough, as the workflow does."""
        for one in [one for one in waiting if archive.clock.now() >= run_of(one[1]).started_at + GIVEN_UP_AFTER]:
            waiting.remove(one)
            owner, planned = one
            run, failures = run_of(planned), [NO_MACHINE]
            if planned.get("collect_instead"):
                _, instead = archive.begin(
                    owner=owner, mode="incremental", timestamp=run.slot_at.isoformat(), resume=True, past=True
                )
                run = run_of(instead)
                failures += archive.collect(run, regions_of(instead))
            archive.merge(run, failures)
            archive.end(owner, run_of(planned), error=NO_MACHINE.error)

    for number in range(144):
        archive.clock.advance(seconds=(START_AT + number * SLOT - archive.clock.now()).total_seconds())
        give_up()
        owner, planned = archive.begin()
        assert planned["status"] == "planned", planned
        run = run_of(planned)
        if run.mode == "full":
            waiting.append((owner, planned))
            begun += 1
            continue
        if planned.get("start_full_run"):
            begun += 1
            waiting.append(archive.begin(mode="full", timestamp=run.slot_at.isoformat()))
        archive.merge(run, archive.collect(run, regions_of(planned)))
        archive.end(owner, run)
    archive.clock.advance(minutes=15)
    give_up()

    manifests = [archive.manifest(START_AT + number * SLOT) for number in range(144)]
    assert (
        {one["coverage"]["price"] for one in manifests} == {one["coverage"]["eviction"] for one in manifests} == {100}
    )
    stale = {(one["dataset"], one["error"]) for manifest in manifests for one in manifest["stale"]}
    assert stale == {("", NO_MACHINE.error)}  # nothing is missing but the full runs
    assert begun == 24  # once an hour
    assert [subject for subject in archive.told if "Batch.JobFailed" in subject] == archive.told[:1]
    assert len(archive.told) == 1

    # By Azure's own record: in each slot somebody asked for a score, and every pair was asked at every count.
    slots = {(seen.at - START_AT) // SLOT for seen, _ in archive.bench.azure.told}
    assert slots >= set(range(2, 144))
    assert manifests[1]["coverage_reasons"] == {"sps": NO_PAIRS}  # the first slot still waited for its listing
    asked = {(row["region"], row["sku"], seen.desired_count) for seen, rows in archive.bench.azure.told for row in rows}
    assert len(asked) == len(REGIONS) * len(SIZES) * 11
    assert archive.bench.azure.refused == 0
