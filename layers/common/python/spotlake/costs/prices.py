"""Public prices of AWS in us-west-2 in US dollars, and what is always free (pricing pages, read 2026-11).

A run's own cost and the calculator of docs/costs.md use these. Nothing else in the library knows a price.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# Step Functions pricing, 2026-11. Standard: each state entered, and each child of a distributed Map. Express: requests
# and memory time.
TRANSITION: Final = 25e-6
EXPRESS_REQUEST: Final = 1e-6
EXPRESS_GB_SECOND: Final = 16.67e-6
EXPRESS_STEP_MB: Final = 64  # memory is billed in steps of this size

# Lambda pricing, 2026-11. Since 2025-08 the start of a process (INIT) is billed as its work is.
LAMBDA_GB_SECOND: Final = MappingProxyType({"arm64": 13.3334e-6, "x86_64": 16.6667e-6})
LAMBDA_REQUEST: Final = 0.2e-6

# S3 pricing, 2026-11: Standard. Puts are PUT, COPY, POST and LIST; gets are GET, HEAD and the rest. Deletions are free.
S3_PUT: Final = 5e-6
S3_GET: Final = 0.4e-6
S3_GB_MONTH: Final = 0.023

# DynamoDB pricing, 2026-11: Standard. A unit writes 1 KB, and reads 4 KB (two of them when eventually consistent).
DYNAMODB_WRITE: Final = 0.625e-6
DYNAMODB_READ: Final = 0.125e-6
DYNAMODB_PROVISIONED_WRITE_HOUR: Final = 0.00065
DYNAMODB_PROVISIONED_READ_HOUR: Final = 0.00013
DYNAMODB_GB_MONTH: Final = 0.25
DYNAMODB_BACKUP_GB_MONTH: Final = 0.20  # point-in-time recovery

# CloudWatch and X-Ray pricing, 2026-11. A metric is charged for the hours in which it is sent.
LOG_GB: Final = 0.50
METRIC_MONTH: Final = 0.30
ALARM_MONTH: Final = 0.10  # for each metric that the alarm looks at
TRACE: Final = 5e-6

# ECR pricing, 2026-11.
ECR_GB_MONTH: Final = 0.10

# Free without an end, in each month (aws.amazon.com/free, "always free", read 2026-11), for an account without
# other use. DynamoDB's is for provisioned units and storage.
FREE: Final = MappingProxyType(
    {
        "transitions": 4_000.0,
        "lambda_gb_seconds": 400_000.0,
        "lambda_requests": 1_000_000.0,
        "dynamodb_gb": 25.0,
        "dynamodb_provisioned_writes": 25.0,
        "dynamodb_provisioned_reads": 25.0,
        "log_gb": 5.0,
        "metrics": 10.0,
        "alarms": 10.0,
        "traces": 100_000.0,
    }
)
