"""Access to Azure: the credentials, one token source, routing locations and zones."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from spotlake.azure.answers import SMALL_BYTES
from spotlake.azure.credential_stores import read_credentials, signed_assertion
from spotlake.azure.credentials import AzureCredentials
from spotlake.azure.http import HttpClient, RetryPolicy, new_session
from spotlake.azure.locations import API as LOCATIONS_API
from spotlake.azure.locations import fetch_locations
from spotlake.azure.tokens import TokenSource
from spotlake.clock import Deadline
from spotlake.errors import ConfigurationError, SpotlakeError
from spotlake.models import Run, to_iso
from spotlake.scores.geography import Locations
from spotlake.settings import Settings
from spotlake.state.kinds import Note
from spotlake.state.locations import LOCATIONS
from spotlake.stores.aws_clients import BOTO, MakesClients
from spotlake.stores.objects import ObjectStore

_LOG = logging.getLogger(__name__)
_REFRESH_SECONDS = 8.0  # longest time for a refresh of known locations


class AzureAccess:
    """Each part is read at first use, and kept as long as the process lives.

    Attributes:
        kept_note: Why the newest credentials are those of an earlier run; empty when they have just been read.
    """

    def __init__(self, session: MakesClients, settings: Settings) -> None:
        """Bind the AWS session in whose account the credentials are kept."""
        self._session, self._settings = session, settings
        self.kept_note = ""
        self._credentials: tuple[int, AzureCredentials] | None = None
        self._token_source: TokenSource | None = None
        self._signing_in = threading.Lock()

    def credentials(self, run: Run) -> AzureCredentials:
        """The credentials, from where the settings say.

        They are read once per attempt, so a rotated secret counts at the next run.

        Raises:
            ConfigurationError: They are missing or wrong, and this process has no earlier copy.
        """
        with self._signing_in:
            before = self._credentials
            if before is not None and before[0] == run.attempt:
                return before[1]
            try:
                found = read_credentials(self._session, self._settings, BOTO)
            except ConfigurationError as error:
                if before is None:
                    raise
                self.kept_note = f"{error}; the credentials of an earlier run are used"
                _LOG.warning(self.kept_note)
                found = before[1]
            else:
                self.kept_note = ""
            # A refusal is final for its run alone: what was wrong may have been mended in Azure.
            is_refused = self._token_source is not None and self._token_source.is_refused
            if before is None or found != before[1] or is_refused:
                self._token_source = None
            self._credentials = run.attempt, found
            return found

    def days_left(self, now_at: datetime) -> int | None:
        """Days until the secret or certificate that was last read ends; None where that is not known."""
        return None if self._credentials is None else self._credentials[1].days_left(now_at)

    def notes(self, now_at: datetime) -> list[str]:
        """Sentences for people: old credentials are used, or the secret or certificate ends soon."""
        found, days, what = [self.kept_note] if self.kept_note else [], self.days_left(now_at), "the sign-in to Azure"
        if days is not None and days < self._settings.secret_expiry_alarm_days:
            proof = self._settings.azure_sign_in
            found.append(f"{what} ends in {days} days ({proof})" if days >= 0 else f"{what} has ended ({proof})")
        return found

    def tokens(self, run: Run) -> TokenSource:
        """One token source for all clients, kept while the credentials stay the same."""
        credentials = self.credentials(run)
        with self._signing_in:
            if self._token_source is None:
                self._token_source = TokenSource(
                    credentials,
                    authority_url=self._settings.azure_authority_url or None,
                    ca_file=self._settings.azure_ca_file or None,
                    assertion=lambda: signed_assertion(self._session, self._settings, BOTO),
                )
            return self._token_source

    def locations(self, run: Run, objects: ObjectStore, now_at: datetime, deadline: Deadline, note: Note) -> Locations:
        """Routing locations and zones. If they are unknown or a day old, the subscriptions are asked.

        A refresh that fails or hangs costs a few seconds. Then the known values are used, and ``note`` is called.

        Raises:
            ConfigurationError: There are no credentials.
            SpotlakeError: No value is known, and the subscriptions did not answer.
        """
        known = LOCATIONS.read(objects, note)
        subscriptions = self.credentials(run).subscriptions
        if known is not None and known.is_fresh(now_at, subscriptions):
            return known
        patience = deadline if known is None else Deadline.after(min(_REFRESH_SECONDS, deadline.seconds_left()))
        policy = RetryPolicy(most_bytes=SMALL_BYTES)
        client = HttpClient(LOCATIONS_API, new_session(connections=8), policy, patience)
        try:
            found = fetch_locations(
                client,
                self._settings.azure_management_url,
                tokens=self.tokens(run),
                subscriptions=subscriptions,
                now_at=now_at,
                previous=known,
            )
        except SpotlakeError as error:
            if known is None:
                raise
            note(f"locations of {to_iso(known.fetched_at)} are used: {error}")
            return known
        LOCATIONS.write(objects, found, note)
        return found
