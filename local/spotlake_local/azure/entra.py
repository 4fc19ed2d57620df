"""The token endpoint (Microsoft Entra), and the tokens that were issued."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

SCOPE = "https://management.azure.com/.default"
_NEW_SECRET = "https://aka.ms/NewClientSecret, or consider using certificate credentials: https://aka.ms/certCreds"  # noqa: S105


@dataclass
class Entra:
    """Who may sign in, and with what.

    Attributes:
        tenant_id, client_id, client_secret: The one principal.
        lifetime_seconds: ``expires_in`` of a token.
        secret_expired: Answer as for an expired secret.
    """

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    lifetime_seconds: int = 3599
    secret_expired: bool = False
    issued: dict[str, datetime] = field(default_factory=dict, repr=False)

    def discovery(self, tenant: str, authority: str) -> tuple[int, dict[str, Any]]:
        """Status and body of the OIDC discovery document."""
        if tenant != self.tenant_id:
            return 400, _error("invalid_tenant", 90002, f"Tenant '{tenant}' not found. Check to make sure you have "
                               "the correct tenant ID and are signing into the correct cloud.")  # fmt: skip
        base = f"{authority}/{tenant}"
        return 200, {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "issuer": f"{base}/v2.0",
        }

    def token(self, form: dict[str, str], now_at: datetime) -> tuple[int, dict[str, Any]]:
        """Status and body of the token endpoint."""
        for name in ("grant_type", "client_id", "client_secret", "scope"):
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                return 400, _error("invalid_request", 900144, text)
        client = form["client_id"]
        if client != self.client_id:
            text = f"Application with identifier '{client}' was not found in the directory '{self.tenant_id}'."
            return 400, _error("unauthorized_client", 700016, text)
        if SCOPE not in form["scope"].split():
            text = "The provided value for the input parameter 'scope' is not valid."
            return 400, _error("invalid_scope", 70011, text)
        if self.secret_expired:
            text = f"The provided client secret keys for app '{client}' are expired. Create new keys: {_NEW_SECRET}"
            return 401, _error("invalid_client", 7000222, text)
        if not secrets.compare_digest(form["client_secret"].encode(), self.client_secret.encode()):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client}'."
            )
            return 401, _error("invalid_client", 7000215, text)
        token = secrets.token_urlsafe(48)
        self.issued[token] = now_at + timedelta(seconds=self.lifetime_seconds)
        life = self.lifetime_seconds
        return 200, {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}

    def refuse(self, authorization: str, now_at: datetime) -> tuple[str, str] | None:
        """Code and message of the 401 for an ``Authorization`` header; None when it is good."""
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            return "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        expires_at = self.issued.get(token)
        if expires_at is None:
            return "InvalidAuthenticationToken", "The access token is invalid."
        if expires_at <= now_at:
            text = f"The access token expiry UTC time '{expires_at}' is earlier than current UTC time '{now_at}'."
            return "ExpiredAuthenticationToken", text
        return None


def _error(error: str, number: int, text: str) -> dict[str, Any]:
    guid = "00000000-0000-0000-0000-000000000000"
    at = "2026-10-31 09:03:41Z"
    tail = f"\r\nTrace ID: {guid}\r\nCorrelation ID: {guid}\r\nTimestamp: {at}"
    return {
        "error": error,
        "error_description": f"AADSTS{number}: {text}{tail}",
        "error_codes": [number],
        "timestamp": at,
        "trace_id": guid,
        "correlation_id": guid,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
