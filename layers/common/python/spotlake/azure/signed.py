"""Sends requests with a bearer token, and once more with a fresh token after a 401."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from spotlake.azure.answers import HttpAnswer
from spotlake.azure.http import HttpClient
from spotlake.errors import AzureRefusedError


class Tokens(Protocol):
    """The part of the token source that clients use."""

    def headers(self) -> dict[str, str]:
        """Bearer headers. Raises SignInError, SignInUnavailableError."""
        ...

    def renew(self, refused: Mapping[str, str]) -> None:
        """Drop a refused token."""
        ...


def send_signed(client: HttpClient, tokens: Tokens, method: str, url: str, **request: Any) -> HttpAnswer:
    """Send a signed request. A token can end early, so a 401 is answered with one request that has a new token.

    Args:
        client: For the API.
        tokens: Sign-in.
        method: "GET" or "POST".
        url: Absolute.
        **request: As ``HttpClient.send`` takes them, but ``headers``.

    Raises:
        AzureError: As the HTTP client raises it. A second 401 is permanent.
        SignInError, SignInUnavailableError: As the token source raises them.
    """
    sent: dict[str, str] = {}

    def headers() -> dict[str, str]:
        sent.update(tokens.headers())
        return sent

    try:
        return client.send(method, url, headers=headers, **request)
    except AzureRefusedError as error:
        if error.status != 401:
            raise
        tokens.renew(sent)
        return client.send(method, url, headers=headers, **request)
