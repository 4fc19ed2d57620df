"""The token endpoint (Microsoft Entra), and the tokens that were issued.

Bodies and texts follow public code and threads up to 2026-11.
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from spotlake_local.azure.answers import RefusalError, arm_refusal
from spotlake_local.azure.assertions import ASSERTION_TYPE, AssertionRefusedError, check_assertion

SCOPES = frozenset({"https://management.azure.com/.default", "https://management.core.windows.net//.default"})
_FIELDS = ("grant_type", "client_id", "scope")
_AADSTS_EXPIRED = (
    "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for "
    "your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
    "https://aka.ms/certCreds."
)
_AADSTS_WRONG = (
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the "
    "client secret ID, for a secret added to app '{client}'."
)
_AADSTS_NO_CLIENT = (
    "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
    "application has not been installed by the administrator of the tenant or consented to by any user in the tenant. "
    "You may have sent your authentication request to the wrong tenant."
)
_AADSTS_NO_TENANT = (
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct "
    "cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the "
    "tenant."
)


@dataclass
class Entra:
    """Credentials that may sign in.

    Attributes:
        tenant_id, client_id, client_secret: The only principal.
        lifetime_seconds: Lifetime of a token (``expires_in``).
        secret_expired: Whether to answer as for an expired secret.
        certificates: Public certificates of the principal, as PEM.
        federated_credentials: Whose assertions are taken: ``{"issuer", "subject", "audience"}``.
    """

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    lifetime_seconds: int = 3599
    secret_expired: bool = False
    certificates: Collection[str] = ()
    federated_credentials: Collection[Mapping[str, str]] = ()
    issued: dict[str, datetime] = field(default_factory=dict, repr=False)

    def discovery(self, tenant: str, authority: str, now_at: datetime) -> dict[str, Any]:
        """The OIDC discovery document. Raises RefusalError for another tenant."""
        self._check_tenant(tenant, now_at)
        base = f"{authority}/{tenant}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "issuer": f"{base}/v2.0",
        }

    def token(self, tenant: str, form: dict[str, str], now_at: datetime, authority: str = "") -> dict[str, Any]:
        """A new token. Raises RefusalError with Entra's own body."""
        self._check_tenant(tenant, now_at)
        for name in _FIELDS:
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                raise _refusal(400, "invalid_request", 900144, text, now_at)
        client = form["client_id"]
        if form["grant_type"] != "client_credentials":
            text = f"The app requested an unsupported grant type '{form['grant_type']}'."
            raise _refusal(400, "unsupported_grant_type", 70003, text, now_at)
        if client != self.client_id:
            text = _AADSTS_NO_CLIENT.format(client=client, tenant=tenant)
            raise _refusal(400, "unauthorized_client", 700016, text, now_at)
        if SCOPES.isdisjoint(form["scope"].split()):
            text = f"The provided value for the input parameter 'scope' is not valid. The scope {form['scope']}"
            raise _refusal(400, "invalid_scope", 70011, f"{text} is not valid.", now_at)
        self._check_proof(form, f"{authority}/{tenant}/oauth2/v2.0/token", now_at)
        token = self._new_token(now_at)
        self.issued[token] = now_at + timedelta(seconds=self.lifetime_seconds)
        life = self.lifetime_seconds
        return {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}

    def _check_proof(self, form: dict[str, str], token_url: str, now_at: datetime) -> None:
        """The secret, or an assertion in its place."""
        client, given = self.client_id, form.get("client_secret", "")
        if form.get("client_assertion_type") == ASSERTION_TYPE:
            try:
                check_assertion(
                    form.get("client_assertion", ""),
                    client=client,
                    token_url=token_url,
                    certificates=self.certificates,
                    federated=self.federated_credentials,
                    now_at=now_at,
                )
            except AssertionRefusedError as error:
                raise _refusal(401, "invalid_client", error.number, error.text, now_at) from None
            return
        if not given:
            text = (
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
            )
            raise _refusal(401, "invalid_client", 7000216, text, now_at)
        if self.secret_expired:
            raise _refusal(401, "invalid_client", 7000222, _AADSTS_EXPIRED.format(client=client), now_at)
        if not secrets.compare_digest(given.encode(), self.client_secret.encode()):
            raise _refusal(401, "invalid_client", 7000215, _AADSTS_WRONG.format(client=client), now_at)

    def _new_token(self, now_at: datetime) -> str:
        """A token in the form of a JWT, for clients that read it. The signature is random."""
        claims = {
            "aud": "https://management.azure.com",
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": int(now_at.timestamp()),
            "exp": int(now_at.timestamp()) + self.lifetime_seconds,
            "appid": self.client_id,
            "oid": self.client_id,
            "tid": self.tenant_id,
            "ver": "1.0",
        }
        header = {"typ": "JWT", "alg": "RS256", "kid": "simulated"}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
        return ".".join([*parts, secrets.token_urlsafe(48)])

    def check(self, authorization: str, now_at: datetime) -> None:
        """Check an ``Authorization`` header. Raises RefusalError: ARM's 401."""
        scheme, _, token = authorization.partition(" ")
        challenge = {"WWW-Authenticate": f'Bearer authorization_uri="https://login.windows.net/{self.tenant_id}"'}
        if scheme != "Bearer" or not token:
            text = "Authentication failed. The 'Authorization' header is missing or has a wrong scheme."
            raise arm_refusal(401, "AuthenticationFailed", text, headers=challenge)
        expires_at = self.issued.get(token)
        if expires_at is None:
            raise arm_refusal(401, "InvalidAuthenticationToken", "The access token is invalid.", headers=challenge)
        if expires_at <= now_at:
            text = (
                f"The access token expiry UTC time '{_us_time(expires_at)}' is earlier than current UTC time "
                f"'{_us_time(now_at)}'."
            )
            raise arm_refusal(401, "ExpiredAuthenticationToken", text, headers=challenge)

    def _check_tenant(self, tenant: str, now_at: datetime) -> None:
        if tenant != self.tenant_id:
            raise _refusal(400, "invalid_tenant", 90002, _AADSTS_NO_TENANT.format(tenant=tenant), now_at)


def _us_time(at: datetime) -> str:
    """``8/17/2026 10:54:41 PM``, as ARM writes times in this one message."""
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"


def _refusal(status: int, error: str, number: int, text: str, now_at: datetime) -> RefusalError:
    trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
    at = f"{now_at:%Y-%m-%d %H:%M:%SZ}"
    tail = f"\r\nTrace ID: {trace_id}\r\nCorrelation ID: {correlation_id}\r\nTimestamp: {at}"
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {text}{tail}",
        "error_codes": [number],
        "timestamp": at,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
    return RefusalError(status, f"AADSTS{number}", body)
