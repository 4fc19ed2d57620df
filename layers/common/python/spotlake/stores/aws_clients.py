"""How every client of AWS is made, waits and tries again."""

from __future__ import annotations

from typing import Any, Final, Protocol

from botocore.config import Config
from botocore.hooks import BaseEventHooks
from botocore.session import get_session

# botocore owns the retries of AWS calls: throttles and 5xx, with jitter.
BOTO: Final = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, max_pool_connections=32)


class MakesClients(Protocol):
    """A session of boto3, or ours."""

    @property
    def region_name(self) -> str | None:
        """The region where the process runs."""
        ...

    def client(
        self,
        service_name: Any,
        *,
        region_name: str | None = None,
        config: Config | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
    ) -> Any:
        """Make a client of a service."""
        ...


class AwsSession:
    """Makes clients by botocore alone. boto3 loads transfers and resources too, which nobody needs in a cold start."""

    def __init__(self) -> None:
        """Take credentials and region from the environment, as boto3 does."""
        self._session = get_session()

    @property
    def region_name(self) -> str | None:
        """The region where the process runs."""
        found: str | None = self._session.get_config_variable("region")
        return found

    @property
    def events(self) -> BaseEventHooks:
        """What all clients of the session tell."""
        found: BaseEventHooks = self._session.get_component("event_emitter")
        return found

    def client(
        self,
        service_name: Any,
        *,
        region_name: str | None = None,
        config: Config | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
    ) -> Any:
        """Make a client of a service, in the process's region and with its credentials unless others are given."""
        return self._session.create_client(
            service_name,
            region_name=region_name,
            config=config,
            aws_access_key_id=aws_access_key_id,
            aws_secret_access_key=aws_secret_access_key,
            aws_session_token=aws_session_token,
        )
