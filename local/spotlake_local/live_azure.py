"""``AZURE=live``: reads the credentials of the real Azure from the environment."""

from __future__ import annotations

import os
import re

from spotlake.azure.credentials import AzureCredentials, credentials_of
from spotlake.errors import ConfigurationError

_FIELDS = {
    "AZURE_TENANT_ID": "tenant_id",
    "AZURE_CLIENT_ID": "client_id",
    "AZURE_CLIENT_SECRET": "client_secret",
    "AZURE_SUBSCRIPTION_IDS": "subscriptions",
}
VARIABLES = tuple(_FIELDS)


def live_credentials() -> AzureCredentials:
    """Read and check the credentials. Raises ConfigurationError that names missing and wrong variables."""
    missing = [variable for variable in VARIABLES if not os.environ.get(variable, "").strip(" ,")]
    if missing:
        raise ConfigurationError(f"AZURE=live needs the environment variables {', '.join(missing)}")
    record = {name: os.environ[variable] for variable, name in _FIELDS.items()}
    try:
        return credentials_of(record, "AZURE=live")
    except ConfigurationError as error:
        variables = {name: variable for variable, name in _FIELDS.items()}
        said = re.sub("|".join(variables), lambda found: variables[found[0]], str(error))
        raise ConfigurationError(said) from None
