"""What all clients of AWS share: how they wait and try again, and how a failure is named."""

from __future__ import annotations

from typing import Final

from botocore.config import Config
from botocore.exceptions import ClientError

# botocore owns the retries of AWS calls: throttles and 5xx, with jitter.
BOTO: Final = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, max_pool_connections=32)


def code_of(error: Exception) -> str:
    """AWS's own code of a failure ("AccessDenied"); the name of the class when no service has answered."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
