"""`make run` as a newcomer would: the real state machine and handlers, emulated AWS, simulated Azure."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from spotlake.shards import open_shard
from spotlake_local.aws.counting import by_operation, read_requests
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from tests.support.emulator import log_lines
from tests.support.processes import holders_of, processes_of
from tests.support.published import METRICS, OF_ALL, billed
from tests.support.shards import parsed_rows

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

pytestmark = pytest.mark.end_to_end
ROOT = Path(__file__).resolve().parents[2]
REGIONS = ("koreacentral", "eastus", "westus")
SIZES = "Standard_D2*"
SPOTLAKE = str(ROOT / ".venv/bin/spotlake")
FILTERS = {"REGIONS": ",".join(REGIONS), "INSTANCE_TYPES": SIZES}


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_"))}
    return {**kept, **more}


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as it stands in README, typed into a shell in the checkout."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def commands_in(readme: str) -> list[str]:
    return re.findall(r"^```bash\n(.*?)\n```$", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def summary_of(state: Path) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads((state / "summary.json").read_bytes())
    return content


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def first(state: Path) -> dict[str, Any]:
    file = str(state / "requests.jsonl")
    done = shell("make run", STATE_DIR=str(state), TIMESTAMP="2025-12-15 10:03", SPOTLAKE_REQUESTS_FILE=file, **FILTERS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "moved to its ten-minute slot" in done.stdout
    return summary_of(state)


@pytest.fixture(scope="module")
def second(state: Path, first: dict[str, Any]) -> dict[str, Any]:
    (command,) = [one for one in commands_in("README.md") if one.startswith("make run ")]
    of_first = (state / "requests.jsonl").rename(state / "requests_of_first.jsonl")
    file = str(state / "requests.jsonl")
    done = shell(command, STATE_DIR=str(state), TIMESTAMP="2025-12-15 10:10", SPOTLAKE_REQUESTS_FILE=file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert of_first.stat().st_size > 0
    return summary_of(state)


def test_both_readmes_have_the_same_commands() -> None:
    assert commands_in("README.md") == commands_in("README_kr.md")


def test_every_other_command_of_the_readme_runs(state: Path, second: dict[str, Any]) -> None:
    commands = commands_in("README.md")
    assert {"make run", "make test"} <= set(commands)
    for command in commands:
        if command.startswith("make "):
            continue  # the runs are the fixtures; this is `make test`
        done = shell(command.replace(".local/", f"{state}/"), STATE_DIR=str(state))
        if "--role" in command:  # shown to be refused
            assert done.returncode != 0
            assert "AccessDenied" in done.stderr
            continue
        if "spotlake place" in command:  # three regions of small sizes hold no 200 vCPUs in Europe, and it says so
            assert (done.returncode, "0 of 1 places" in done.stderr) == (1, True), done.stderr
            continue
        assert done.returncode == 0, command + done.stdout + done.stderr
        assert done.stdout.strip(), command
    assert (ROOT / "plan.json").exists()


def shard_key(state: Path, dataset: str, slot: str, region: str) -> str:
    """The key of the one shard that a region's collector left in a slot, whatever its attempt's number."""
    (found,) = (state / f"spotlake-test/rawdata/azure/{dataset}/{slot}").glob(f"{region}.*.jsonl.gz")
    return str(found.relative_to(state / "spotlake-test"))


def outputs(state: Path, key: str) -> bytes:
    return (state / "spotlake-test" / key).read_bytes()


def test_the_first_run_is_full_and_complete(first: dict[str, Any]) -> None:
    assert (first["run_id"], first["mode"], first["status"]) == ("20251215T1000Z", "full", "succeeded")
    assert (first["regions_requested"], first["regions_complete"], first["coverage_percent"]) == (3, 3, 100.0)
    assert first["azure"] == "simulated"
    assert first["throttled_calls"] == 0
    assert first["changed_rows"] == first["rows"]["merged"] > 100
    assert {"plan", "merge", "full_run"} <= set(first["peak_memory_mb"])


def test_the_next_run_goes_through_the_map(second: dict[str, Any]) -> None:
    assert (second["run_id"], second["mode"], second["status"]) == ("20251215T1010Z", "incremental", "succeeded")
    assert {"plan", "sps", "price", "eviction", "merge"} <= set(second["peak_memory_mb"])
    assert second["coverage_percent"] == 100.0


def test_what_design_section_4_lists_is_there(state: Path, second: dict[str, Any]) -> None:
    day = "2025/12/15"
    for key in (
        *(f"rawdata/azure/{day}/10-{minute}-00.csv.gz" for minute in ("00", "10")),
        *(f"latest_data/latest_{name}" for name in ("azure.json", "sizes_azure.csv.gz")),
        "query-selector/azure/query_selector.json",
        "query-selector/associated/association_azure.json",
        "datapackage.json",
        "history/azure/gaps/month=2025-12.csv",
        *(f"rawdata/azure/localfile/{day}/10-10_{name}" for name in ("execution.json", "memory.csv.gz")),
        *(f"runs/azure/{day}/10-10.{ending}" for ending in ("json", "html")),
        *(
            shard_key(state, name, f"{day}/10-10", region)
            for name in ("sps", "spot_price", "spot_if")
            for region in REGIONS
        ),
    ):
        assert (state / "spotlake-test" / key).exists(), key
    rows = list(
        csv.DictReader(io.StringIO(gzip.decompress(outputs(state, f"rawdata/azure/{day}/10-10-00.csv.gz")).decode()))
    )
    assert len(rows) == second["rows"]["merged"]
    assert {row["RegionCode"] for row in rows} == set(REGIONS)
    assert len(orjson.loads(outputs(state, "latest_data/latest_azure.json"))) == second["rows"]["merged"]


def test_raw_rows_say_that_they_are_simulated(state: Path, second: dict[str, Any]) -> None:
    key = shard_key(state, "spot_price", "2025/12/15/10-10", "eastus")
    from spotlake import keys
    from spotlake.models import Dataset

    region, attempt = keys.region_and_attempt(key)
    shard = open_shard(
        outputs(state, key),
        key=key,
        dataset=Dataset.PRICE,
        run_id=second["run_id"],
        region=region,
        attempt=attempt,
    )
    assert {row["source"] for row in parsed_rows(shard)} == {"simulated"}


def test_a_score_file_s_header_names_the_regions_it_holds(state: Path, second: dict[str, Any]) -> None:
    """A file is named by the region whose collector asked; what it tells of stands in its first line."""
    held: dict[str, set[str]] = {}
    for file in (state / "spotlake-test/rawdata/azure/sps/2025/12/15/10-10").glob("*.jsonl.gz"):
        header, *rows = map(orjson.loads, gzip.decompress(file.read_bytes()).splitlines())
        accounts = header["report"]["accounts"]
        named = {one["region"] for one in accounts if one["scored"] or one["without_score"]}
        held[file.name.split(".")[0]] = {row["region"] for row in rows}
        assert held[file.name.split(".")[0]] == named
    assert set().union(*held.values()) == set(REGIONS)


def test_docs_data_md_names_every_field_that_was_written(state: Path, second: dict[str, Any]) -> None:
    from spotlake.stores.workloads import ALWAYS, KEY, OPTIONAL
    from spotlake.usecases.report.report_run import MEMORY_COLUMNS

    day = "2025/12/15"
    manifest = orjson.loads(outputs(state, f"runs/azure/{day}/10-10.json"))
    execution = orjson.loads(outputs(state, f"rawdata/azure/localfile/{day}/10-10_execution.json"))
    written = {*manifest, *manifest["collectors"][0], *execution, *execution["collectors"][0]}
    written |= {name for one in execution["functions"].values() for name in one}
    written |= {
        *ALWAYS,
        *KEY,
        *OPTIONAL,
        *MEMORY_COLUMNS,
        *OF_ALL,
        *(name for names in METRICS.values() for name in names),
    }
    for dataset in ("sps", "spot_price", "spot_if"):
        header, row = gzip.decompress(outputs(state, shard_key(state, dataset, f"{day}/10-10", "eastus"))).split(b"\n")[
            :2
        ]
        written |= {*orjson.loads(header), *orjson.loads(header)["report"], *orjson.loads(row)}
    snapshot = gzip.decompress(outputs(state, f"rawdata/azure/{day}/10-10-00.csv.gz")).decode()
    written |= set(snapshot.splitlines()[0].split(","))
    described = set(re.findall(r"\w+", (ROOT / "docs/data.md").read_text(encoding="utf-8")))
    assert written - described == set()


def test_every_function_wrote_its_metrics_and_its_memory_is_the_processs_own(
    state: Path, second: dict[str, Any]
) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    with EmulatedAws.start(state / "aws", lambda_python=lambda_python(ROOT)) as aws:
        logs = cast("CloudWatchLogsClient", aws.client("logs"))
        for service in METRICS:
            group = f"/aws/lambda/spotlake-azure-test-{service}"
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            lines = [event["message"] for page in pages for event in page["events"]]
            records = [orjson.loads(line) for line in lines if line.startswith('{"_aws"')]
            kernels = [int(match[1]) for line in lines if (match := re.search(r"Max Memory Used: (\d+) MB", line))]
            # As the kernel saw the process; the largest of all, for lines of one invocation need not be side by side.
            peak_mb = max(record["PeakMemoryMb"][0] for record in records)
            assert peak_mb == pytest.approx(max(kernels), rel=0.1), service
            found[service] = records
        job = [line for line in log_lines(aws, "/aws/batch/spotlake-azure-test-full-run") if line.startswith('{"_aws"')]
    assert all(set(orjson.loads(line)) >= OF_ALL for line in job)
    assert job
    for service, records in found.items():
        for record in records:
            (directive,) = record["_aws"]["CloudWatchMetrics"]
            assert directive["Namespace"] == "SpotLake/AzureTest"
            assert directive["Dimensions"] == [["service"]]
            assert record["service"] == service
            metrics = {one["Name"] for one in directive["Metrics"]}
            assert OF_ALL <= metrics <= METRICS[service] | OF_ALL
        assert any(METRICS[service] | OF_ALL <= set(record) for record in records), service  # a full run plans no call


def test_a_run_asks_of_aws_what_benchmarks_counts_json_says(state: Path, second: dict[str, Any]) -> None:
    """A run that asks more costs more: `python -m benchmarks.counts` counts it again, for docs/costs.md."""
    sent, _ = read_requests(state / "requests.jsonl")
    now = billed(by_operation(one for one in sent if one.service in ("s3", "dynamodb")))
    known = orjson.loads((ROOT / "benchmarks/counts.json").read_bytes())["small"]
    before = billed(known["operations"])
    for kind in ("s3_puts", "s3_gets", "dynamodb_reads"):
        assert now[kind] == pytest.approx(before[kind], rel=0.02), kind
    # A query waits for its turn at Resource Graph, and asks again when another region was quicker.
    assert now["dynamodb_writes"] == pytest.approx(before["dynamodb_writes"], abs=8)
    written = sum(1 for one in sent if one.operation == "BatchExecuteStatement")
    assert written <= 1.02 * known["operations"]["dynamodb BatchExecuteStatement"]


def test_the_functions_count_the_requests_that_the_emulated_aws_gets(state: Path, second: dict[str, Any]) -> None:
    """Two counts of the same: botocore's events in each process, and the emulated AWS's door."""
    with EmulatedAws.start(state / "aws", lambda_python=lambda_python(ROOT)) as aws:
        logs = cast("CloudWatchLogsClient", aws.client("logs"))
        lines = []
        for service in METRICS:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/spotlake-azure-test-{service}"
            )
            lines += [event["message"] for page in pages for event in page["events"]]
    records = [orjson.loads(line) for line in lines if line.startswith('{"_aws"')]
    said: Counter[str] = Counter()
    for record in records:
        run = record.get("result", {}).get("run") or record  # Plan learns the run's id only while it works
        if run.get("run_id") == second["run_id"] and "aws_requests" in record:
            said.update(record["aws_requests"])
    sent, _ = read_requests(state / "requests.jsonl")
    seen = billed(by_operation(one for one in sent if one.service in ("s3", "dynamodb")))
    for kind in ("s3_puts", "s3_gets", "dynamodb_reads", "dynamodb_writes"):
        assert said[kind] == pytest.approx(seen[kind], rel=0.02), kind


def test_the_table_holds_an_item_a_row(state: Path, second: dict[str, Any]) -> None:
    count = "aws dynamodb scan --table-name azure-test --select COUNT --output json"
    done = shell(f"{SPOTLAKE} exec -- {count}", STATE_DIR=str(state))
    live = f"{count} --filter-expression 'attribute_not_exists(RetiredAt)'"
    live_done = shell(f'{SPOTLAKE} exec -- bash -c "{live}"', STATE_DIR=str(state))
    assert orjson.loads(live_done.stdout)["Count"] == second["rows"]["merged"]
    assert orjson.loads(done.stdout)["Count"] >= second["rows"]["merged"]


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("TIMESTAMP", "yesterday", "2025-12-15 10:00"),
        ("REGIONS", "atlantis", "ARM codes"),
        ("DESIRED_COUNT", "0", "one of 1, 5, 10"),
        ("MODE", "fast", "auto, incremental, full"),
        ("AZURE", "cloudy", "simulated or live"),
        ("SUBSCRIPTIONS", "none", "a whole number"),
    ],
)
def test_a_wrong_value_is_refused_with_field_value_and_way_out(
    tmp_path: Path, variable: str, value: str, allowed: str
) -> None:
    done = shell("make run", STATE_DIR=str(tmp_path / "state"), **{variable: value})
    assert done.returncode != 0
    assert variable.lower() in done.stderr
    assert value in done.stderr
    assert allowed in done.stderr
    assert not (tmp_path / "state").exists()


def wait_for(condition: Any, seconds: float = 60.0) -> bool:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if condition():
            return True
        time.sleep(0.1)
    return False


@contextlib.contextmanager
def started(state: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in the background."""
    words = ["--regions", REGIONS[0], "--instance-types", SIZES, "--state-dir", str(state)]
    # Where the tests themselves run in the background of a shell, Ctrl-C is ignored, and that is inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [SPOTLAKE, "run", *words],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killing_it_leaves_no_process_and_the_next_run_ends_well(
    state: Path, second: dict[str, Any], tmp_path: Path
) -> None:
    state = shutil.copytree(state, tmp_path / "state")  # with its synthesised stack
    (state / "last_slot.json").unlink()
    for number in (signal.SIGINT, signal.SIGKILL):
        with started(state) as process:
            assert wait_for((state / "last_slot.json").exists)  # deployed, the execution is about to start
            assert holders_of(state / "lock") >= 2  # the emulator too: killed, it still saves for a while
            process.send_signal(number)
            process.wait()
            assert wait_for(lambda: not processes_of(state)), processes_of(state)
        (state / "last_slot.json").unlink()
    done = shell("make run", STATE_DIR=str(state), **FILTERS)
    assert done.returncode == 0, done.stdout + done.stderr
