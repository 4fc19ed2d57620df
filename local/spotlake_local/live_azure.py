"""``AZURE=live``: reads the credentials of the real Azure from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from spotlake.errors import ConfigurationError

VARIABLES = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_IDS")


@dataclass(frozen=True)
class LiveCredentials:
    """Credentials for AzureAuth, with the field names of ``azure.simulated.SimulatedAzure``."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    subscriptions: tuple[str, ...]


def live_credentials() -> LiveCredentials:
    """Read the credentials. Raises ConfigurationError that names missing variables."""
    missing = [variable for variable in VARIABLES if not os.environ.get(variable, "").strip(" ,")]
    if missing:
        raise ConfigurationError(f"AZURE=live needs the environment variables {', '.join(missing)}")
    tenant_id, client_id, client_secret, subscriptions = (os.environ[variable].strip() for variable in VARIABLES)
    names = tuple(name for part in subscriptions.split(",") if (name := part.strip()))
    return LiveCredentials(tenant_id, client_id, client_secret, names)
