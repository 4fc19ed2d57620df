"""``AZURE=live``: the credentials of the real Azure, from the environment of whoever runs it."""

from __future__ import annotations

import os

from spotlake.errors import ConfigurationError

_VARIABLES = {
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
    "client_secret": "AZURE_CLIENT_SECRET",
    "subscriptions": "AZURE_SUBSCRIPTION_IDS",
}


def live_credentials() -> dict[str, str]:
    """Tenant, client, secret and subscriptions. Raises ConfigurationError naming the variables that are missing."""
    missing = [variable for variable in _VARIABLES.values() if not os.environ.get(variable)]
    if missing:
        raise ConfigurationError(f"AZURE=live needs the environment variables {', '.join(missing)}")
    return {name: os.environ[variable] for name, variable in _VARIABLES.items()}
