"""How every client of AWS waits and tries again."""

from __future__ import annotations

from typing import Final

from botocore.config import Config

# botocore owns the retries of AWS calls: throttles and 5xx, with jitter.
BOTO: Final = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, max_pool_connections=32)
