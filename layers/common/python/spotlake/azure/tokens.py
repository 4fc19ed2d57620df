"""Bearer tokens: azure-identity fetches them, one credential and one token for all threads of a process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from spotlake.azure.credentials import AzureCredentials, SignInMethod
from spotlake.azure.sign_in_refusals import code_in, refusal_in
from spotlake.errors import SignInError, SignInUnavailableError, SpotlakeError
from spotlake.secrecy import keep_secret

SCOPE = "https://management.azure.com/.default"
# azure-identity fetches a new token when the old one has less than 300 seconds left, and is asked again from here on.
_RENEWED_BEFORE_END_SECONDS = 120.0
# Threads that waited while a sign-in failed share its failure.
_UNAVAILABLE_SECONDS = 5.0
_TIMEOUTS = {"connection_timeout": 5, "read_timeout": 20}  # azure-core would wait 300 seconds for each


class TokenSource:
    """Bearer headers with a valid token, fetched once for all threads and renewed before it ends.

    Attributes:
        expires_at_seconds: End of the newest token, in seconds since 1970; 0.0 before the first one.
    """

    def __init__(
        self,
        credentials: AzureCredentials,
        *,
        authority_url: str | None = None,
        ca_file: str | None = None,
        assertion: Callable[[], str] | None = None,
        make_credential: Callable[..., Any] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Prepare the credential without any request.

        Args:
            credentials: From ``read_credentials``.
            authority_url: Another token endpoint than Microsoft's (https); the simulator's, locally.
            ca_file: Certificate file of the authority that signed the endpoint.
            assertion: Returns a new signed statement of who we are, for a sign-in by federation.
            make_credential: Stands in for the class of azure-identity in tests.
            now: Seconds since 1970.
        """
        self._credentials, self._assertion, self._now = credentials, assertion, now
        self._options: dict[str, object] = {**_TIMEOUTS}
        self._authority_url, self._ca_file = authority_url, ca_file
        if authority_url:
            # Without this option azure-identity asks login.microsoftonline.com about the authority.
            self._options |= {"authority": authority_url, "disable_instance_discovery": True}
        if ca_file:
            self._options["connection_verify"] = ca_file
        self._make_credential = make_credential
        self._credential: Any = None
        self._token, self.expires_at_seconds = "", 0.0
        self._refused_token = ""
        self._failure: SpotlakeError | None = None
        self._failure_ends_at = 0.0
        self._lock = threading.Lock()

    @property
    def is_refused(self) -> bool:
        """Whether Azure refused the credentials. A refusal is final for this source."""
        return isinstance(self._failure, SignInError)

    def headers(self) -> dict[str, str]:
        """``{"Authorization": "Bearer ..."}`` with a token that is valid now.

        Raises:
            SignInError: Azure refused the credentials; the text names Azure's code and the part that is wrong.
            SignInUnavailableError: The sign-in endpoint did not answer, or gave an invalid answer.
        """
        with self._lock:  # also over the first token: otherwise every thread would fetch one of its own
            if not self._token or self._now() >= self.expires_at_seconds - _RENEWED_BEFORE_END_SECONDS:
                self._fetch()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self, refused: Mapping[str, str]) -> None:
        """Drop the token of ``refused``, the headers that Azure answered with 401. The next token is a new one.

        Threads that were refused with the same token renew the token once.

        Args:
            refused: Headers, as ``headers`` returned them.
        """
        token = refused.get("Authorization", "")
        with self._lock:
            if token != self._refused_token:
                self._refused_token = token
                self._credential, self._token = None, ""

    def _fetch(self) -> None:
        if self._failure is not None and (self.is_refused or self._now() < self._failure_ends_at):
            raise self._failure.with_traceback(None)
        from azure.core.exceptions import ClientAuthenticationError  # 0.25 s; the price collector never signs in

        try:
            if self._credential is None:
                self._credential = self._new_credential()
            found = self._credential.get_token(SCOPE)
        except ClientAuthenticationError as error:
            # Not chained: its text may hold the client id.
            raise self._failed(self._failure_of(str(error))) from None
        except ValueError:
            said = "tenant_id, client_id, the client secret or the certificate has a wrong form"
            raise self._failed(SignInError(said)) from None
        except SpotlakeError as error:  # of the assertion
            raise self._failed(error) from error.__cause__
        keep_secret(found.token)
        self._token, self.expires_at_seconds, self._failure = found.token, float(found.expires_on), None

    def _failed(self, error: SpotlakeError) -> SpotlakeError:
        self._failure, self._failure_ends_at = error, self._now() + _UNAVAILABLE_SECONDS
        return error

    def _failure_of(self, text: str) -> SignInError | SignInUnavailableError:
        if not code_in(text) and "authority configuration" in text:
            text = self._discovery()  # msal keeps to itself what the tenant's page answered
        refusal = refusal_in(text)
        if refusal is None:
            code = code_in(text)
            said = f"the endpoint asks to try again ({code})" if code else "the endpoint did not answer as it should"
            return SignInUnavailableError("sign-in", said)
        said = f"Azure refused the sign-in ({refusal.code}): {refusal.text}"
        return SignInError(said, part=refusal.part.value, code=refusal.code)

    def _discovery(self) -> str:
        """What the tenant's own page answers: for an unknown tenant, a text with the code."""
        import requests

        url = self._authority_url or "https://login.microsoftonline.com"
        try:
            with requests.get(
                f"{url}/{self._credentials.tenant_id}/v2.0/.well-known/openid-configuration",
                timeout=(_TIMEOUTS["connection_timeout"], _TIMEOUTS["read_timeout"]),
                verify=self._ca_file or True,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return next(answer.iter_content(4000), b"").decode("utf-8", "replace")
        except requests.RequestException:
            return ""

    def _new_credential(self) -> Any:
        import azure.identity as library

        # Their own lines hold the client id and whole texts of the authority; what failed is in our errors.
        for name in ("azure", "msal"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        ours = self._credentials
        makers: dict[SignInMethod, Callable[..., Any]] = {
            SignInMethod.SECRET: library.ClientSecretCredential,
            SignInMethod.CERTIFICATE: library.CertificateCredential,
            SignInMethod.FEDERATION: library.ClientAssertionCredential,
        }
        make = self._make_credential or makers[ours.method]
        if ours.method is SignInMethod.CERTIFICATE:
            pem = ours.client_certificate.encode()
            return make(ours.tenant_id, ours.client_id, certificate_data=pem, **self._options)
        proof = ours.client_secret if ours.method is SignInMethod.SECRET else self._assertion
        return make(ours.tenant_id, ours.client_id, proof, **self._options)
