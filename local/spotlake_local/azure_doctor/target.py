"""Whom the doctor looks at: the identity of a deployed stack, or that of this shell's environment."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError

from spotlake.azure.credential_stores import place_of, read_credentials, signed_assertion
from spotlake.azure.credentials import AzureCredentials
from spotlake.azure.http import HttpClient, RetryPolicy, new_session
from spotlake.azure.tokens import TokenSource
from spotlake.clock import Deadline
from spotlake.errors import ConfigurationError
from spotlake.scores.geography import Locations
from spotlake.settings import Settings
from spotlake_local.live_azure import VARIABLES, live_credentials
from spotlake_local.operations import Operations

_POLICY = RetryPolicy(attempts=2, longest_wait_seconds=10.0, timeout_seconds=(5.0, 20.0))
_SECONDS = 60.0  # for one API


@dataclass
class Target:
    """What is looked at.

    Attributes:
        settings: Settings of the running code.
        place: Where the credentials are kept.
        read: Reads the credentials.
        assertion: Signs a statement, for a sign-in by federation.
        is_live: Whether the credentials are those of the environment.
        now: Seconds since 1970 by this machine's clock.
        refused: Subscriptions that lack a role, found by the check of roles.
        locations: What the check of zones found.
    """

    settings: Settings
    place: str
    read: Callable[[], AzureCredentials]
    assertion: Callable[[], str] | None = None
    is_live: bool = False
    now: Callable[[], float] = time.time
    refused: set[str] = field(default_factory=set)
    locations: Locations | None = None

    @classmethod
    def of_stack(cls, session: Any, stage: str) -> Target:
        """The identity of a deployed stack; before the deployment, that of the default settings."""
        try:
            settings = Operations(session, stage).settings()
        except (ConfigurationError, BotoCoreError):
            settings = Settings(stage=stage)
        return cls(
            settings,
            place_of(settings),
            lambda: read_credentials(session, settings),
            assertion=lambda: signed_assertion(session, settings),
        )

    @classmethod
    def of_environment(cls) -> Target:
        """The identity in the variables of `AZURE=live`."""
        return cls(Settings.from_environment(os.environ), ", ".join(VARIABLES), live_credentials, is_live=True)

    @functools.cached_property
    def credentials(self) -> AzureCredentials:
        """The credentials. Raises ConfigurationError."""
        return self.read()

    @functools.cached_property
    def tokens(self) -> TokenSource:
        """The one source of tokens."""
        return TokenSource(
            self.credentials,
            authority_url=self.settings.azure_authority_url or None,
            ca_file=self.settings.azure_ca_file or None,
            assertion=self.assertion,
        )

    @property
    def usable(self) -> list[str]:
        """Subscriptions without a finding of their own."""
        return [one for one in self.credentials.subscriptions if one not in self.refused]

    def client(self, api: str) -> HttpClient:
        """A patient client for one API."""
        return HttpClient(api, new_session(), _POLICY, Deadline.after(_SECONDS))
