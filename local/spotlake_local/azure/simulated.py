"""The simulated Azure for its users: start, settings, clock, faults, counts."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson
import requests

from spotlake.errors import ConfigurationError
from spotlake.models import to_iso
from spotlake_local.azure.door import CONTROL_PREFIX, TOKEN_HEADER
from spotlake_local.azure.world import World
from spotlake_local.processes import stop

_STOP_SECONDS = 3.0


@dataclass(frozen=True)
class SimulatedAzure:
    """A running simulator.

    Attributes:
        url: Of the management and the retail prices API (http, 127.0.0.1).
        authority_url: URL of the token endpoint (https).
        ca_file: Certificate of the authority that signed the server's certificate.
        tenant_id, client_id, client_secret, subscriptions: Credentials for AzureAuth.
        seed: Seed of the world.
        control_token: What the control API asks for.
    """

    url: str
    authority_url: str
    ca_file: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    subscriptions: tuple[str, ...]
    seed: int
    control_token: str = field(repr=False)

    @classmethod
    @contextmanager
    def start(
        cls, folder: Path, *, subscriptions: int = 48, seed: int = 1, port: int = 0, token_port: int = 0
    ) -> Iterator[Self]:
        """Start a simulator, and stop it at the end. It also ends with this process.

        Args:
            folder: For its certificates, and the quota's history: what was used in the last hour counts after a
                restart too.
            subscriptions: Number of subscriptions.
            seed: Seed of the world; another seed makes another world.
            port: Port of the plain APIs; 0: any free port.
            token_port: Port of the token endpoint; 0: any free port.

        Raises:
            ConfigurationError: The simulator did not start; the text is the end of its output.
        """
        secret, control_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        command = [
            *(sys.executable, "-m", "spotlake_local.azure", "--folder", str(folder)),
            *("--subscriptions", str(subscriptions), "--seed", str(seed)),
            *("--port", str(port), "--token-port", str(token_port)),
        ]
        environment = {
            **os.environ,
            "SIMULATED_AZURE_SECRET": secret,
            "SIMULATED_AZURE_CONTROL_TOKEN": control_token,
        }
        folder.mkdir(parents=True, exist_ok=True)
        # A file, because a pipe that nobody reads is full after 64 kB of errors, and then the simulator stands still.
        log = folder / "errors.log"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
        try:
            ready = process.stdout.readline() if process.stdout else ""
            if not ready:
                words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                raise ConfigurationError(f"the simulated Azure did not start: {words[-1] if words else 'no message'}")
            known = orjson.loads(ready)
            known["subscriptions"] = tuple(known["subscriptions"])
            yield cls(**known, client_secret=secret, seed=seed, control_token=control_token)
        finally:
            stop(process, grace_seconds=_STOP_SECONDS)
            if process.stdout:
                process.stdout.close()

    def settings(self) -> dict[str, str]:
        """The fields of ``spotlake.settings.Settings`` that point at this simulator."""
        return {
            "azure_source": "simulated",
            "azure_management_url": self.url,
            "azure_retail_url": self.url,
            "azure_authority_url": self.authority_url,
            "azure_ca_file": self.ca_file,
        }

    def world(self) -> World:
        """The truth in the simulator, which tests compare with."""
        return World(self.seed)

    def set_clock(self, now_at: datetime) -> None:
        """Set the clock, which then runs at normal speed."""
        self.control("POST", "clock", {"now": to_iso(now_at)})

    def fault(self, **rule: Any) -> None:
        """Add a fault rule (fields: ``spotlake_local.azure.faults.Fault``)."""
        self.control("POST", "faults", rule)

    def clear_faults(self) -> None:
        """Remove all rules."""
        self.control("DELETE", "faults")

    def options(self, **numbers: Any) -> None:
        """Set options (``AzureSimulator.control_options``)."""
        self.control("POST", "options", numbers)

    def stats(self) -> dict[str, Any]:
        """``{"answers", "repeated_calls", "quota_used"}``."""
        return self.control("GET", "stats")

    def reset(self) -> None:
        """Reset faults, counts and quota history."""
        self.control("POST", "reset")

    def control(self, method: str, name: str, body: Any = None, **query: str) -> dict[str, Any]:
        """Call the control API, and return its answer.

        Raises:
            ConfigurationError: It refused.
        """
        url, headers = f"{self.url}{CONTROL_PREFIX}/{name}", {TOKEN_HEADER: self.control_token}
        response = requests.request(method, url, json=body, params=query, headers=headers, timeout=10)
        if not response.ok:
            raise ConfigurationError(f"simulated Azure, {name}: {response.text}")
        answer: dict[str, Any] = response.json()
        return answer
