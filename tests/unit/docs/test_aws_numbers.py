"""Every number of AWS in the code (a limit, a price, a quota) stands beside its source and the month it was read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# File -> texts of AWS's numbers in it.
NUMBERS = {
    "benchmarks/counts.py": ("_LOG_OVERHEAD_BYTES = ",),
    "cdk/constructs/budget.py": ("a monthly budget",),
    "cdk/constructs/full_run_job.py": ("RUNNABLE", "_LAST_SECONDS = "),
    "cdk/constructs/image_build.py": ("_MACHINES = ", "_PUSHES = "),
    "cdk/settings.py": ("_LOG_DAYS = ", "128 <= size.memory_mb <= 10240", "map_concurrency: "),
    "docs/costs.md": ("0.0034 dollars",),
    "layers/common/python/spotlake/costs/prices.py": (
        "TRANSITION:",
        "LAMBDA_GB_SECOND:",
        "S3_PUT:",
        "DYNAMODB_WRITE:",
        "LOG_GB:",
        "ECR_GB_MONTH:",
        "FREE:",
    ),
    "layers/common/python/spotlake/stores/workloads.py": ("BATCH = 25",),
    "local/spotlake_local/aws_doctor/before.py": ("_SPOT_VCPUS = ", "_LAMBDA_QUOTA = ", "_FAMILIES = "),
}
READ_AT = re.compile(r"20\d\d-\d\d")
NEAR_LINES = 11  # of a block of constants under one comment


@pytest.mark.parametrize("place", sorted(NUMBERS))
def test_a_number_of_aws_has_its_source_and_date(place: str) -> None:
    lines = (ROOT / place).read_text(encoding="utf-8").splitlines()
    for text in NUMBERS[place]:
        here = [at for at, line in enumerate(lines) if text.lower() in line.lower()]
        assert here, f"{place} has no {text!r}"
        near = " ".join(lines[max(0, here[0] - NEAR_LINES) : here[0] + 3])
        assert READ_AT.search(near), f"{place}: {text!r} has no month in which it was read"


def test_the_table_names_every_place_that_cites_aws() -> None:
    """Whoever writes another such number finds this table, because the citation is looked for here."""
    services = "AWS|Lambda|CodeBuild|DynamoDB|Batch|Logs|Service Quotas"
    cites = re.compile(rf"(?:{services})\b[^\n]*\b(?:quotas?|pricing|reference|read)\b[^\n]*20\d\d-\d\d")
    folders = ("cdk", "layers/common/python/spotlake/stores", "local/spotlake_local/aws_doctor", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if cites.search(path.read_text(encoding="utf-8"))}
    assert found <= set(NUMBERS) | NO_NUMBERS, "a new place cites AWS: name its numbers above"


# These cite AWS for what is allowed, not for a number.
NO_NUMBERS = {"cdk/constructs/grants.py", "cdk/constructs/isolation.py", "cdk/constructs/monitoring.py"}
